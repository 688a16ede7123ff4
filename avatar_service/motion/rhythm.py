"""The rhythm of speech for life beside the lips: phrases, stressed syllables, melody, arousal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from avatar_service.audio.prosody import HOP_SECS, ProsodyHop

_PHRASE_GAP_SECS: Final = 0.16
"""Inactivity that parts two phrases; with the 0.1 s by which activity lags, 0.26 s of silence.
Shorter gaps are stop consonants."""
_MIN_PHRASE_SECS: Final = 0.5
_ACCENT_REFRACTORY_SECS: Final = 0.28


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
    """

    speaking: float = 0.0
    loudness: float = 0.0
    melody: float = 0.0
    accent: float = 0.0
    is_phrase_start: bool = False
    is_phrase_end: bool = False
    pause_secs: float = 1e3
    arousal: float = 0.0


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

    def step(self, hops: Sequence[ProsodyHop]) -> Beat:
        """Take the hops that ended in this tick; no hops are silence."""
        accent = 0.0
        has_started = has_ended = False
        for hop in hops or _SILENCE:
            started, ended = self._follow_phrase(hop.activity)
            has_started, has_ended = has_started or started, has_ended or ended
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
        )

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

    def _follow_loudness(self, loudness: float) -> float:
        """Strength of the accent whose loudness peak this hop passed, else 0."""
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
