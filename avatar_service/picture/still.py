"""What a viewer sees on pictures and their small changes: likeness at rest, room, flicker, edges.

All figures are per portrait, at the size of the stage. "Units" are outer-eye distances.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.picture.likeness import FloatArray, Mask, brightness, psnr, ssim
from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.portrait import topology
from avatar_service.portrait.pixels import scale_to
from avatar_service.signals import MotionFrame, UInt8Array

SWEEP_YAW_DEGREES: Final = 20.0
SWEEP_PITCH_DEGREES: Final = 15.0
_AWAY_PX: Final = 40
"""The room must stand still beyond this from the person, at 512 px."""
_SLOW_STEPS: Final = 41
_SLOW_PX: Final = 0.1
"""Slow motion: so many px of a 512 px frame per step."""


def sweep() -> list[tuple[str, MotionFrame]]:
    """Return the corners, edges and middle of the motion that must look whole."""
    yaw, pitch = SWEEP_YAW_DEGREES, SWEEP_PITCH_DEGREES
    turns = [(0.0, 0.0)]
    turns += [(y, p) for p in (-pitch, 0.0, pitch) for y in (-yaw, -yaw / 2, 0.0, yaw / 2, yaw)]
    turns = list(dict.fromkeys(turns))
    return [(f"yaw {y:+.0f} pitch {p:+.0f}", pose_frame(turn=(y, p, 0.0))) for y, p in turns]


def rest_likeness(stage: Stage) -> dict[str, float]:
    """Compare the rest frame with the photo.

    Args:
        stage: with neutralize=0, so that the photo's own expression is kept.
    """
    photo = np.ascontiguousarray(scale_to(stage.portrait.photo, stage.size_px))
    picture = stage.picture(pose_frame())
    face = face_mask(stage.vertices, stage.size_px)
    return {
        "rest_psnr_db": psnr(picture, photo),
        "rest_ssim": ssim(picture, photo),
        "rest_face_psnr_db": psnr(picture, photo, face),
        "rest_face_ssim": ssim(picture, photo, face),
    }


def face_mask(vertices: FloatArray, size_px: int) -> Mask:
    """Return the face's outline filled, (size, size)."""
    mask = np.zeros((size_px, size_px), np.uint8)
    outline = vertices[list(topology.FACE_OVAL), :2]
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255)
    return mask > 0


def room_stability(stage: Stage) -> dict[str, float]:
    """Measure what changes in the room far from the person while the head turns.

    Returns:
        The largest change in levels, and the share of far pixels that change by more than one.
    """
    reach = round(_AWAY_PX * stage.size_px / 512)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    rest, rest_cover = stage.picture(pose_frame()), stage.coverage(pose_frame())
    largest, changed, far_pixels = 0.0, 0, 0
    for _, motion in sweep():
        cover = np.maximum(stage.coverage(motion), rest_cover) > 0
        far = cv2.dilate(cover.astype(np.uint8), disc) == 0
        if not far.any():
            continue
        change = np.abs(stage.picture(motion).astype(np.int16) - rest)[far].max(-1)
        largest = max(largest, float(change.max()))
        changed += int((change > 1).sum())
        far_pixels += change.size
    return {
        "room_max_change": largest,
        "room_changed_share": changed / far_pixels if far_pixels else 0.0,
    }


def slow_motion(stage: Stage) -> Iterator[UInt8Array]:
    """Yield pictures of a head that drifts by a tenth of a pixel at a time."""
    step = _SLOW_PX / stage.portrait.geometry.unit_px * stage.portrait.size_px / 512
    for i in range(_SLOW_STEPS):
        yield stage.picture(pose_frame(shift=(i * step, 0.0, 0.0)))


def flicker(stage: Stage) -> dict[str, float]:
    """Measure how unevenly the face changes under slow, even motion.

    The second difference in time of a picture that glides by a tenth of a pixel a step is nearly
    zero; what a texture does that snaps, swims or aliases is not. Rounding to 8 bits is in both.

    Returns:
        flicker_levels: root mean square over face and steps.
        flicker_ideal_levels: the same of the rest picture, shifted by Lanczos interpolation.
        flicker_p999_levels: the 99.9th percentile of the first.
    """
    frames = [brightness(picture) for picture in slow_motion(stage)]
    inside = cv2.erode(
        face_mask(stage.vertices, stage.size_px).astype(np.uint8), np.ones((9, 9), np.uint8)
    )
    rest = stage.picture(pose_frame())
    step = _SLOW_PX * stage.size_px / 512
    ideal = [
        brightness(
            np.asarray(
                cv2.warpAffine(
                    rest,
                    np.array([[1, 0, i * step], [0, 1, 0]], np.float64),
                    rest.shape[:2],
                    flags=cv2.INTER_LANCZOS4,
                    borderMode=cv2.BORDER_REPLICATE,
                ),
                np.uint8,
            )
        )
        for i in range(_SLOW_STEPS)
    ]
    rms, high = _second_difference(frames, inside > 0)
    return {
        "flicker_levels": rms,
        "flicker_ideal_levels": _second_difference(ideal, inside > 0)[0],
        "flicker_p999_levels": high,
    }


