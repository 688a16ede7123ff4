"""The head keeps time with the voice: it moves on the loud syllables and lingers between them.

Who generates the sway knows phrases and accents, not at which moment of a movement the syllable
falls. So time itself is bent: what the head does is passed faster where the voice is louder than
on average, slower between two syllables. Poses, their spread and their order stay what they were.
The stroke of a gesture, its fastest part, goes with the stressed vowel, and hands and head wait for
it (McNeill 1992; McClave 2000; Graf et al. 2002).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.motion.easing import TICK_SECS, hermite
from avatar_service.motion.head import HeadTick

_SPEED_PER_PULSE: Final = 1.7
_SLOWEST: Final = 0.5
_FASTEST: Final = 1.6
_BEHIND_SECS: Final = 0.14
"""What is drawn elsewhere can be hurried only if it lies behind: by this on average."""
_MOST_BEHIND_SECS: Final = 0.32
_RETURN_SECS: Final = 1.0
"""Time constant with which a lead or a lag is made up for."""
_REST: Final = HeadTick(np.zeros(6), np.zeros(6))


def tempo_of(pulse: float, strength: float) -> float:
    """Tell how fast time runs for the head.

    Args:
        pulse: see rhythm.Beat.pulse.
        strength: 0 keeps no time, 1 does as a neutral speaker.

    Returns:
        0.5 to 1.6, 1 on average.
    """
    return min(_FASTEST, max(_SLOWEST, 1 + _SPEED_PER_PULSE * strength * pulse))


class Entrainment:
    """Streaming: takes the sway drawn for a tick, gives the sway to be shown at its end."""

    def __init__(self) -> None:
        self._drawn = [_REST] * (round(_MOST_BEHIND_SECS / TICK_SECS) + 2)  # newest last
        self._behind_secs = _BEHIND_SECS
        self._speed = 1.0

    def step(self, sway: HeadTick, tempo: float) -> HeadTick:
        """Advance one tick.

        Args:
            sway: pose and rates drawn for the tick's end.
            tempo: see tempo_of.
        """
        self._drawn = [*self._drawn[1:], sway]
        speed = tempo + (self._behind_secs - _BEHIND_SECS) / _RETURN_SECS
        behind = self._behind_secs - TICK_SECS * ((self._speed + speed) / 2 - 1)
        if not 0 <= behind <= _MOST_BEHIND_SECS:  # the end of what there is: go on evenly
            behind, speed = min(_MOST_BEHIND_SECS, max(0.0, behind)), 1.0
        self._behind_secs, self._speed = behind, speed
        num_ticks, share = divmod(behind / TICK_SECS, 1.0)
        before, after = self._drawn[-2 - int(num_ticks) :][:2]
        value = hermite(1 - share, TICK_SECS, before.value, before.rate, after.value, after.rate)
        rate = share * before.rate + (1 - share) * after.rate
        return HeadTick(value, speed * rate)
