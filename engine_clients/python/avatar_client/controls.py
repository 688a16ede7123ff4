"""Controls as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypedDict

from avatar_client.gen.avatar.v1 import control_pb2

BackgroundChoice = Literal["keep", "transparent"] | tuple[int, int, int]

_BACKGROUNDS: Final[dict[str, control_pb2.BackgroundMode.ValueType]] = {
    "keep": control_pb2.BACKGROUND_MODE_KEEP,
    "transparent": control_pb2.BACKGROUND_MODE_TRANSPARENT,
}


class ControlValues(TypedDict, total=False):
    """What can be steered; what is not given stays as it is. avatar/v1/control.proto has ranges.

    Attributes:
        gaze: (yaw, pitch) radians in the camera frame, or "free".
        look_at: point (x, y, z) in outer-eye distances, camera frame; excludes gaze.
        distance: 1 as photographed, 0.5 half as far.
        emotion: weights by name; replaces the whole emotion offset.
        head_motion: strength, 0 to 2.
        expression: strength, 0 to 2.
        speaking_style: a name of ServerInfo.speaking_styles.
        blink_rate: factor, 0 to 4.
        idle: strength of idle life, 0 to 2.
        background: "keep", "transparent" or (red, green, blue) 0 to 255.
        seed: of everything drawn at random.
        motion_model: a name of ServerInfo.motion_models.
        badge: whether pictures bear the visible badge, "AI-generated".
    """

    gaze: tuple[float, float] | Literal["free"]
    look_at: tuple[float, float, float]
    distance: float
    emotion: Mapping[str, float]
    head_motion: float
    expression: float
    speaking_style: str
    blink_rate: float
    idle: float
    background: BackgroundChoice
    seed: int
    motion_model: str
    badge: bool


def controls_message(values: ControlValues) -> control_pb2.Controls:
    """Build the message.

    Raises:
        ValueError: gaze and look_at are both given, an unknown background, a wrong type.
        TypeError: an unknown name.
    """
    unknown = values.keys() - ControlValues.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown control: {', '.join(sorted(unknown))}")
    message = control_pb2.Controls()
    if "gaze" in values and "look_at" in values:
        raise ValueError("controls: give gaze or look_at, not both")
    if "gaze" in values:
        gaze = values["gaze"]
        if gaze == "free":
            message.free_gaze.SetInParent()
        else:
            yaw, pitch = gaze
            message.gaze_direction.yaw_radians = float(yaw)
            message.gaze_direction.pitch_radians = float(pitch)
    if "look_at" in values:
        x, y, z = values["look_at"]
        message.look_at.CopyFrom(control_pb2.LookAtPoint(x=x, y=y, z=z))
    if "emotion" in values:
        message.emotion.CopyFrom(control_pb2.EmotionOffset(weights=values["emotion"]))
    if "background" in values:
        message.background.CopyFrom(_background(values["background"]))
    for name in ("distance", "head_motion", "expression", "blink_rate", "idle", "badge"):
        if name in values:
            setattr(message, name, values[name])
    if "speaking_style" in values:
        message.speaking_style = values["speaking_style"]
    if "motion_model" in values:
        message.motion_model = values["motion_model"]
    if "seed" in values:
        message.seed = values["seed"]
    return message


def _background(choice: BackgroundChoice) -> control_pb2.Background:
    if isinstance(choice, str):
        if choice not in _BACKGROUNDS:
            raise ValueError(f"background is {choice!r}; keep, transparent or (red, green, blue)")
        return control_pb2.Background(mode=_BACKGROUNDS[choice])
    red, green, blue = choice
    mode = control_pb2.BACKGROUND_MODE_COLOR
    return control_pb2.Background(mode=mode, red=red, green=green, blue=blue)
