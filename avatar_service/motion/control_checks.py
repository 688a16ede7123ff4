"""Controls are checked at the door, before anything is loaded that moves."""

from __future__ import annotations

import math
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.generators import parts_of
from avatar_service.motion.styles import style_of
from avatar_service.schema import EMOTION_NAMES
from avatar_service.signals import Controls

MIN_DISTANCE: Final = 0.3
MAX_DISTANCE: Final = 3.0
_RANGES: Final = {
    "distance": (MIN_DISTANCE, MAX_DISTANCE),
    "head_motion": (0.0, 2.0),
    "expression": (0.0, 2.0),
    "blink_rate": (0.0, 4.0),
    "idle": (0.0, 2.0),
}
_MAX_LOOK_AT: Final = 1000.0


def check_controls(controls: Controls) -> None:
    """Raise INVALID_FIELD, naming the field, for any value out of its range.

    Ranges: distance 0.3..3; head_motion, expression and idle 0..2; blink_rate 0..4; emotion
    weights 0..1 by known names; gaze within +-pi/2; look_at finite; not both gaze and look_at.
    """
    for name, (low, high) in _RANGES.items():
        value = getattr(controls, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise _invalid(name, f"{name} is {value}; allowed: {low:g} to {high:g}")
    if controls.gaze is not None and controls.look_at is not None:
        raise _invalid("look_at", "gaze and look_at exclude each other; give one of them")
    if controls.gaze is not None and not all(
        math.isfinite(angle) and abs(angle) <= math.pi / 2 for angle in controls.gaze
    ):
        raise _invalid("gaze", f"gaze is {controls.gaze} rad; allowed: -pi/2 to pi/2")
    if controls.look_at is not None and not all(
        math.isfinite(x) and abs(x) <= _MAX_LOOK_AT for x in controls.look_at
    ):
        raise _invalid(
            "look_at", f"look_at is {controls.look_at}; allowed: finite, within {_MAX_LOOK_AT:g}"
        )
    for name, weight in controls.emotion.items():
        if name not in EMOTION_NAMES:
            known = ", ".join(EMOTION_NAMES)
            raise _invalid("emotion", f"unknown emotion {name!r}; known: {known}")
        if not (math.isfinite(weight) and 0 <= weight <= 1):
            raise _invalid("emotion", f"emotion {name} is {weight}; allowed: 0 to 1")
    style_of(controls.speaking_style)
    parts_of(controls.motion_model)


def _invalid(field: str, message: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FIELD, message, field=field)
