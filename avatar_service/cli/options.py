"""Text of the command line into typed values; each parser answers bad input in one line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from avatar_service.errors import AvatarError, Reason
from avatar_service.schema import EMOTION_NAMES
from avatar_service.signals import Background, Controls


def _bad(option: str, value: str, allowed: str) -> AvatarError:
    return AvatarError(
        Reason.INVALID_FIELD, f"{option} {value!r}: {allowed}", field=option.lstrip("-")
    )


def _number(option: str, value: str, text: str, allowed: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _bad(option, value, allowed) from None
    if not math.isfinite(number):
        raise _bad(option, value, allowed)
    return number


def parse_emotion(values: list[str]) -> dict[str, float]:
    """Turn ["happy:0.6", "sad"] into weights by name; without a weight it is 1.

    Raises:
        AvatarError: INVALID_FIELD for an unknown name or a weight outside 0..1.
    """
    weights: dict[str, float] = {}
    for value in ",".join(values).split(","):
        if not value.strip():
            continue
        name, _, weight_text = value.strip().partition(":")
        allowed = f"NAME or NAME:WEIGHT, NAME one of {', '.join(EMOTION_NAMES)}, WEIGHT 0 to 1"
        weight = _number("--emotion", value, weight_text, allowed) if weight_text else 1.0
        if name not in EMOTION_NAMES or not 0 <= weight <= 1:
            raise _bad("--emotion", value, allowed)
        weights[name] = weight
    return weights


def parse_gaze(value: str | None) -> tuple[float, float] | None:
    """Turn "YAW,PITCH" in degrees (camera frame) into radians; None means free gaze.

    Raises:
        AvatarError: INVALID_FIELD.
    """
    if value is None:
        return None
    allowed = "YAW,PITCH in degrees, each -40 to 40, +yaw to the subject's left, +pitch down"
    parts = value.split(",")
    if len(parts) != 2:
        raise _bad("--gaze", value, allowed)
    yaw, pitch = (_number("--gaze", value, part, allowed) for part in parts)
    if max(abs(yaw), abs(pitch)) > 40:
        raise _bad("--gaze", value, allowed)
    return math.radians(yaw), math.radians(pitch)


def parse_background(value: str) -> tuple[Background, tuple[int, int, int]]:
    """Turn keep, transparent or #RRGGBB into the background and its colour.

    Raises:
        AvatarError: INVALID_FIELD.
    """
    black = (0, 0, 0)
    if value == "keep":
        return Background.KEEP, black
    if value == "transparent":
        return Background.TRANSPARENT, black
    match = re.fullmatch(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", value)
    if match is None:
        raise _bad("--background", value, "keep, transparent or a colour like #00B140")
    red, green, blue = (int(part, 16) for part in match.groups())
    return Background.COLOR, (red, green, blue)


def check_distinct(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Refuse outputs that would overwrite each other or an input.

    Raises:
        AvatarError: INVALID_FIELD.
    """
    taken = {path.resolve() for path in inputs if path is not None}
    for path in outputs:
        if path is None:
            continue
        if path.resolve() in taken:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"{path} would be overwritten: every output needs a name of its own",
                field="output",
            )
        taken.add(path.resolve())


def refuse_speech_options(controls: Controls, source: Path) -> None:
    """Refuse options that shape motion made from speech where the source is motion already.

    Raises:
        AvatarError: INVALID_FIELD naming the first of them.
    """
    untouched = Controls(
        background=controls.background,
        background_color=controls.background_color,
        badge=controls.badge,
        seed=controls.seed,
    )
    for field in fields(Controls):
        if getattr(controls, field.name) != getattr(untouched, field.name):
            option = field.name.replace("_", "-").replace("speaking-style", "style")
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"--{option}: shapes motion made from speech; {source.name} is motion already",
                field=option,
            )
