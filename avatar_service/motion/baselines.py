"""Two simple ways to move a mouth, as lower bounds beside the trained one in the benchmark."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.motion.lip_shapes import lip_shapes
from avatar_service.motion.metrics import speech_envelope
from avatar_service.motion.visemes import JAW, NUM_ARTICULATORS, SHAPES, VISEMES, PhoneShape
from avatar_service.signals import Float32Array

_LOUD_PERCENTILE: Final = 95
_FULL_JAW: Final = 0.6
_SAID_BY: Final = {
    "sil": "SIL", "PP": "P", "FF": "F", "TH": "TH", "DD": "D", "kk": "K", "CH": "CH", "SS": "S",
    "nn": "N", "RR": "R", "aa": "AA", "E": "EH", "ih": "IH", "oh": "AO", "ou": "UW",
}  # fmt: skip
"""A phone that looks like each viseme."""


def energy_jaw(samples: Float32Array) -> Float32Array:
    """Open the jaw with the loudness, as the simplest game characters do.

    Args:
        samples: (n,) float32, 16 kHz.

    Returns:
        (n // 320 + 1, 52) coefficients every 20 ms.
    """
    envelope = speech_envelope(samples)
    loud = float(np.percentile(envelope, _LOUD_PERCENTILE)) or 1.0
    rows = np.zeros((len(envelope), NUM_ARTICULATORS), np.float32)
    rows[:, JAW] = _FULL_JAW * np.clip(envelope / loud, 0, 1)
    return lip_shapes(rows)


def viseme_lookup(visemes: np.ndarray) -> Float32Array:
    """Show one fixed mouth per viseme, without coarticulation.

    Args:
        visemes: (steps,) index into visemes.VISEMES.

    Returns:
        (steps, 52) coefficients.
    """
    table = np.array([_mouth(SHAPES[_SAID_BY[name]]) for name in VISEMES], np.float32)
    return lip_shapes(table[np.asarray(visemes, np.int64)])


def _mouth(shape: PhoneShape) -> list[float]:
    """The articulators of a phone held still, order of visemes.ARTICULATORS."""
    sealed, toothed = float(shape.seal_hold > 0), float(shape.labiodental_hold > 0)
    return [
        *(shape.jaw, sealed, shape.rounding, shape.funnel),
        *(shape.spread, toothed, shape.tongue),
    ]
