"""How long the sound has been down at its own noise floor.

The network hears phones, not loudness; in a crowd's murmur or an old recording's hiss it doubts
whether somebody speaks. A level that stays at the floor for longer than any stop consonant is a
pause.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from avatar_service.signals import Float32Array

_BANDS: Final = slice(4, 60)
"""Mel bands of roughly 200 to 4000 Hz, where speech is."""
_DB_PER_NEPER_POWER: Final = 10.0 / float(np.log(10.0))
_FLOOR_STEPS: Final = 100
"""The floor is the lowest level of the last two seconds (minimum statistics, Martin 2001): the
stops of running speech come down to it."""
_QUIET_DB: Final = 6.0
"""A stationary noise stays within so much of its lowest step."""


class QuietTracker:
    """Counts steps at the noise floor of one stream."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._levels_db: deque[float] = deque(maxlen=_FLOOR_STEPS)
        self._steps = 0

    def hear(self, mels: Float32Array) -> list[int]:
        """Hear some steps.

        Args:
            mels: (steps, 2, 80) log-mel frames of audio.mel.

        Returns:
            For how many steps, this one included, the sound has been at its floor; of each step.
        """
        power = np.exp(mels[:, :, _BANDS]).mean(axis=(1, 2))
        return [self._step(level) for level in (_DB_PER_NEPER_POWER * np.log(power)).tolist()]

    def _step(self, level_db: float) -> int:
        self._levels_db.append(level_db)
        is_quiet = level_db < min(self._levels_db) + _QUIET_DB
        self._steps = self._steps + 1 if is_quiet else 0
        return self._steps
