"""Controls between the wire and the domain; every field from outside is checked here."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import control_pb2
from avatar_service.motion.control_checks import check_controls
from avatar_service.signals import Background, Controls

MAX_GAZE_YAW: Final = 1.2
MAX_GAZE_PITCH: Final = 0.8
LOOK_AT_RANGE: Final = 100.0
LOOK_AT_MIN_Z: Final = 0.5
MAX_EMOTION_SUM: Final = 2.0

_PLAIN_FIELDS: Final = (
    "distance",
    "head_motion",
    "expression",
    "speaking_style",
    "motion_model",
    "blink_rate",
    "idle",
    "badge",
)
_BACKGROUNDS: Final = {
    control_pb2.BACKGROUND_MODE_KEEP: Background.KEEP,
    control_pb2.BACKGROUND_MODE_TRANSPARENT: Background.TRANSPARENT,
    control_pb2.BACKGROUND_MODE_COLOR: Background.COLOR,
}
_MODES: Final = {background: mode for mode, background in _BACKGROUNDS.items()}


def apply_controls(now: Controls, change: control_pb2.Controls) -> Controls:
    """Return `now` with the fields present in `change` replaced.

    Raises INVALID_FIELD and UNSPECIFIED_ENUM; nothing of a wrong change applies.
    """
    fields: dict[str, Any] = {}
    for name in _PLAIN_FIELDS:
        if change.HasField(name):
            fields[name] = getattr(change, name)
    if change.HasField("seed"):
        fields["seed"] = change.seed
    gaze = change.WhichOneof("gaze")
    if gaze is not None:
        fields.update(_gaze_fields(change, gaze))
    if change.HasField("emotion"):
        fields["emotion"] = _emotion(change.emotion)
    if change.HasField("background"):
        fields.update(_background_fields(change.background))
    changed = replace(now, **fields)
    check_controls(changed)
    return changed


def controls_message(controls: Controls) -> control_pb2.Controls:
    """Write controls down with every field present."""
    red, green, blue = controls.background_color
    message = control_pb2.Controls(
        distance=controls.distance,
        emotion=control_pb2.EmotionOffset(weights=dict(controls.emotion)),
        head_motion=controls.head_motion,
        expression=controls.expression,
        speaking_style=controls.speaking_style,
        blink_rate=controls.blink_rate,
        idle=controls.idle,
        motion_model=controls.motion_model,
        background=control_pb2.Background(
            mode=_MODES[controls.background], red=red, green=green, blue=blue
        ),
        badge=controls.badge,
        seed=controls.seed,
    )
    if controls.gaze is not None:
        yaw, pitch = controls.gaze
        message.gaze_direction.CopyFrom(
            control_pb2.GazeDirection(yaw_radians=yaw, pitch_radians=pitch)
        )
    elif controls.look_at is not None:
        x, y, z = controls.look_at
        message.look_at.CopyFrom(control_pb2.LookAtPoint(x=x, y=y, z=z))
    else:
        message.free_gaze.CopyFrom(control_pb2.FreeGaze())
    return message


def _gaze_fields(change: control_pb2.Controls, kind: str) -> dict[str, Any]:
    if kind == "gaze_direction":
        direction = change.gaze_direction
        yaw, pitch = direction.yaw_radians, direction.pitch_radians
        _check("gaze_direction.yaw_radians", yaw, -MAX_GAZE_YAW, MAX_GAZE_YAW)
        _check("gaze_direction.pitch_radians", pitch, -MAX_GAZE_PITCH, MAX_GAZE_PITCH)
        return {"gaze": (yaw, pitch), "look_at": None}
    if kind == "look_at":
        point = change.look_at
        _check("look_at.x", point.x, -LOOK_AT_RANGE, LOOK_AT_RANGE)
        _check("look_at.y", point.y, -LOOK_AT_RANGE, LOOK_AT_RANGE)
        _check("look_at.z", point.z, LOOK_AT_MIN_Z, LOOK_AT_RANGE)
        return {"gaze": None, "look_at": (point.x, point.y, point.z)}
    return {"gaze": None, "look_at": None}


def _emotion(offset: control_pb2.EmotionOffset) -> dict[str, float]:
    weights = dict(offset.weights)
    for name, weight in weights.items():
        _check(f"emotion.{name[:40]}", weight, 0.0, 1.0)
    _check("emotion (sum)", math.fsum(weights.values()), 0.0, MAX_EMOTION_SUM)
    return weights


def _background_fields(message: control_pb2.Background) -> dict[str, Any]:
    if message.mode not in _BACKGROUNDS:
        raise AvatarError(
            Reason.UNSPECIFIED_ENUM,
            f"background.mode is {message.mode}; KEEP, TRANSPARENT or COLOR",
            field="background.mode",
        )
    background = _BACKGROUNDS[message.mode]
    if background is not Background.COLOR:
        return {"background": background}
    for name in ("red", "green", "blue"):
        _check(f"background.{name}", getattr(message, name), 0, 255)
    return {
        "background": background,
        "background_color": (message.red, message.green, message.blue),
    }


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise AvatarError(
            Reason.INVALID_FIELD, f"{name} is {value:g}; {low:g} to {high:g} is allowed", field=name
        )
