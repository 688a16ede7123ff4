"""From the network's soft curves to seals that close, hold and open, and a mouth that rests.

A 20 ms step of a network is unsure about lip closures; shown as it is, the lips would hover half
closed. A seal is therefore decided with hysteresis, then drawn with 40 ms ramps and a length
within limits. Everything is causal: step k of the output needs no input after step k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.motion.coarticulation import JAW_PER_SEC, PARTING, PARTING_PER_SEC
from avatar_service.motion.visemes import CLOSURE, JAW, LABIODENTAL, SHAPES
from avatar_service.signals import Float32Array

_RAMP_PER_STEP: Final = 0.5
"""40 ms from open to sealed at 20 ms a step."""
_PARTING_PER_STEP: Final = PARTING_PER_SEC * 0.02
"""The first step of a release brings the lips to PARTING, three more open them."""
_JAW_PER_STEP: Final = JAW_PER_SEC * 0.02
_NEAR: Final = 0.4
"""Contact of lips that nearly meet: what viewers take for no closure, and for no wide mouth."""


@dataclass(frozen=True, slots=True)
class SealLimits:
    """When a seal begins and ends.

    Attributes:
        begin: level of the curve at which the lips set off, in clear speech.
        end: level under which they part again.
        min_steps: fewest steps decided as sealed (the first of them is the ramp).
        max_steps: most; None leaves the length to the curve.
        gap_steps: steps after a seal in which no other begins.
    """

    begin: float = 0.5
    end: float = 0.3
    min_steps: int = 4
    max_steps: int | None = 7
    gap_steps: int = 2


class Seal:
    """One contact (lip on lip, or lip on teeth) of one stream."""

    def __init__(self, limits: SealLimits) -> None:
        self._limits = limits
        self.reset()

    def reset(self) -> None:
        """Open at once, and forget."""
        self._value = 0.0
        self._proof = 0.0  # highest level of this closure
        self._closed_steps = 0
        self._open_steps = 1 << 30

    def step(self, level: float, sure: float = 0.0) -> float:
        """Advance one step.

        Args:
            level: of the curve, 0 and up.
            sure: level that a closure must reach once to be sealed; until then the lips only
                come near each other, and part as soon as the curve falls.

        Returns:
            The contact's next value, 0..1.
        """
        limits = self._limits
        if self._closed_steps:
            over = limits.max_steps is not None and self._closed_steps >= limits.max_steps
            fewest = limits.min_steps if self._proof >= sure else 1
            if over or (self._closed_steps >= fewest and level < limits.end):
                self._closed_steps, self._open_steps = 0, 0
            else:
                self._closed_steps += 1
        elif level >= limits.begin and self._open_steps >= limits.gap_steps:
            self._closed_steps, self._proof = 1, 0.0
        else:
            self._open_steps += 1
        if self._proof < sure <= level:
            self._closed_steps = min(self._closed_steps, 1)  # a closure lasts from its proof on
        self._proof = max(self._proof, level)
        target = 0.0
        if self._closed_steps:
            target = 1.0 if self._proof >= sure else _NEAR
        fall = _RAMP_PER_STEP if self._value > PARTING else _PARTING_PER_STEP
        self._value += min(max(target - self._value, -fall), _RAMP_PER_STEP)
        return self._value


_PAUSE_LEVEL: Final = 0.5
_PAUSE_STEPS: Final = 3
"""So many steps of silence in a row are a pause; the network knows the silence within stops, but
not that between two of them ("that dog"), where two steps would close the lips."""
_SURE_SPEECH: Final = 0.25
"""Under this probability of silence a pause is over at once."""
_SPEECH_STEPS: Final = 3
"""So many steps that are more likely speech than silence end it too; fewer are a breath."""
_SETTLE: Final = 0.38
"""Share of the way to rest left after each step of a pause (time constant 21 ms)."""
_WAKE: Final = 0.5
"""Share of the way back to speech made in each step."""
_STILL: Final = 0.01
_QUIET_STEPS: Final = 3
"""So long quiet before and up to a step (60 ms), with the look-ahead after it, is as long as the
closures of most stops; the network's word on speech still counts, see _NO_SPEECH."""
_NO_SPEECH: Final = 0.08
"""Under this probability of silence the network is sure of speech, however faint."""