def _second_difference(frames: list[FloatArray], mask: Mask) -> tuple[float, float]:
    pieces = [
        (a - 2 * b + c)[mask] for a, b, c in zip(frames, frames[1:], frames[2:], strict=False)
    ]
    values = np.abs(np.concatenate(pieces))
    return float(np.sqrt((values**2).mean())), float(np.percentile(values, 99.9))


_OUTLINES: Final = {
    "mouth": (topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER),
    "lids": (
        topology.LID_UPPER,
        topology.LID_LOWER,
        topology.mirrored(topology.LID_UPPER),
        topology.mirrored(topology.LID_LOWER),
    ),
}


def jaggedness(stage: Stage) -> dict[str, float]:
    """Measure how ragged the outlines of mouth and lids are.

    Along each outline the picture's own edge is found to parts of a pixel across the outline; what
    is left of its course after smoothing over six pixels is raggedness. A line drawn without
    anti-aliasing has .29 px (the rounding of a slanted line to whole pixels), a clean one under .1.

    Returns:
        Root mean square, px, for mouth and lids over poses that show their edges.
    """
    poses = {
        "mouth": [pose_frame(jawOpen=v, turn=t) for v in (0.35, 0.7) for t in _LOOKS],
        "lids": [pose_frame(eyeBlink=v, turn=t) for v in (0.0, 0.35) for t in _LOOKS],
    }
    result = {}
    for name, rows in _OUTLINES.items():
        squares: list[float] = []
        for motion in poses[name]:
            grey = brightness(stage.picture(motion))
            vertices = stage.vertices[:, :2].astype(np.float64)
            for row in rows:
                squares += _roughness(grey, vertices[list(row)])
        result[f"{name}_jaggedness_px"] = float(np.sqrt(np.mean(squares))) if squares else 0.0
    return result


_LOOKS: Final = ((0.0, 0.0, 0.0), (7.0, 3.0, 4.0), (-7.0, -3.0, -4.0))
_HALF_WIDTH, _ACROSS_STEP = 3.0, 0.125
_SMOOTHING_PX: Final = 6.0
_MIN_CONTRAST: Final = 14.0


def _roughness(grey: FloatArray, corners: NDArray[np.float64]) -> list[float]:
    """Return squared deviations of the edge from its own smooth course, px^2."""
    line = _dense(corners)
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-6)[:, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    across = np.arange(-_HALF_WIDTH, _HALF_WIDTH + 1e-6, _ACROSS_STEP)
    at = (line[:, None] + across[None, :, None] * normal[:, None]).astype(np.float32)
    profile = cv2.remap(
        grey, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    slope = np.diff(profile, axis=1)
    between = (across[:-1] + across[1:]) / 2
    offsets = np.full(len(line), np.nan)
    # Follow one edge: the strongest near where it was a step before.
    for sign in _edge_signs(slope):
        strength = np.clip(sign * slope, 0, None)
        center = float(between[int(strength.sum(0).argmax())])
        near = strength * np.exp(-(((between - center) / 1.2) ** 2))
        total = near.sum(1)
        is_clear = total > _MIN_CONTRAST / 2
        offsets[is_clear] = (near @ between)[is_clear] / total[is_clear]
    known = np.isfinite(offsets)
    if known.sum() < 12:
        return []
    values = np.interp(np.arange(len(line)), np.flatnonzero(known), offsets[known])
    smooth = cv2.GaussianBlur(values.astype(np.float32)[:, None], (1, 0), 0, sigmaY=_SMOOTHING_PX)
    rest = (values - smooth[:, 0])[known]
    return [float(v) for v in rest[3:-3] ** 2]


def _edge_signs(slope: FloatArray) -> list[float]:
    rising, falling = np.clip(slope, 0, None).sum(), np.clip(-slope, 0, None).sum()
    return [1.0 if rising >= falling else -1.0]


def _dense(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a smooth curve through the corners at half-pixel steps, without the ends."""
    from scipy.interpolate import CubicSpline

    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    keep = np.concatenate([[True], np.diff(lengths) > 1e-3])
    spline = CubicSpline(lengths[keep], corners[keep])
    end = lengths[-1]
    curve: NDArray[np.float64] = spline(np.arange(0.12 * end, 0.88 * end, 0.5))
    return curve
