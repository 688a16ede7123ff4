"""The rhythm of speech for life beside the lips: phrases, stressed syllables, melody, arousal.

Two scales of pauses: a phrase ends after a quarter of a second of silence; a break is any short
silence within or after it, as a comma has, or a full stop in the speech of a quick synthesiser.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from avatar_service.audio.prosody import HOP_SECS, ProsodyHop

_PHRASE_GAP_SECS: Final = 0.16
"""Inactivity that parts two phrases; with the 0.1 s by which activity lags, 0.26 s of silence.
Shorter gaps are stop consonants."""
_MIN_PHRASE_SECS: Final = 0.5
_ACCENT_REFRACTORY_SECS: Final = 0.28

_BREAK_SECS: Final = 0.1
_BREAK_DROP_DB: Final = 28.0
"""A break is silence of this length, so far below the recent peak. Of the 83 labelled pauses of at
least 0.1 s in the evaluation clips 75 have one; of the breaks told a third are stop consonants."""
_BREAK_PEAK_FALL_DB: Final = 0.08
_SILENT_DB: Final = -58.0
_MIN_SPEECH_SECS: Final = 0.5
"""Of sound since the last break."""

_EMPHASIS_REFRACTORY_SECS: Final = 0.7
_EMPHASIS_OVERDUE_SECS: Final = 1.3
_EMPHASIS_PER_SEMITONE: Final = 0.06
"""Emphasis is on the accents that stand out among their neighbours by loudness and pitch."""


_PULSE_HOPS: Final = 3

_SILENCE: Final = (ProsodyHop(-100.0, 0.0, 0.0, 0.0, 0.0),) * 2


@dataclass(frozen=True, slots=True)
class Beat:
    """What the voice did during one tick.

    Attributes:
        speaking: 0..1, rises within 0.1 s of speech, falls over 0.4 s.
        loudness: 0..1 at the syllable rate.
        melody: pitch above the speaker's own mean, semitones, smoothed; 0 while unvoiced for long.
        accent: strength 0..1 of a stressed syllable that peaked in this tick, else 0.
        is_phrase_start, is_phrase_end: a phrase began or ended in this tick.
        pause_secs: time since the last speech, 0 while speaking.
        arousal: slow average of loudness and melody swings, 0..1.
        emphasis: strength 0..1 of an accent that stands out among its neighbours, else 0.
        is_break: a break has been noticed in this tick, 0.1 s into the silence.
        resumed_secs: speech goes on in this tick after a break that was so long; else 0.
        pulse: how much louder the last three hops are than the last second, -1..1; 0 in silence.
    """

    speaking: float = 0.0
    loudness: float = 0.0
    melody: float = 0.0
    accent: float = 0.0
    is_phrase_start: bool = False
    is_phrase_end: bool = False
    pause_secs: float = 1e3
    arousal: float = 0.0
    emphasis: float = 0.0
    is_break: bool = False
    resumed_secs: float = 0.0
    pulse: float = 0.0


class Rhythm:
    """Streaming: one Beat for the hops of one tick, from what was heard so far only."""

    def __init__(self) -> None:
        self._speaking = 0.0
        self._slow_loudness = 0.0
        self._last_loudness = 0.0
        self._is_rising = False
        self._rise = 0.0
        self._typical_rise = 0.25
        self._mean_semitones: float | None = None
        self._melody = 0.0
        self._melody_swing = 1.0
        self._since_accent = 1e3
        self._pause_secs = 1e3
        self._phrase_secs = 0.0
        self._is_in_phrase = False
        self._arousal = 0.0
        self._peak_db = _SILENT_DB
        self._silence_secs = 1e3
        self._sound_secs = 0.0
        self._is_broken = True
        self._since_emphasis = 0.0
        self._typical_stress = 0.6
        self._newest = deque([0.0] * _PULSE_HOPS, _PULSE_HOPS)

    def step(self, hops: Sequence[ProsodyHop]) -> Beat:
        """Take the hops that ended in this tick; no hops are silence."""
        accent = resumed_secs = 0.0
        has_started = has_ended = is_break = False
        for hop in hops or _SILENCE:
            started, ended = self._follow_phrase(hop.activity)
            has_started, has_ended = has_started or started, has_ended or ended
            broken, resumed = self._follow_breaks(hop, ended)
            is_break, resumed_secs = is_break or broken, max(resumed_secs, resumed)
            self._follow_melody(hop.f0_hz, hop.voicing, hop.activity)
            accent = max(accent, self._follow_loudness(hop.envelope))
        return Beat(
            speaking=self._speaking,
            loudness=self._last_loudness,
            melody=self._melody,
            accent=accent,
            is_phrase_start=has_started,
            is_phrase_end=has_ended,
            pause_secs=self._pause_secs,
            arousal=self._arousal,
            emphasis=self._emphasis(accent),
            is_break=is_break,
            resumed_secs=resumed_secs,
            pulse=self._pulse(),
        )

    def _follow_breaks(self, hop: ProsodyHop, has_ended: bool) -> tuple[bool, float]:
        """Whether a break is noticed in this hop, and how long one was that ends in it, else 0."""
        if has_ended and not self._is_broken:  # in noise, where silence is not that deep
            self._is_broken, self._silence_secs = True, self._pause_secs
            return True, 0.0
        self._peak_db = max(hop.energy_db, self._peak_db - _BREAK_PEAK_FALL_DB)
        if hop.energy_db < max(_SILENT_DB, self._peak_db - _BREAK_DROP_DB):
            self._silence_secs += HOP_SECS
            is_long = self._silence_secs > _BREAK_SECS - HOP_SECS / 2
            is_noticed = is_long and not self._is_broken and self._sound_secs >= _MIN_SPEECH_SECS
            self._is_broken = self._is_broken or is_noticed
            return is_noticed, 0.0
        if hop.activity < 0.55:
            self._silence_secs += HOP_SECS if self._is_broken else 0.0
            return False, 0.0
        resumed_secs = self._silence_secs if self._is_broken else 0.0
        if self._is_broken:
            self._is_broken, self._sound_secs = False, 0.0
        self._silence_secs = 0.0
        self._sound_secs += HOP_SECS
        return False, resumed_secs

    def _emphasis(self, accent: float) -> float:
        """Strength of the emphasis that an accent carries, 0 for an ordinary or no accent."""
        self._since_emphasis += 2 * HOP_SECS
        if accent == 0:
            return 0.0
        stress = accent + _EMPHASIS_PER_SEMITONE * max(-3.0, min(4.0, self._melody))
        over = stress - self._typical_stress
        self._typical_stress += 0.2 * over
        is_overdue = self._since_emphasis > _EMPHASIS_OVERDUE_SECS
        is_strong = over >= (-0.25 if is_overdue else -0.05)
        if not is_strong or self._since_emphasis < _EMPHASIS_REFRACTORY_SECS:
            return 0.0
        self._since_emphasis = 0.0
        return min(1.0, max(0.4, 0.6 + 1.2 * over))

    def _follow_phrase(self, activity: float) -> tuple[bool, bool]:
        goal = 1.0 if activity > 0.5 else 0.0
        self._speaking += (goal - self._speaking) * (0.3 if goal > self._speaking else 0.055)
        started = ended = False
        if activity > 0.55:
            self._pause_secs = 0.0
            self._phrase_secs += HOP_SECS
            if not self._is_in_phrase:
                self._is_in_phrase = started = True
        elif activity < 0.4:
            self._pause_secs += HOP_SECS
            if self._is_in_phrase and self._pause_secs >= _PHRASE_GAP_SECS:
                ended = self._phrase_secs >= _MIN_PHRASE_SECS
                self._is_in_phrase = False
                self._phrase_secs = 0.0
        return started, ended

    def _follow_melody(self, f0_hz: float, voicing: float, activity: float) -> None:
        if f0_hz > 0 and voicing > 0.5 and activity > 0.5:
            semitones = 12 * math.log2(f0_hz / 100)
            if self._mean_semitones is None:
                self._mean_semitones = semitones
            deviation = max(-12.0, min(12.0, semitones - self._mean_semitones))
            # The speaker's mean settles over seconds; octave errors are cut by the clamp.
            self._mean_semitones += deviation * 0.01
            self._melody_swing += (abs(deviation) - self._melody_swing) * 0.01
            self._melody += (max(-7.0, min(7.0, deviation)) - self._melody) * 0.35
        else:
            self._melody *= 0.94
        swing = min(1.0, self._melody_swing / 4)
        target = self._slow_loudness * (0.4 + 0.6 * swing) if activity > 0.5 else 0.0
        self._arousal += (target - self._arousal) * 0.008

    def _pulse(self) -> float:
        return sum(self._newest) / _PULSE_HOPS - self._slow_loudness

    def _follow_loudness(self, loudness: float) -> float:
        """Strength of the accent whose loudness peak this hop passed, else 0."""
        self._newest.append(loudness)
        self._since_accent += HOP_SECS
        accent = 0.0
        change = loudness - self._last_loudness
        if change > 0.004:
            self._rise = (self._rise if self._is_rising else 0.0) + change
            self._is_rising = True
        elif self._is_rising and change <= 0:
            self._is_rising = False
            prominence = self._rise * (1 + 0.12 * max(0.0, self._melody))
            if prominence > 0.06:
                self._typical_rise += (prominence - self._typical_rise) * 0.12
            ratio = prominence / max(self._typical_rise, 0.05)
            is_free = self._since_accent >= _ACCENT_REFRACTORY_SECS
            if ratio > 0.8 and prominence > 0.08 and is_free:
                accent = min(1.0, 0.45 * ratio)
                self._since_accent = 0.0
        self._slow_loudness += (loudness - self._slow_loudness) * 0.03
        self._last_loudness = loudness
        return accent
