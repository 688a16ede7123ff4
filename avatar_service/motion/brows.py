"""Brows, cheeks and resting mouth: stress raises the brows, the face is never quite still."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.motion.controls import EasedControls
from avatar_service.motion.easing import FloatArray, Springs
from avatar_service.motion.rhythm import Beat
from avatar_service.motion.streams import random_stream
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS

# Springs: brow flash (accents), brow level (melody, mood), frown, eye squint, smile.
_FLASH: Final = 0
_LEVEL: Final = 1
_FROWN: Final = 2
_SQUINT: Final = 3
_SMILE: Final = 4
_HZ: Final = np.array([1.9, 0.9, 0.7, 0.6, 0.35])
_DAMPING: Final = np.array([0.72, 0.8, 0.8, 0.8, 0.8])
_NOISE: Final = np.array([0.006, 0.028, 0.022, 0.020, 0.022])

_FLASH_HEIGHT: Final = 0.30
"""Brow raise of the strongest accent; raises accompany accents, not every one (Ekman 1979)."""
_FLASH_CHANCE: Final = 0.5
_FLASH_FADE: Final = 0.72
_FLASH_GAIN: Final = 0.49
"""Height that the flash spring reaches by a pull of 1 that fades by _FLASH_FADE each tick."""
_LEVEL_PER_SEMITONE: Final = 0.014


def _mixing(seed: int) -> FloatArray:
    """(5, 52) weights of the springs on the face, with this person's small asymmetry."""
    lean = random_stream(seed, "asymmetry").uniform(-0.12, 0.12, 5)
    mixing = np.zeros((5, NUM_EXPRESSIONS))

    def put(spring: int, name: str, weight: float) -> None:
        if name in EXPRESSION_INDEX:
            mixing[spring, EXPRESSION_INDEX[name]] = weight
            return
        mixing[spring, EXPRESSION_INDEX[name + "Left"]] = weight * (1 + lean[spring])
        mixing[spring, EXPRESSION_INDEX[name + "Right"]] = weight * (1 - lean[spring])

    put(_FLASH, "browOuterUp", 0.75)
    put(_FLASH, "browInnerUp", 0.9)
    put(_FLASH, "eyeWide", 0.2)
    put(_LEVEL, "browOuterUp", 0.8)
    put(_LEVEL, "browInnerUp", 1.0)
    put(_FROWN, "browDown", 1.0)
    put(_SQUINT, "eyeSquint", 1.0)
    put(_SQUINT, "cheekSquint", 0.8)
    put(_SMILE, "mouthSmile", 1.0)
    put(_SMILE, "cheekSquint", 0.5)
    return mixing


class Brows:
    """Streaming (52,) offsets beside lips and emotion; step() once a tick.

    Attributes:
        value: (52,) offsets, not yet clamped at 0.
        rate: (52,) their rates per second.
    """

    def __init__(self, seed: int) -> None:
        self._random = random_stream(seed, "brows")
        self._springs = Springs(_HZ, _DAMPING)
        self._noise = self._springs.noise_gain() * _NOISE
        self._mixing = _mixing(seed)
        self._flash_pull = 0.0
        self.value: FloatArray = np.zeros(NUM_EXPRESSIONS)
        self.rate: FloatArray = np.zeros(NUM_EXPRESSIONS)
        self.free_value: FloatArray = np.zeros(NUM_EXPRESSIONS)
        self.free_rate: FloatArray = np.zeros(NUM_EXPRESSIONS)

    def reseed(self, seed: int) -> None:
        """Draw everything that is still to come from another seed."""
        self._random = random_stream(seed, "brows")

    def step(self, beat: Beat, heard: Beat, controls: EasedControls) -> None:
        """Advance one tick."""
        self.step_free(beat, heard, controls)
        self.value = self.free_value * controls.expression
        self.rate = self.free_rate * controls.expression

    def step_free(self, beat: Beat, heard: Beat, controls: EasedControls) -> None:
        """Advance `free_value` and `free_rate`, the offsets at expression strength 1."""
        normal = self._random.standard_normal(5)
        uniform = self._random.random(4)
        speaking = beat.speaking
        life = speaking + 0.6 * controls.idle * (1 - speaking)
        target = self._noise * normal * life
        gain = controls.brows * speaking
        target[_LEVEL] += _LEVEL_PER_SEMITONE * max(-3.0, min(6.0, beat.melody)) * gain
        target[_SQUINT] += 0.05 * beat.arousal * speaking
        target[_SMILE] += controls.smile * (0.5 + 0.5 * speaking)
        if heard.speaking > 0.5 and speaking < 0.3:
            target[_LEVEL] += 0.03 * controls.idle
            target[_SMILE] += 0.03 * controls.idle
        self._flash_pull *= _FLASH_FADE
        if beat.accent > 0.3 and uniform[0] < _FLASH_CHANCE:
            height = _FLASH_HEIGHT * beat.accent * (0.3 + 0.8 * float(uniform[1])) * controls.brows
            self._flash_pull += height / _FLASH_GAIN
        target[_FLASH] += self._flash_pull
        self._springs.step(target)
        self.free_value = self._springs.value @ self._mixing
        self.free_rate = self._springs.velocity @ self._mixing
