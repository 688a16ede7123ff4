import numpy as np
import pytest
from fakes.voice import fake_voice

from avatar_service.audio.prosody import Prosody
from avatar_service.motion.rhythm import Beat, Rhythm

pytestmark = pytest.mark.unit


def beats(samples: np.ndarray) -> list[Beat]:
    hops, rhythm = Prosody().push_hops(samples), Rhythm()
    return [rhythm.step(hops[i : i + 2]) for i in range(0, len(hops) - 1, 2)]


def test_phrases_are_found() -> None:
    voice = fake_voice(20.0)
    found = beats(voice)
    starts = [i for i, beat in enumerate(found) if beat.is_phrase_start]
    ends = [i for i, beat in enumerate(found) if beat.is_phrase_end]
    # Phrases of 1.5-2.5 s with pauses of 0.35-0.6 s: 20 s hold 7 to 10.
    assert 6 <= len(ends) <= 11
    assert abs(len(starts) - len(ends)) <= 2
    speaking = np.array([beat.speaking for beat in found])
    assert speaking.max() > 0.95


def test_accents_come_at_a_natural_rate_and_at_loud_moments() -> None:
    found = beats(fake_voice(20.0))
    accents = [beat for beat in found if beat.accent > 0]
    assert 0.6 < len(accents) / 20 < 3.0
    loud = np.mean([beat.loudness for beat in accents])
    assert loud > np.mean([beat.loudness for beat in found]) + 0.1
    assert max(beat.accent for beat in accents) <= 1.0


def test_melody_follows_the_pitch_around_its_own_mean() -> None:
    time = np.arange(16_000 * 6) / 16_000
    f0 = 140 * 2 ** (np.sin(2 * np.pi * 0.5 * time) / 4)  # +-3 semitones
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    level = 0.2 * (0.15 + 0.85 * np.abs(np.sin(2 * np.pi * 2 * time)))
    voice = (level * sum(np.sin(n * phase) / n for n in range(1, 9))).astype(np.float32)
    melody = np.array([beat.melody for beat in beats(voice)])
    wanted = np.interp(np.arange(len(melody)) * 0.04 + 0.04, time, 12 * np.log2(f0 / 140))
    assert np.corrcoef(melody[25:], wanted[25:])[0, 1] > 0.9


def test_silence_has_no_events() -> None:
    found = beats(np.zeros(16_000 * 3, np.float32))
    assert all(beat.accent == 0 and not beat.is_phrase_start for beat in found)
    assert found[-1].speaking == 0
    rhythm = Rhythm()
    for beat in [rhythm.step(Prosody().push_hops(fake_voice(3.0)))]:
        assert beat.speaking > 0
    for _ in range(60):
        beat = rhythm.step([])  # no line at all is silence too
    assert beat.speaking < 0.1


def test_breaks_come_soon_in_each_pause_and_speech_resumes_after_them() -> None:
    found = beats(fake_voice(20.0))
    ends = [i for i, beat in enumerate(found) if beat.is_phrase_end]
    breaks = np.array([i for i, beat in enumerate(found) if beat.is_break])
    for end in ends:  # a break is noticed 0.1 s into the silence, a phrase's end 0.26 s
        assert np.any((breaks < end) & (breaks >= end - 6))
    resumed = [beat.resumed_secs for beat in found if beat.resumed_secs > 0]
    assert resumed[0] > 100  # nothing was said before
    assert len(resumed) >= len(ends)
    assert all(0.1 <= secs < 1.0 for secs in resumed[1:])


def test_a_pause_as_short_as_a_comma_is_a_break_but_a_stop_consonant_is_none() -> None:
    def with_gap(millis: int) -> int:
        voice = fake_voice(2.0, seed=3)
        voice[16_000 : 16_000 + 16 * millis] *= 0.001
        return sum(beat.is_break for beat in beats(voice))

    assert with_gap(60) == with_gap(0)
    assert with_gap(140) == with_gap(0) + 1


def test_in_noise_a_phrase_end_is_a_break_too() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000 * 12).astype(np.float32) * 0.012
    found = beats(fake_voice(12.0) + noise)
    ends = sum(beat.is_phrase_end for beat in found)
    assert ends >= 2
    assert sum(beat.is_break for beat in found) >= ends


def test_emphasis_falls_on_some_accents_only() -> None:
    found = beats(fake_voice(60.0))
    emphases = [beat for beat in found if beat.emphasis > 0]
    assert all(beat.accent > 0 for beat in emphases)
    assert 0.3 < len(emphases) / 60 < 1.0
    assert all(0.4 <= beat.emphasis <= 1 for beat in emphases)
    plain = [beat.accent for beat in found if beat.accent > 0 and beat.emphasis == 0]
    assert np.mean([beat.accent for beat in emphases]) > np.mean(plain)
