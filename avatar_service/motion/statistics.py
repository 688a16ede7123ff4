"""Statistics of a motion track beside those of real talking video: the calibration table.

The reference figures were measured with one landmark tracker at 25 fps on five clips of real
talking video; tracks of another rate are resampled to 25 fps first, so the figures compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.motion.easing import FloatArray
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES

BoolArray = NDArray[np.bool_]

RATE_HZ: Final = 25.0
_EYE_RADIUS_PER_WIDTH: Final = 12.0 / 30.0
"""Eyeball radius over the width of the lid opening: iris shift in eye widths per radian."""
_BLINK_LEVEL: Final = 0.35
_SACCADE_DEG: Final = 3.0
"""Smaller shifts stay below what the landmark tracker tells from noise."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One row of the table.

    Attributes:
        title: what is measured, with its unit.
        real: mean over the clips of real video; None where none was measured.
        low, high: range that counts as natural.
    """

    title: str
    real: float | None
    low: float
    high: float


REFERENCES: Final[dict[str, Reference]] = {
    "head_step_deg": Reference("head rotation between frames, deg", 0.97, 0.75, 1.2),
    "yaw_sd_deg": Reference("head yaw SD, deg", 4.0, 3.0, 6.0),
    "pitch_sd_deg": Reference("head pitch SD, deg", 3.8, 2.5, 5.0),
    "roll_sd_deg": Reference("head roll SD, deg", 2.9, 2.0, 4.0),
    "acceleration_ratio": Reference("head acceleration, p99 / median", 4.1, 3.2, 5.5),
    "blinks_per_min": Reference("blinks per minute", 33.0, 22.0, 42.0),
    "blink_half_width_ms": Reference("blink half-width, ms", 137.0, 110.0, 175.0),
    "blink_completeness": Reference("blink completeness", 0.92, 0.85, 1.0),
    "gaze_sd_eye_widths": Reference("horizontal gaze SD, eye widths", 0.017, 0.010, 0.035),
    "saccades_per_min": Reference("large saccades per minute", 4.0, 2.0, 18.0),
    "brow_sd": Reference("brow raise SD", None, 0.02, 0.12),
    "jaw_open_sd": Reference("jawOpen SD", 0.097, 0.06, 0.16),
}
"""The people in the videos address a camera (2 to 9 large saccades a minute); who talks to somebody
looks aside and back up to nine times a minute (Andrist, Mutlu & Gleicher 2013). jawOpen's SD is
that of the VOCASET speakers in ARKit coefficients; the rest is the video's."""


def motion_statistics(track: MotionTrack, is_wanted: BoolArray | None = None) -> dict[str, float]:
    """Measure a track.

    Args:
        track: at least two seconds of motion.
        is_wanted: (N,) truth values of the frames to count; None counts all.

    Returns:
        Values by the keys of REFERENCES; a figure that the track does not hold is NaN.
    """
    secs = track.pts_nanos * 1e-9
    grid = np.arange(secs[0], secs[-1], 1 / RATE_HZ)
    wanted = np.ones(len(grid), bool)
    if is_wanted is not None:
        wanted = np.interp(grid, secs, np.asarray(is_wanted, np.float64)) > 0.5

    def at(values: FloatArray) -> FloatArray:
        flat = values.reshape(len(values), -1)
        return np.stack([np.interp(grid, secs, column) for column in flat.T], axis=1)

    rotation = np.degrees(at(track.head_rotation.astype(np.float64)))
    velocity = np.diff(rotation, axis=0)
    step = np.linalg.norm(velocity, axis=1)[wanted[1:]]
    acceleration = np.linalg.norm(np.diff(velocity, axis=0), axis=1)[wanted[2:]]
    sd = rotation[wanted].std(axis=0)
    gaze = at(track.gaze.astype(np.float64)).reshape(-1, 2, 2).mean(axis=1)
    expression = track.expression.astype(np.float64)
    brow = at(expression[:, [EXPRESSION_INDEX["browOuterUpLeft"]]])[wanted]
    jaw = at(expression[:, [EXPRESSION_INDEX["jawOpen"]]])[wanted]
    minutes = max(1e-9, wanted.sum() / RATE_HZ / 60)
    return {
        "head_step_deg": float(step.mean()),
        "yaw_sd_deg": float(sd[0]),
        "pitch_sd_deg": float(sd[1]),
        "roll_sd_deg": float(sd[2]),
        "acceleration_ratio": float(
            np.percentile(acceleration, 99) / max(1e-9, float(np.median(acceleration)))
        ),
        **_blink_statistics(track, np.interp(secs, grid, wanted) > 0.5, minutes),
        "gaze_sd_eye_widths": float(gaze[wanted, 0].std() * _EYE_RADIUS_PER_WIDTH),
        "saccades_per_min": _num_saccades(track, np.interp(secs, grid, wanted) > 0.5) / minutes,
        "brow_sd": float(brow.std()),
        "jaw_open_sd": float(jaw.std()),
    }


