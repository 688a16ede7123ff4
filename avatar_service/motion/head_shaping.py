"""The spectrum of the transformer's head, set after training.

A network taught by one calm man has his amplitudes and too little of the slow movement (0.2 to
1.8 Hz) in which heads of real video do most of their turning. A fixed filter gives the bands the
size that several real speakers have, and leaves what happens when to the network.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_service.motion.easing import TICK_SECS, FloatArray
from avatar_service.motion.head import HeadTick

_DRIFT_HZ: Final = 0.25
_SLOW_HZ: Final = 0.78
_SLOW_Q: Final = 0.5


def _low_shelf(hz: float, gain_db: float) -> FloatArray:
    """(2, 3) numerator and denominator of a low shelf of slope 1 (Bristow-Johnson's cookbook)."""
    a, omega = 10 ** (gain_db / 40), 2 * math.pi * hz * TICK_SECS
    cos, root = math.cos(omega), math.sqrt(2 * a) * math.sin(omega)
    top = [a * (a + 1 - (a - 1) * cos + root), 2 * a * (a - 1 - (a + 1) * cos),
           a * (a + 1 - (a - 1) * cos - root)]  # fmt: skip
    bottom = [a + 1 + (a - 1) * cos + root, -2 * (a - 1 + (a + 1) * cos),
              a + 1 + (a - 1) * cos - root]  # fmt: skip
    return np.array([top, bottom]) / bottom[0]


def _peak(hz: float, q: float, gain_db: float) -> FloatArray:
    """(2, 3) numerator and denominator of a peaking filter (the same source)."""
    a, omega = 10 ** (gain_db / 40), 2 * math.pi * hz * TICK_SECS
    cos, alpha = math.cos(omega), math.sin(omega) / (2 * q)
    bottom = [1 + alpha / a, -2 * cos, 1 - alpha / a]
    return np.array([[1 + alpha * a, -2 * cos, 1 - alpha * a], bottom]) / bottom[0]


class HeadShaping:
    """Streaming filter of the head's sway; step() once a tick, from rest."""

    def __init__(self, drift_db: float, slow_db: float) -> None:
        """Raise what is slower than 0.25 Hz, and what lies around 0.8 Hz; 0 changes nothing."""
        self._sections = (
            _low_shelf(_DRIFT_HZ, drift_db),
            _peak(_SLOW_HZ, _SLOW_Q, slow_db),
        )
        self._kept = np.zeros((len(self._sections), 2, 2, 6))

    def step(self, sway: HeadTick) -> HeadTick:
        """Shape one tick's pose and rates."""
        line = np.stack([sway.value, sway.rate])  # (2, 6): both pass the same filter
        for (top, bottom), kept in zip(self._sections, self._kept, strict=True):
            shaped = top[0] * line + kept[0]
            kept[0] = top[1] * line - bottom[1] * shaped + kept[1]
            kept[1] = top[2] * line - bottom[2] * shaped
            line = shaped
        return HeadTick(line[0], line[1])
