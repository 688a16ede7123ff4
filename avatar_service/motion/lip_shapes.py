"""Articulators -> the mouth's ARKit coefficients.

ARKit's mouthClose brings the lips together over an open jaw: the lips touch where mouthClose
equals jawOpen. Amplitudes follow tracked conversation (SAiD's statistics of ARKit coefficients on
VOCASET: jawOpen standard deviation .10, mouthPucker .10, mouthLowerDown .20, mouthUpperUp .08,
mouthPress .08, mouthStretch .07, mouthSmile .04) and the gap between the lips in video of people
talking (mean .125, 95th percentile .24 of the distance between the eyes), not the full swing of
an animator's sheet.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.jit import Scalar, kernel
from avatar_service.motion.visemes import (
    CLOSURE,
    FUNNEL,
    JAW,
    LABIODENTAL,
    NUM_ARTICULATORS,
    ROUNDING,
    SPREAD,
    TONGUE,
)
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_MAX, NUM_EXPRESSIONS
from avatar_service.signals import Float32Array

_I: Final = EXPRESSION_INDEX
_JAW_GAIN: Final = 0.74
_JAW_AT_REST: Final = 0.04
"""Articulator level up to which the lips stay together."""
_SEAL_MARGIN: Final = 0.015
_SEAL_SURPLUS: Final = 1.06
"""Press beyond touching, so that rigs with a little slack seal too."""
_SEAL_EASE: Final = 1.5
"""Lips come together fast and are slow in contact, as soft bodies are."""
_PARTED_JAW: Final = 0.08
"""Jaw from which the teeth show between lips that are neither sealed nor on the teeth: in speech
the lips touch for the bilabials alone."""


def lip_shapes(
    articulators: Float32Array,
    *,
    jaw_gain: float = 1.0,
    lip_gain: float = 1.0,
    smile: float = 0.0,
) -> Float32Array:
    """Compute the mouth of each row.

    Args:
        articulators: (..., 7) in 0..1, order of visemes.ARTICULATORS.
        jaw_gain: speaker style, factor on the jaw's opening.
        lip_gain: factor on every other lip movement; seals stay seals whatever the gains.
        smile: resting smile of the speaker, 0..1, yielding to rounded lips.

    Returns:
        (..., 52) float32 in 0..1.25, order of schema.EXPRESSION_NAMES, zero outside the mouth.

    Raises:
        AvatarError: INVALID_FIELD where the last axis is not 7.
    """
    rows = np.asarray(articulators, np.float32)
    if rows.shape[-1:] != (NUM_ARTICULATORS,):
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"articulators must have shape (..., {NUM_ARTICULATORS}), not {rows.shape}",
            field="articulators",
        )
    flat = np.ascontiguousarray(rows.reshape(-1, NUM_ARTICULATORS))
    out = np.zeros((len(flat), NUM_EXPRESSIONS), np.float32)
    _shape(flat, jaw_gain, lip_gain, smile, out)
    return out.reshape(*rows.shape[:-1], NUM_EXPRESSIONS)


_JAW_OPEN, _JAW_FORWARD = _I["jawOpen"], _I["jawForward"]
_CLOSE, _PUCKER, _FUNNEL = _I["mouthClose"], _I["mouthPucker"], _I["mouthFunnel"]
_ROLL_LOWER, _ROLL_UPPER = _I["mouthRollLower"], _I["mouthRollUpper"]
_SHRUG_LOWER, _TONGUE_OUT = _I["mouthShrugLower"], _I["tongueOut"]
_PRESS, _STRETCH, _SMILE, _DIMPLE, _LOWER_DOWN, _UPPER_UP = (
    (_I[f"mouth{name}Left"], _I[f"mouth{name}Right"])
    for name in ("Press", "Stretch", "Smile", "Dimple", "LowerDown", "UpperUp")
)


@kernel
def _share(x: Scalar) -> Scalar:
    return min(max(x, 0.0), 1.0)


@kernel
def _shape(
    rows: Float32Array, jaw_gain: float, lip_gain: float, smile: float, out: Float32Array
) -> None:
    """Fill (n, 52) zeros with the mouths of (n, 7) rows; see lip_shapes."""
    for row, face in zip(rows, out):  # noqa: B905  (kernels know no strict)
        seal = 1 - (1 - _share(row[CLOSURE])) ** _SEAL_EASE
        teeth = row[LABIODENTAL]
        rounding, funnel = row[ROUNDING] * lip_gain, row[FUNNEL] * lip_gain
        spread, tongue = row[SPREAD] * lip_gain, row[TONGUE]
        free = 1 - seal
        bare = free * (1 - teeth)  # how far the lips may part
        jaw = jaw_gain * max(row[JAW] - _JAW_AT_REST, 0.0)
        opening = jaw * bare * lip_gain
        narrow = _share(1 - 0.7 * rounding - 0.3 * funnel)

        face[_JAW_OPEN] = _JAW_GAIN * jaw * (1 - 0.35 * teeth)
        face[_JAW_FORWARD] = 0.10 * funnel * free
        face[_CLOSE] = seal * (_SEAL_SURPLUS * face[_JAW_OPEN] + _SEAL_MARGIN)
        face[_ROLL_LOWER] = 0.22 * seal + 0.55 * teeth * free
        face[_ROLL_UPPER] = 0.18 * seal
        face[_SHRUG_LOWER] = 0.06 * seal + 0.12 * teeth * free
        face[_PUCKER] = 0.72 * rounding * (1 - 0.4 * seal)
        face[_FUNNEL] = 0.50 * funnel * free
        stretch = 0.30 * spread * (1 - 0.8 * min(rounding, 1.0))
        grin = (0.10 * spread + smile) * _share(1 - 0.9 * rounding - 0.5 * funnel)
        parted = _share(jaw / _PARTED_JAW) * bare * narrow
        lower = 0.55 * opening * narrow + (0.14 + 0.16 * spread) * parted
        upper = 0.20 * opening * narrow + (0.04 + 0.08 * spread) * parted + 0.04 * funnel * bare
        upper += 0.38 * teeth * free
        for side in (0, 1):
            face[_PRESS[side]] = 0.30 * seal
            face[_STRETCH[side]] = stretch
            face[_SMILE[side]] = grin
            face[_DIMPLE[side]] = 0.10 * spread * free
            face[_LOWER_DOWN[side]] = lower
            face[_UPPER_UP[side]] = upper
        # The tip shows between the teeth only where they are apart.
        face[_TONGUE_OUT] = 0.25 * tongue * bare * _share(jaw / 0.1)
        for i in range(len(face)):
            face[i] = min(max(face[i], 0.0), EXPRESSION_MAX)


def aperture(expression: Float32Array) -> Float32Array:
    """Estimate the gap between the inner lips from coefficients alone.

    Args:
        expression: (..., 52) coefficients.

    Returns:
        (...,) float32, 1 for the gap of jawOpen = 1; 0 where the lips touch. Each shape counts
        as it moves the middle of the inner lips of this project's portrait rig.
    """
    rows = np.asarray(expression, np.float32)

    def both(name: str) -> Float32Array:
        pair = rows[..., _I[name + "Left"]] + rows[..., _I[name + "Right"]]
        return np.asarray(0.5 * pair, np.float32)

    parted = rows[..., _I["jawOpen"]] + 0.45 * (both("mouthLowerDown") + both("mouthUpperUp"))
    parted = parted + 0.45 * rows[..., _I["mouthFunnel"]]
    sealed = 0.95 * rows[..., _I["mouthClose"]] + 0.15 * rows[..., _I["mouthShrugLower"]]
    sealed = sealed + 0.05 * (rows[..., _I["mouthRollLower"]] + rows[..., _I["mouthRollUpper"]])
    sealed = sealed + 0.08 * both("mouthPress")
    return np.asarray(np.maximum(parted - sealed, 0.0), np.float32)