def _blink_statistics(track: MotionTrack, wanted: BoolArray, minutes: float) -> dict[str, float]:
    lids = [EXPRESSION_NAMES.index("eyeBlink" + side) for side in ("Left", "Right")]
    closure: FloatArray = track.expression[:, lids].astype(np.float64).mean(axis=1)
    secs: FloatArray = track.pts_nanos.astype(np.float64) * 1e-9
    above = np.concatenate([[0], (closure > _BLINK_LEVEL).astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(above) == 1), np.flatnonzero(np.diff(above) == -1)
    widths, depths = [], []
    for start, end in zip(starts, ends, strict=True):
        peak = int(start) + int(np.argmax(closure[start:end]))
        if wanted[peak]:
            depths.append(float(closure[peak]))
            if 0 < peak < len(closure) - 1:  # else the clip's edge cuts it
                widths.append(_half_width(secs, closure, peak))
    return {
        "blinks_per_min": len(depths) / minutes,
        "blink_half_width_ms": float(np.mean(widths) * 1e3) if widths else float("nan"),
        "blink_completeness": float(np.mean(depths)) if depths else float("nan"),
    }


def _half_width(secs: FloatArray, closure: FloatArray, peak: int) -> float:
    """Time for which the closure stays above half its peak, edges interpolated."""
    half = closure[peak] / 2
    edges = []
    for direction in (-1, 1):
        i = peak
        while 0 < i < len(closure) - 1 and closure[i] > half:
            i += direction
        inside = i - direction
        span = closure[inside] - closure[i]
        share = (closure[inside] - half) / span if span > 0 else 0.0
        edges.append(secs[inside] + share * (secs[i] - secs[inside]))
    return float(edges[1] - edges[0])


def _num_saccades(track: MotionTrack, wanted: BoolArray) -> int:
    """Count fast shifts of gaze, beyond what compensates the head, of at least 3 degrees."""
    gaze = np.degrees(track.gaze.astype(np.float64).mean(axis=1))
    head = np.degrees(track.head_rotation.astype(np.float64)[:, :2])
    direction = gaze + head
    span = max(1, round(0.1 * float(track.frame_rate)))
    if len(direction) <= span:
        return 0
    moved = np.linalg.norm(direction[span:] - direction[:-span], axis=1)
    count, i = 0, 0
    while i < len(moved):
        if moved[i] >= _SACCADE_DEG:
            count += int(wanted[i + span])
            i += 2 * span  # the same shift, seen by the windows after it
        else:
            i += 1
    return count


def format_table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Lay statistics out beside the reference; `columns` maps a heading to motion_statistics."""
    lines = [
        f"{'statistic':36}{'real video':>12}{'natural':>16}"
        + "".join(f"{heading:>14}" for heading in columns)
    ]
    for key, reference in REFERENCES.items():
        real = "-" if reference.real is None else f"{reference.real:g}"
        span = f"{reference.low:g}..{reference.high:g}"
        cells = "".join(f"{values[key]:>14.3g}" for values in columns.values())
        lines.append(f"{reference.title:36}{real:>12}{span:>16}{cells}")
    return "\n".join(lines)
