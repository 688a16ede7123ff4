"""Self-reenactment: a person's first frame, moved by what was tracked, against the real video.

Three things can go wrong, and they are told apart by the landmarks of the same model in the real
and in the rendered picture (average keypoint distance, AKD: Siarohin et al., First Order Motion
Model, 2019): what the fitted rig leaves of the real landmarks is tracking and rig; what the
rendered picture's landmarks differ from the rig's is drawing, and the model's own error on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from avatar_service.picture.likeness import Mask, psnr, ssim
from avatar_service.picture.stage import Stage
from avatar_service.picture.still import face_mask
from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.render.renderer import limit_motion
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import UInt8Array
from avatar_service.tracking.capture import Advance, Capture, FaceFitter, capture_video, cut_square
from avatar_service.tracking.face_watch import FaceWatch
from avatar_service.tracking.video import VideoClip

_ERROR_POINTS: Final = np.setdiff1d(np.arange(468), topology.FACE_OVAL)
"""The outline slides over the skin and is no fixed point."""
_MOUTH: Final = np.array(
    [*topology.LIP_INNER_UPPER, *topology.LIP_INNER_LOWER[1:-1], *topology.LIP_OUTER_UPPER]
)
_MAX_PAIRS: Final = 6
_JAW_AND_LIPS: Final = tuple(
    i for i, name in enumerate(EXPRESSION_NAMES) if name.startswith(("jaw", "mouth"))
)

Show = Callable[[UInt8Array, UInt8Array], None]


@dataclass(slots=True)
class _Sums:
    rows: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.rows.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self.rows.items()}


@dataclass(frozen=True, slots=True)
class Reenactment:
    """What came out.

    Attributes:
        figures: the table, see reenact().
        pairs: (real, rendered) pictures for a contact sheet.
        capture: the tracked video.
    """

    figures: dict[str, Any]
    pairs: list[tuple[UInt8Array, UInt8Array]]
    capture: Capture


def reenact(
    clip: VideoClip,
    *,
    size_px: int = 512,
    advance: Advance = lambda what, done, total: None,
    show: Show = lambda real, rendered: None,
) -> Reenactment:
    """Track a video, animate its first frame with the motion, and compare frame by frame.

    Args:
        clip: the video; read twice, a frame at a time.
        size_px: side of the compared pictures.
        advance: for a progress bar.
        show: is given every pair of real and rendered picture, (S, S, 3).

    Returns:
        figures: psnr_db, ssim, face_psnr_db, face_ssim: rendered against real frames;
        akd_px and akd_mouth_px: mean distance of the landmarks; akd_tracking_px: of the fitted
        rig's from the real ones; akd_drawing_px: of the rendered picture's from the fitted rig's;
        still.*: the same of the first frame left as it is; retracked.*: root mean square between
        the latents and those tracked from the rendered frames, degrees, units or coefficients.

    Raises:
        AvatarError: as capture_video.
    """
    capture = capture_video(clip, reference="first", size_px=size_px, advance=advance)
    reference = capture.reference
    portrait = reference.portrait
    stage = Stage(portrait, size_px)
    still = portrait.photo
    real_watch, watch = FaceWatch(), FaceWatch()
    fitter = FaceFitter(portrait, reference.seen)
    model = FaceFitter(portrait, reference.seen).rig
    frames = capture.track.frames()
    every = max(1, len(frames) // _MAX_PAIRS)
    sums, still_sums = _Sums(), _Sums()
    back: list[Float64Array] = []
    asked: list[Float64Array] = []
    pairs = []
    for i, (picture, motion) in enumerate(zip(clip.pictures(), frames, strict=False)):
        advance("comparing", i + 1, len(frames))
        real = cut_square(picture.pixels, reference.square, size_px)
        shown = limit_motion(portrait, motion)
        rendered = stage.picture(shown)
        face = face_mask(stage.vertices, size_px)
        _compare(sums, rendered, real, face)
        _compare(still_sums, still, real, face)
        show(real, rendered)
        if i % every == every // 2:
            pairs.append((real, rendered))
        seen = real_watch.look(picture.pixels)
        drawn = watch.look(rendered)
        if seen is None or drawn is None:
            sums.add(no_face=1.0)
            continue
        sums.add(no_face=0.0)
        points = reference.to_frame(seen).landmarks[:, :2]
        fitted = model.landmarks_of(shown)
        sums.add(
            akd_px=_apart(drawn.landmarks[:, :2], points, _ERROR_POINTS),
            akd_mouth_px=_apart(drawn.landmarks[:, :2], points, _MOUTH),
            akd_tracking_px=_apart(fitted, points, _ERROR_POINTS),
            akd_tracking_mouth_px=_apart(fitted, points, _MOUTH),
            akd_drawing_px=_apart(drawn.landmarks[:, :2], fitted, _ERROR_POINTS),
            akd_drawing_mouth_px=_apart(drawn.landmarks[:, :2], fitted, _MOUTH),
        )
        resting = reference.seen.landmarks[:, :2]
        still_sums.add(
            akd_px=_apart(resting, points, _ERROR_POINTS),
            akd_mouth_px=_apart(resting, points, _MOUTH),
        )
        again = fitter.fit(drawn, rendered)
        back.append(
            np.concatenate(
                [again.rotation, again.translation, again.gaze.ravel(), again.expression]
            )
        )
        asked.append(
            np.concatenate(
                [
                    *(shown.head_rotation, shown.head_translation),
                    *(shown.gaze.ravel(), shown.expression),
                ],
                dtype=np.float64,
            )
        )
    figures: dict[str, Any] = {
        "frames": len(frames),
        "pixels_per_unit": float(portrait.geometry.unit_px),
        **sums.means(),
        "still": still_sums.means(),
        "fit_error_units_p50": capture.report()["fit_error_units_p50"],
    }
    if back:
        figures["retracked"] = _retracked(np.array(asked), np.array(back))
    return Reenactment(figures, pairs, capture)


def _compare(sums: _Sums, picture: UInt8Array, real: UInt8Array, face: Mask) -> None:
    sums.add(
        psnr_db=psnr(picture, real),
        ssim=ssim(picture, real),
        face_psnr_db=psnr(picture, real, face),
        face_ssim=ssim(picture, real, face),
    )


def _apart(a: Float64Array, b: Float64Array, rows: Any) -> float:
    return float(np.hypot(*(a[rows] - b[rows]).T).mean())


def _retracked(asked: Float64Array, back: Float64Array) -> dict[str, float]:
    error = back - asked
    rms = np.sqrt(np.nanmean(error**2, axis=0))
    turn, shift, gaze, expression = np.split(rms, [3, 6, 10])
    return {
        "yaw_degrees": float(np.degrees(turn[0])),
        "pitch_degrees": float(np.degrees(turn[1])),
        "roll_degrees": float(np.degrees(turn[2])),
        "shift_units": float(np.sqrt((shift**2).mean())),
        "gaze_degrees": float(np.degrees(np.sqrt((gaze**2).mean()))),
        "blink": float(expression[[0, 7]].mean()),
        "mouth_coefficients": float(np.sqrt((expression[list(_JAW_AND_LIPS)] ** 2).mean())),
    }
