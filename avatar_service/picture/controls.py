"""Controls judged on pixels: render a sweep, track the pictures, compare with what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.picture.gaze_reading import GazeReading
from avatar_service.picture.lid_opening import LidReading
from avatar_service.picture.pose_reading import PoseReader
from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.portrait.portrait import Portrait
from avatar_service.schema import CAMERA_DISTANCE_UNITS, EXPRESSION_INDEX
from avatar_service.signals import MotionFrame
from avatar_service.tracking.capture import FaceFitter, PictureFit
from avatar_service.tracking.face_watch import FaceWatch

STEPS: Final = 13
_EYE: Final = 0.001
"""A gaze of exactly zero would be read from eyeLook*, degrees."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control.

    Attributes:
        name: of the metric.
        low, high: of the sweep.
        make: value -> latent.
        read: what the tracker saw -> value, in the same unit.
    """

    name: str
    low: float
    high: float
    make: Callable[[float], MotionFrame]
    read: Callable[[PictureFit], float]


def _opening(fit: PictureFit) -> float:
    return float(fit.opening.mean())


def _coefficient(name: str) -> Callable[[PictureFit], float]:
    rows = [EXPRESSION_INDEX[name + side] for side in ("Left", "Right")]
    return lambda fit: float(fit.expression[rows].mean())


CONTROLS: Final = (
    Control(
        "yaw_degrees",
        *(-18, 18),
        lambda v: pose_frame(turn=(v, 0, 0)),
        lambda fit: float(np.degrees(fit.rotation[0])),
    ),
    Control(
        "pitch_degrees",
        *(-14, 14),
        lambda v: pose_frame(turn=(0, v, 0)),
        lambda fit: float(np.degrees(fit.rotation[1])),
    ),
    Control(
        "roll_degrees",
        *(-18, 18),
        lambda v: pose_frame(turn=(0, 0, v)),
        lambda fit: float(np.degrees(fit.rotation[2])),
    ),
    Control(
        "distance",
        *(0.75, 1.2),
        lambda v: pose_frame(shift=(0, 0, (1 - v) * CAMERA_DISTANCE_UNITS)),
        lambda fit: float(1 - fit.translation[2] / CAMERA_DISTANCE_UNITS),
    ),
    Control(
        "gaze_yaw_degrees",
        *(-20, 20),
        lambda v: pose_frame(gaze=(v, _EYE)),
        lambda fit: float(np.degrees(np.nanmean(fit.gaze[:, 0]))),
    ),
    Control(
        "gaze_pitch_degrees",
        *(-12, 12),
        lambda v: pose_frame(gaze=(_EYE, v)),
        lambda fit: float(np.degrees(np.nanmean(fit.gaze[:, 1]))),
    ),
    # What is asked is the share of the lids' opening that is left.
    Control("lid_opening_tracked", *(0.0, 1.0), lambda v: pose_frame(eyeBlink=1 - v), _opening),
    Control("blink", *(0.0, 1.0), lambda v: pose_frame(eyeBlink=v), _coefficient("eyeBlink")),
)

_GAZE_AXES: Final = {"gaze_yaw_degrees": 0, "gaze_pitch_degrees": 1}


def measure_controls(portrait: Portrait, steps: int = STEPS) -> dict[str, dict[str, float]]:
    """Sweep every control in steps and regress what is tracked on what was asked.

    The head's pose is read from skin alone (pose_reading.py), the lids' opening from the eyeball
    that shows between them (lid_opening.py), gaze between the lid margins as they were drawn
    (gaze_reading.py); blinks as `avatar track` reads them.

    Returns:
        By control: slope (goal .95 to 1.05), residual (standard deviation about the line, in the
        control's unit) and offset (tracked at the sweep's middle less asked); for the head's
        angles also landmarks_slope, what the landmark model alone believes to see; for gaze also
        tracked_slope, what `avatar track` reads.
    """
    stage = Stage(portrait)
    watch = FaceWatch()
    reference = watch.look(portrait.photo)
    if reference is None:
        return {}
    fitter = FaceFitter(portrait, reference)
    believer = FaceFitter(portrait, reference, with_skin=False)
    reader = PoseReader(fitter, stage.picture(pose_frame()))
    lids = LidReading(stage)
    openings = np.linspace(0.0, 1.0, steps)
    result = {
        "lid_opening": _figures(list(openings), [lids.opening(1 - float(v)) for v in openings])
    }
    gaze = GazeReading(stage)
    for control in CONTROLS:
        asked, seen, believed = [], [], []
        for value in np.linspace(control.low, control.high, steps):
            picture = stage.picture(control.make(float(value)))
            face = watch.look(picture)
            if face is None:
                continue
            tracked = control.read(fitter.fit(face, picture, reader.read))
            if not np.isfinite(tracked):
                continue
            asked.append(float(value))
            seen.append(tracked)
            believed.append(control.read(believer.fit(face, picture)))
        if len(asked) < 3:
            continue
        result[control.name] = _figures(asked, seen)
        if control.name in ("yaw_degrees", "pitch_degrees", "roll_degrees", "distance"):
            result[control.name]["landmarks_slope"] = _line(asked, believed)[0]
        if control.name in _GAZE_AXES:
            tracked_slope = result[control.name]["slope"]
            result[control.name] = _read_gaze(gaze, control, steps)
            result[control.name]["tracked_slope"] = tracked_slope
    return result


def _read_gaze(gaze: GazeReading, control: Control, steps: int) -> dict[str, float]:
    asked = [float(value) for value in np.linspace(control.low, control.high, steps)]
    seen = [float(gaze.gaze(control.make(v))[_GAZE_AXES[control.name]]) for v in asked]
    pairs = [(a, s) for a, s in zip(asked, seen, strict=True) if np.isfinite(s)]
    return _figures([a for a, _ in pairs], [s for _, s in pairs])


def _figures(asked: list[float], seen: list[float]) -> dict[str, float]:
    slope, residual, offset = _line(asked, seen)
    return {"slope": slope, "residual": residual, "offset": offset}


def _line(asked: list[float], seen: list[float]) -> tuple[float, float, float]:
    x, y = np.array(asked), np.array(seen)
    slope, start = np.polyfit(x, y, 1)
    middle = x.mean()
    offset = slope * middle + start - middle
    return float(slope), float(np.std(y - slope * x - start)), float(offset)
