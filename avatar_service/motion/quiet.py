"""What the level of the sound says beside the network: is it at its noise floor, are gaps heard.

The network hears phones, not loudness; in a crowd's murmur or an old recording's hiss it doubts
whether somebody speaks, and whether lips have met. A level that stays at the floor for longer than
any stop consonant is a pause. And a voice in a dry, silent room falls by 10 dB and more from one
20 ms step to the next when the lips meet; noise fills these gaps and rooms smear them, the
network's curves sink with them, and less must do as proof of a closure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

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
_VOICE_SHARE: Final = 0.85
_VOICE_STEPS: Final = 25
"""The voice's level is what so much of the last two seconds stays below, once half a second of it
was heard."""
_FAR_BELOW_DB: Final = 25.0
"""So far below the voice nobody speaks: the hiss that a gate lets through around words, the breath
after them. At 22 dB the first f and v of a soft speaker are taken for it."""
_FALL_STEPS: Final = 100
"""Two seconds of sound above the floor."""
_FEWEST_FALLS: Final = 25
"""Half a second of it, before which the sound counts as clear."""
_STEEP_SHARE: Final = 0.95
_CLEAR_DB: Final = 8.5
_MASKED_DB: Final = 5.5
"""Steepest falls of clear and of masked speech: medians of 9 to 14 dB in clean readings by three
voices, 6 to 8 with noise 10 dB below them, 5 to 6.5 in a room of 400 ms."""


class HeardLevel(NamedTuple):
    """What the level says at one 20 ms step.

    Attributes:
        quiet_steps: for how many steps, this one included, the sound has been at its floor or far
            below the voice.
        clarity: 1 where gaps in the speech are heard as gaps, 0 where noise or a room fills them.
    """

    quiet_steps: int
    clarity: float


class LevelTracker:
    """Follows the level of one stream."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._levels_db: deque[float] = deque(maxlen=_FLOOR_STEPS)
        self._falls_db: deque[float] = deque(maxlen=_FALL_STEPS)
        self._quiet_steps = 0

    def hear(self, mels: Float32Array) -> list[HeardLevel]:
        """Hear some steps.

        Args:
            mels: (steps, 2, 80) log-mel frames of audio.mel.

        Returns:
            What the level says at each of them.
        """
        power = np.exp(mels[:, :, _BANDS]).mean(axis=(1, 2))
        return [self._step(level) for level in (_DB_PER_NEPER_POWER * np.log(power)).tolist()]

    def _step(self, level_db: float) -> HeardLevel:
        before_db = self._levels_db[-1] if self._levels_db else level_db
        was_quiet = self._quiet_steps > 0
        self._levels_db.append(level_db)
        is_quiet = level_db < self._quiet_db()
        self._quiet_steps = self._quiet_steps + 1 if is_quiet else 0
        if not was_quiet:
            self._falls_db.append(max(0.0, before_db - level_db))
        return HeardLevel(self._quiet_steps, self._clarity())

    def _quiet_db(self) -> float:
        heard_db = sorted(self._levels_db)
        floor_db = heard_db[0] + _QUIET_DB
        if len(heard_db) < _VOICE_STEPS:
            return floor_db
        return max(floor_db, _quantile(heard_db, _VOICE_SHARE) - _FAR_BELOW_DB)

    def _clarity(self) -> float:
        if len(self._falls_db) < _FEWEST_FALLS:
            return 1.0
        steep_db = _quantile(sorted(self._falls_db), _STEEP_SHARE)
        return min(max((steep_db - _MASKED_DB) / (_CLEAR_DB - _MASKED_DB), 0.0), 1.0)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]
