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
    seal = 1 - (1 - np.clip(rows[..., CLOSURE], 0.0, 1.0)) ** _SEAL_EASE
    teeth = rows[..., LABIODENTAL]
    rounding, funnel = rows[..., ROUNDING] * lip_gain, rows[..., FUNNEL] * lip_gain
    spread, tongue = rows[..., SPREAD] * lip_gain, rows[..., TONGUE]
    free = 1 - seal
    bare = free * (1 - teeth)  # how far the lips may part
    jaw = jaw_gain * np.maximum(rows[..., JAW] - _JAW_AT_REST, 0.0)
    opening = jaw * bare * lip_gain
    narrow = np.clip(1 - 0.7 * rounding - 0.3 * funnel, 0.0, 1.0)

    out = np.zeros((*rows.shape[:-1], NUM_EXPRESSIONS), np.float32)
    out[..., _I["jawOpen"]] = _JAW_GAIN * jaw * (1 - 0.35 * teeth)
    out[..., _I["jawForward"]] = 0.10 * funnel * free
    out[..., _I["mouthClose"]] = seal * (_SEAL_SURPLUS * out[..., _I["jawOpen"]] + _SEAL_MARGIN)
    out[..., _I["mouthRollLower"]] = 0.22 * seal + 0.55 * teeth * free
    out[..., _I["mouthRollUpper"]] = 0.18 * seal
    out[..., _I["mouthShrugLower"]] = 0.06 * seal + 0.12 * teeth * free
    out[..., _I["mouthPucker"]] = 0.72 * rounding * (1 - 0.4 * seal)
    out[..., _I["mouthFunnel"]] = 0.50 * funnel * free
    stretch = 0.30 * spread * (1 - 0.8 * np.minimum(rounding, 1.0))
    grin = (0.10 * spread + smile) * np.clip(1 - 0.9 * rounding - 0.5 * funnel, 0.0, 1.0)
    parted = np.clip(jaw / _PARTED_JAW, 0.0, 1.0) * bare * narrow
    lower = 0.55 * opening * narrow + (0.14 + 0.16 * spread) * parted
    upper = 0.20 * opening * narrow + (0.04 + 0.08 * spread) * parted + 0.04 * funnel * bare
    upper = upper + 0.38 * teeth * free
    for side in ("Left", "Right"):
        out[..., _I["mouthPress" + side]] = 0.30 * seal
        out[..., _I["mouthStretch" + side]] = stretch
        out[..., _I["mouthSmile" + side]] = grin
        out[..., _I["mouthDimple" + side]] = 0.10 * spread * free
        out[..., _I["mouthLowerDown" + side]] = lower
        out[..., _I["mouthUpperUp" + side]] = upper
    # The tip shows between the teeth only where they are apart.
    out[..., _I["tongueOut"]] = 0.25 * tongue * bare * np.clip(jaw / 0.1, 0.0, 1.0)
    return np.clip(out, 0.0, EXPRESSION_MAX)


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
