"""What an Audio2Face client asks of the face, mapped onto our coefficients.

The parameters are theirs (names and ranges from their documentation); what each does to ARKit
coefficients is our reading of their one-line descriptions, stated at each. What is not mapped is
named to the client in an INFO status, never silently ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import PASCAL_NAMES
from avatar_service.schema import EXPRESSION_NAMES, NUM_EXPRESSIONS
from avatar_service.server.a2f.gen.nvidia_ace.controller.v1 import controller_pb2
from avatar_service.signals import Float32Array

FACE_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "upperFaceStrength": (0.0, 2.0),
    "lowerFaceStrength": (0.0, 2.0),
    "skinStrength": (0.0, 2.0),
    "blinkStrength": (0.0, 2.0),
    "tongueStrength": (0.0, 3.0),
    "eyelidOpenOffset": (-1.0, 1.0),
    "lipOpenOffset": (-0.2, 0.2),
    "lowerFaceSmoothing": (0.0, 0.1),
    "upperFaceSmoothing": (0.0, 0.1),
}
"""Mapped face parameters and their documented ranges; values outside are brought to the edge."""

_NEUTRAL: Final = 1.0


def _mask(*starts: str) -> Float32Array:
    return np.array([name.startswith(starts) for name in EXPRESSION_NAMES], np.float32)


_UPPER: Final = _mask("brow", "eyeSquint", "eyeWide", "cheekSquint", "noseSneer")
_LOWER: Final = _mask("jaw", "mouth", "cheekPuff")
_BLINK: Final = _mask("eyeBlink")
_WIDE: Final = _mask("eyeWide")
_TONGUE: Final = _mask("tongue")
_SKIN: Final = 1 - _mask("eyeLook", "tongue")
_LIPS_APART: Final = _mask("jawOpen", "mouthLowerDown", "mouthUpperUp")
_INDEX: Final = {name: i for i, name in enumerate(PASCAL_NAMES)}


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """One stream's settings.

    Attributes:
        strength: (52,) factors of upperFace, lowerFace, skin, blink and tongue strengths.
        eyelid_offset: -1 closed to 1 open, added to the lids.
        lip_offset: added to what parts the lips.
        smoothing_secs: (52,) time constants of the smoothing, 0 none.
        multipliers: (52,) factors by name.
        offsets: (52,) summands by name.
        clamps: whether the result is clamped to 0..1.
    """

    strength: Float32Array
    eyelid_offset: float
    lip_offset: float
    smoothing_secs: Float32Array
    multipliers: Float32Array
    offsets: Float32Array
    clamps: bool


def parse_settings(
    header: controller_pb2.AudioStreamHeader,
) -> tuple[FaceSettings, list[str]]:
    """Read a header.

    Returns:
        The settings, and one line for each thing that has no effect here.

    Raises:
        AvatarError: INVALID_FIELD for a value that is not a number.
    """
    notes: list[str] = []
    values = _face_values(header, notes)
    one = np.ones(NUM_EXPRESSIONS, np.float32)
    strength = one.copy()
    for mask, name in (
        (_UPPER, "upperFaceStrength"),
        (_LOWER, "lowerFaceStrength"),
        (_SKIN, "skinStrength"),
        (_BLINK, "blinkStrength"),
        (_TONGUE, "tongueStrength"),
    ):
        strength *= 1 + mask * np.float32(values.get(name, _NEUTRAL) - 1)
    smoothing = _LOWER * np.float32(values.get("lowerFaceSmoothing", 0.0))
    smoothing = smoothing + _UPPER * np.float32(values.get("upperFaceSmoothing", 0.0))
    shapes = header.blendshape_params
    settings = FaceSettings(
        strength=strength,
        eyelid_offset=values.get("eyelidOpenOffset", 0.0),
        lip_offset=values.get("lipOpenOffset", 0.0),
        smoothing_secs=smoothing,
        multipliers=_by_name(shapes.bs_weight_multipliers, 1.0, "multiplier", notes),
        offsets=_by_name(shapes.bs_weight_offsets, 0.0, "offset", notes),
        clamps=shapes.enable_clamping_bs_weight,
    )
    return settings, notes


def _face_values(header: controller_pb2.AudioStreamHeader, notes: list[str]) -> dict[str, float]:
    params = header.face_params
    values: dict[str, float] = {}
    unmapped = [*params.integer_params, *params.float_array_params]
    for name, value in params.float_params.items():
        _check_number(f"face parameter {name}", value)
        if name not in FACE_RANGES:
            unmapped.append(name)
            continue
        low, high = FACE_RANGES[name]
        values[name] = min(max(value, low), high)
        # The edge itself, rounded to float32 on the wire, is not outside.
        if abs(values[name] - value) > 1e-6:
            notes.append(f"face parameter {name} {value:g} was brought to {values[name]:g}")
    if unmapped:
        notes.append("face parameters without effect here: " + ", ".join(sorted(unmapped)))
    return values


def _by_name(
    given: Mapping[str, float], default: float, what: str, notes: list[str]
) -> Float32Array:
    result = np.full(NUM_EXPRESSIONS, default, np.float32)
    unknown = []
    for name, value in given.items():
        _check_number(f"blend shape {what} {name}", value)
        if name in _INDEX:
            result[_INDEX[name]] = value
        else:
            unknown.append(name)
    if unknown:
        notes.append(f"blend shape {what}s of unknown names: " + ", ".join(sorted(unknown)))
    return result


def _check_number(what: str, value: float) -> None:
    if not math.isfinite(value):
        raise AvatarError(Reason.INVALID_FIELD, f"{what} is {value}, not a number")


class FaceShaper:
    """Applies a stream's settings to its frames, in order."""

    def __init__(self, settings: FaceSettings, frame_secs: float) -> None:
        self._settings = settings
        smoothing = np.maximum(settings.smoothing_secs, 1e-6)
        # One-pole low-pass: share of the new value after one frame.
        self._share = (1 - np.exp(-frame_secs / smoothing)).astype(np.float32)
        self._smoothed: Float32Array | None = None

    def shape(self, expression: Float32Array) -> Float32Array:
        """Turn coefficients into the weights that are sent.

        Order: strengths, lid and lip offsets, smoothing; then, as their interface defines it,
        multiplier, offset, clamping.
        """
        settings = self._settings
        weights = expression * settings.strength
        if settings.eyelid_offset < 0:  # towards closed: what is still open shrinks
            weights += _BLINK * (-settings.eyelid_offset) * (1 - weights)
        elif settings.eyelid_offset > 0:
            weights += _WIDE * settings.eyelid_offset
        if settings.lip_offset:
            moved = np.maximum(weights + np.float32(settings.lip_offset), 0)
            weights = np.where(_LIPS_APART > 0, moved, weights)
        if self._smoothed is None:
            self._smoothed = weights
        self._smoothed = self._smoothed + self._share * (weights - self._smoothed)
        result = self._smoothed * settings.multipliers + settings.offsets
        if settings.clamps:
            result = np.clip(result, 0, 1)
        return result.astype(np.float32)
