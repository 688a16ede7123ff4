"""Emotion as offsets on the face: the EMFACS action units in ARKit coefficients.

Action units per emotion from Ekman & Friesen's EMFACS: happy 6+12, sad 1+4+15, angry 4+5+7+23,
surprised 1+2+5+26, afraid 1+2+4+5+20, disgusted 9+10+15, contemptuous a one-sided 12+14.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from avatar_service.motion.easing import FloatArray
from avatar_service.motion.rhythm import Beat
from avatar_service.schema import EMOTION_NAMES, EXPRESSION_INDEX, NUM_EMOTIONS, NUM_EXPRESSIONS

# A name without side means both sides.
_FACES: Final[Mapping[str, Mapping[str, float]]] = {
    "neutral": {},
    "happy": {
        "cheekSquint": 0.5,
        "mouthSmile": 0.66,
        "eyeSquint": 0.22,
        "mouthDimple": 0.1,
        "browOuterUp": 0.06,
    },
    "sad": {
        "browInnerUp": 0.6,
        "browDown": 0.15,
        "mouthFrown": 0.5,
        "eyeBlink": 0.14,
        "mouthShrugLower": 0.15,
        "eyeSquint": 0.08,
    },
    "angry": {
        "browDown": 0.72,
        "eyeSquint": 0.3,
        "mouthPress": 0.35,
        "noseSneer": 0.22,
        "eyeWide": 0.1,
        "jawForward": 0.08,
    },
    "surprised": {
        "browInnerUp": 0.7,
        "browOuterUp": 0.62,
        "eyeWide": 0.6,
        "jawOpen": 0.22,
    },
    "afraid": {
        "browInnerUp": 0.62,
        "browOuterUp": 0.2,
        "browDown": 0.15,
        "eyeWide": 0.5,
        "mouthStretch": 0.4,
        "jawOpen": 0.04,
    },
    "disgusted": {
        "noseSneer": 0.62,
        "mouthUpperUp": 0.35,
        "mouthFrown": 0.25,
        "browDown": 0.3,
        "eyeSquint": 0.2,
    },
    "contemptuous": {
        "mouthSmileLeft": 0.4,
        "mouthDimpleLeft": 0.45,
        "mouthPressLeft": 0.15,
        "browOuterUpLeft": 0.15,
        "eyeBlink": 0.08,
    },
}
_HEADS: Final[Mapping[str, tuple[float, float, float, float]]] = {
    # degrees of pitch and roll, units of y and z
    "sad": (4.0, 1.0, -0.03, -0.03),
    "angry": (2.5, 0.0, 0.0, 0.08),
    "surprised": (-2.0, 0.0, 0.01, -0.05),
    "afraid": (-1.0, 0.0, -0.01, -0.10),
    "disgusted": (-1.5, 1.0, 0.0, -0.06),
    "contemptuous": (-2.5, -2.0, 0.01, -0.02),
    "happy": (-0.8, 0.8, 0.0, 0.02),
}
_HAPPY: Final = EMOTION_NAMES.index("happy")
_SURPRISED: Final = EMOTION_NAMES.index("surprised")
_SUGGESTED_MAX: Final = 0.12
"""Audio alone only hints: beyond this a face that contradicts the words would show."""
_SUGGESTED_RATE: Final = 0.02
"""Share of the way per tick: about 2 s to build up."""


def _indices(name: str) -> list[int]:
    if name in EXPRESSION_INDEX:
        return [EXPRESSION_INDEX[name]]
    return [EXPRESSION_INDEX[name + "Left"], EXPRESSION_INDEX[name + "Right"]]


def _face_table() -> FloatArray:
    table = np.zeros((NUM_EMOTIONS, NUM_EXPRESSIONS))
    for emotion, shapes in _FACES.items():
        for name, weight in shapes.items():
            table[EMOTION_NAMES.index(emotion), _indices(name)] = weight
    return table


def _head_table() -> FloatArray:
    table = np.zeros((NUM_EMOTIONS, 6))
    for emotion, (pitch, roll, y, z) in _HEADS.items():
        table[EMOTION_NAMES.index(emotion)] = [0, np.radians(pitch), np.radians(roll), 0, y, z]
    return table


EMOTION_FACE: Final = _face_table()
"""(8, 52) ARKit offsets at full intensity."""
EMOTION_HEAD: Final = _head_table()
"""(8, 6) attitude of the head at full intensity: yaw, pitch, roll in radians, x, y, z in units."""


_VIGOUR: Final = {
    "happy": 0.2,
    "sad": -0.4,
    "angry": 0.3,
    "surprised": 0.1,
    "disgusted": -0.1,
    "contemptuous": -0.2,
}
_VIGOUR_ROW: Final = np.array([_VIGOUR.get(name, 0.0) for name in EMOTION_NAMES])


def vigour_of(weights: FloatArray) -> float:
    """Factor 0.5..1.5 by which (8,) feelings make head and brows move (Busso et al. 2007)."""
    return 1 + min(0.5, max(-0.5, float(weights @ _VIGOUR_ROW)))


NEUTRAL: Final = EMOTION_NAMES.index("neutral")


def felt_of(weights: FloatArray) -> float:
    """Sum of (8,) feelings but for the neutral one."""
    return float(weights.sum() - weights[NEUTRAL])


def blend_norm(weights: FloatArray) -> float:
    """Divisor for (8,) weights whose length exceeds 1: mixed feelings share one face."""
    return max(1.0, math.sqrt(weights @ weights))


class SuggestedEmotion:
    """What the voice suggests by itself: liveliness as a trace of joy or surprise."""

    def __init__(self) -> None:
        self.weights: FloatArray = np.zeros(NUM_EMOTIONS)

    def step(self, beat: Beat) -> None:
        """Follow the voice for one tick; fades in silence."""
        lively = max(0.0, beat.arousal - 0.3) * beat.speaking
        self.weights *= 1 - _SUGGESTED_RATE
        self.weights[_HAPPY] += _SUGGESTED_RATE * min(_SUGGESTED_MAX, 0.35 * lively)
        self.weights[_SURPRISED] += _SUGGESTED_RATE * min(0.5 * _SUGGESTED_MAX, 0.12 * lively)
