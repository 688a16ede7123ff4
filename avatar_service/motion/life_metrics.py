"""Seams, blinks and obedience: figures of a track at its full rate.

Beside statistics.py (single channels against real video) and life_figures.py (rhythm with the
voice, several seeds).

Convention: tracks as in track.MotionTrack; figures that a track does not hold are NaN.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.motion.easing import FloatArray
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES

UPPER_FACE: Final = tuple(
    i for i, name in enumerate(EXPRESSION_NAMES) if name.startswith(("brow", "cheekSq", "eyeSq"))
)
_BLINK: Final = (EXPRESSION_INDEX["eyeBlinkLeft"], EXPRESSION_INDEX["eyeBlinkRight"])
_BLINK_LEVEL: Final = 0.35
_SACCADE_DEG_PER_SEC: Final = 30.0
"""Eye movements faster than this are saccades (the usual velocity threshold)."""
_SACCADE_MARGIN_SECS: Final = 0.08


def rotation_matrices(angles: FloatArray) -> FloatArray:
    """R = Ry(yaw) Rx(pitch) Rz(roll) of (N, 3) angles in radians; (N, 3, 3)."""
    (cy, cx, cz), (sy, sx, sz) = np.cos(angles.T), np.sin(angles.T)
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    about_y = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    about_x = np.array([[one, zero, zero], [zero, cx, -sx], [zero, sx, cx]])
    about_z = np.array([[cz, -sz, zero], [sz, cz, zero], [zero, zero, one]])
    return np.asarray(np.einsum("ijn,jkn,kln->nil", about_y, about_x, about_z))


def seam_ratio(track: MotionTrack, seam_nanos: int) -> float:
    """99th percentile of head and brow acceleration at block seams over that inside blocks.

    Args:
        track: of a rate that puts several frames into a block.
        seam_nanos: length of the generator's blocks, which begin at 0.
    """
    moving = np.concatenate(
        [np.degrees(track.head_rotation), 10 * track.expression[:, UPPER_FACE]], axis=1
    )
    acceleration = np.linalg.norm(np.diff(moving.astype(np.float64), n=2, axis=0), axis=1)
    step = int(np.median(np.diff(track.pts_nanos)))
    away = np.abs((track.pts_nanos[1:-1] + seam_nanos // 2) % seam_nanos - seam_nanos // 2)
    at_seam = away <= step // 2
    if at_seam.all() or not at_seam.any():
        return float("nan")
    inside = float(np.percentile(acceleration[~at_seam], 99))
    return float(np.percentile(acceleration[at_seam], 99)) / inside if inside else float("nan")


def blink_figures(track: MotionTrack) -> dict[str, float]:
    """Coefficient of variation of the blinks' intervals, and their whole length in ms."""
    closure = track.expression[:, _BLINK].astype(np.float64).mean(axis=1)
    secs = track.pts_nanos * 1e-9
    rest = float(np.median(closure))
    above = np.concatenate([[0], (closure > rest + _BLINK_LEVEL).astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(above) == 1), np.flatnonzero(np.diff(above) == -1)
    lengths = []
    for start, end in zip(starts, ends, strict=True):
        low, high = int(start), int(end) - 1
        while low > 0 and closure[low] > rest + 0.05:
            low -= 1
        while high < len(closure) - 1 and closure[high] > rest + 0.05:
            high += 1
        lengths.append(secs[high] - secs[low])
    gaps = np.diff(secs[starts])
    return {
        "blink_interval_cv": float(gaps.std() / gaps.mean()) if len(gaps) > 2 else float("nan"),
        "blink_length_ms": float(np.median(lengths)) * 1000 if lengths else float("nan"),
    }


def camera_gaze(track: MotionTrack) -> FloatArray:
    """Direction of sight in the camera frame, both eyes together; (N, 2) yaw, pitch, radians."""
    yaw, pitch = np.moveaxis(track.gaze.astype(np.float64), 2, 0)  # (N, eyes) each
    eyes = np.stack([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    sight = np.einsum(
        "nij,jn->ni", rotation_matrices(track.head_rotation.astype(np.float64)), eyes.mean(axis=2)
    )
    x, y, z = sight.T
    return np.stack([np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))], axis=1)


def gaze_error_deg(track: MotionTrack, wanted: tuple[float, float], from_secs: float) -> float:
    """Mean angle between sight and the asked direction, outside saccades and blinks, degrees.

    Args:
        track: motion under the gaze control.
        wanted: yaw, pitch in radians, camera frame.
        from_secs: time by which the gaze has arrived.
    """
    away = np.degrees(camera_gaze(track) - wanted)
    secs = track.pts_nanos * 1e-9
    speed = np.linalg.norm(np.gradient(away, secs, axis=0), axis=1)
    margin = round(_SACCADE_MARGIN_SECS * float(track.frame_rate))
    busy = (speed > _SACCADE_DEG_PER_SEC) | (track.expression[:, _BLINK].max(axis=1) > _BLINK_LEVEL)
    busy = np.convolve(busy, np.ones(2 * margin + 1), mode="same") > 0
    counted = ~busy & (secs >= from_secs)
    return float(np.linalg.norm(away[counted], axis=1).mean()) if counted.any() else float("nan")