class RestGate:
    """Brings the mouth to rest in pauses and lets it go when speech begins."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start in a pause."""
        self._silent_steps = self._spoken_steps = 0
        self._is_pause = True
        self._awake = 0.0

    def step(self, silence: float, quiet_steps: int = 0) -> float:
        """Decide between pause and speech for one step.

        Args:
            silence: probability that nothing is said, 0..1.
            quiet_steps: for how many steps up to this one, known to go on for the look-ahead,
                the sound has been at its noise floor or far below the voice.

        Returns:
            How awake the mouth is, 0 at rest, 1 free.
        """
        if quiet_steps >= _QUIET_STEPS and silence > _NO_SPEECH:
            silence = 1.0
        is_silent = silence > _PAUSE_LEVEL
        self._silent_steps = self._silent_steps + 1 if is_silent else 0
        self._spoken_steps = 0 if is_silent else self._spoken_steps + 1
        if self._silent_steps >= _PAUSE_STEPS:
            self._is_pause = True
        elif silence < _SURE_SPEECH or self._spoken_steps >= _SPEECH_STEPS:
            self._is_pause = False
        if self._is_pause:
            self._awake = self._awake * _SETTLE if self._awake > _STILL else 0.0
        else:
            self._awake = min(1.0, self._awake + _WAKE)
        return self._awake


_MASKED_SHARE: Final = 0.36
"""In masked speech so much of the level that clear speech asks for is a closure. There a lower
level finds far more closures at nearly as many false ones (with noise 10 dB below austen and jfk
.80 of 30, .73 at a share of .45); in clear speech it would only add false ones."""
_SURE_OVER_BEGIN: Final = 0.08
"""In clear speech a closure is sealed from so much above the level at which it begins. K and T
leave a silence like a p's, and pass for one at lower levels. The levels were chosen with the
network of the sixth cycle on austen, jfk, the prompts, LJ and slt, clean and disturbed."""
_CLEAR_POWER: Final = 3
"""Speech that is only half clear asks for hardly more than masked speech."""
_LABIODENTAL_LIMITS: Final = SealLimits(begin=0.3, end=0.2, min_steps=3, max_steps=None)
"""f and v are fainter than p b m and last as long as they sound."""


class MouthShaper:
    """Turns raw articulator rows of one stream into the rows that are shown."""

    def __init__(
        self, bilabial: SealLimits | None = None, labiodental: SealLimits | None = None
    ) -> None:
        limits = bilabial or SealLimits()
        self._begin = limits.begin
        self._bilabial = Seal(limits)
        self._labiodental = Seal(labiodental or _LABIODENTAL_LIMITS)
        self._gate = RestGate()
        self._jaw = 0.0

    def reset(self) -> None:
        """Forget the stream; the mouth is at rest."""
        self._bilabial.reset()
        self._labiodental.reset()
        self._gate.reset()
        self._jaw = 0.0

    def step(
        self,
        articulators: Float32Array,
        silence: float,
        *,
        bilabial: float = 1.0,
        quiet_steps: int = 0,
        clarity: float = 1.0,
    ) -> Float32Array:
        """Shape one step.

        Args:
            articulators: (7,) raw curves 0..1.
            silence: probability that nothing is said, 0..1.
            bilabial: probability of p, b or m, the network's other word on closures, 0..1; a
                closure is what both tell. 1 where there is no other word.
            quiet_steps: see RestGate.step.
            clarity: see quiet.HeardLevel.

        Returns:
            (7,) float32 0..1.
        """
        awake = self._gate.step(silence, quiet_steps)
        raw = articulators.tolist()
        shaped = [level * awake for level in raw]  # awake 0 is at rest, where all are 0
        proof = min(raw[CLOSURE], bilabial) / (_MASKED_SHARE + (1 - _MASKED_SHARE) * clarity)
        sure = self._begin + _SURE_OVER_BEGIN * clarity**_CLEAR_POWER
        seal = self._bilabial.step(proof if awake > 0 else 0.0, sure)
        contact = self._labiodental.step(shaped[LABIODENTAL])
        shaped[CLOSURE] = seal
        # Lips cannot be sealed and touch the teeth at once; the seal is what viewers notice.
        shaped[LABIODENTAL] = contact * (1 - seal)
        shaped[JAW] = self._jaw = min(shaped[JAW], self._jaw + _JAW_PER_STEP)
        shaped[JAW] -= 0.25 * seal * max(0.0, shaped[JAW] - _JAW_UNDER_SEAL)
        return np.array(shaped, np.float32)


_JAW_UNDER_SEAL: Final = SHAPES["P"].jaw
