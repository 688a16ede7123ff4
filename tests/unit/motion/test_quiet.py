"""Down at the noise floor: a stationary noise is a pause, speech over it is not."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_service.audio.mel import log_mel
from avatar_service.motion.quiet import HeardLevel, LevelTracker
from avatar_service.motion.seals import RestGate
from avatar_service.signals import Float32Array

pytestmark = pytest.mark.unit


def heard(samples: Float32Array) -> list[HeardLevel]:
    mels = log_mel(samples)
    steps = mels[: len(mels) // 2 * 2].reshape(-1, 2, mels.shape[1])
    tracker = LevelTracker()
    return tracker.hear(steps[:7]) + tracker.hear(steps[7:])


def counts(samples: Float32Array) -> list[int]:
    return [level.quiet_steps for level in heard(samples)]


def noise(secs: float, level: float) -> Float32Array:
    return np.random.default_rng(0).normal(0, level, int(secs * 16000)).astype(np.float32)


@pytest.mark.parametrize("level", [0.0, 1e-4, 1e-2])
def test_a_stationary_noise_is_quiet_whatever_its_level(level: float) -> None:
    quiet = counts(noise(3.0, level))
    assert quiet[-1] > 40


def test_sound_above_the_floor_is_not_quiet_until_it_ends() -> None:
    samples = noise(4.0, 0.003)
    samples[16000:32000] += noise(1.0, 0.1)
    quiet = counts(samples)
    assert max(quiet[51:99]) == 0
    assert quiet[-1] > 40


@pytest.mark.parametrize(("below_db", "is_quiet"), [(32, True), (18, False)])
def test_a_hiss_over_digital_silence_is_quiet_where_it_is_far_below_the_voice(
    below_db: float, is_quiet: bool
) -> None:
    voice, gate = noise(1.0, 0.1), np.zeros(8000, np.float32)
    hiss = noise(0.5, 0.1 * 10 ** (-below_db / 20))
    quiet = counts(np.concatenate([gate, voice, hiss]))
    assert (quiet[-1] > 20) is is_quiet
    assert max(quiet[26:74]) == 0


def syllables(secs: float) -> Float32Array:
    """A buzz of 120 Hz that stops for 80 ms four times a second."""
    times = np.arange(int(secs * 16000)) / 16000
    return (0.3 * np.sign(np.sin(754 * times)) * (times % 0.25 > 0.08)).astype(np.float32)


def test_noise_and_rooms_take_the_clarity_of_gaps() -> None:
    voice = syllables(4.0)
    tail = np.exp(-np.arange(6400) / 926)  # 60 dB in 400 ms
    tail *= np.random.default_rng(1).normal(0, 0.05, len(tail))
    room = voice + np.convolve(voice, tail)[: len(voice)].astype(np.float32)
    clear, noisy, roomy = (
        np.mean([level.clarity for level in heard(samples)[50:]])
        for samples in (voice, voice + noise(4.0, 0.1), room)
    )
    assert clear == 1.0
    assert noisy < 0.5
    assert roomy < 0.5


def test_silence_before_speech_leaves_it_clear() -> None:
    speech = heard(np.concatenate([np.zeros(48000, np.float32), syllables(2.0)]))
    assert min(level.clarity for level in speech) == 1.0


def test_a_doubtful_network_rests_in_long_quiet_but_a_sure_one_speaks() -> None:
    doubtful, sure = RestGate(), RestGate()
    for step in range(20):
        rests = doubtful.step(0.3, quiet_steps=step)
        speaks = sure.step(0.01, quiet_steps=step)
    assert rests == 0.0
    assert speaks == 1.0
