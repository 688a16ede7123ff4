"""Down at the noise floor: a stationary noise is a pause, speech over it is not."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_service.audio.mel import log_mel
from avatar_service.motion.quiet import QuietTracker
from avatar_service.motion.seals import RestGate
from avatar_service.signals import Float32Array

pytestmark = pytest.mark.unit


def counts(samples: Float32Array) -> list[int]:
    mels = log_mel(samples)
    steps = mels[: len(mels) // 2 * 2].reshape(-1, 2, mels.shape[1])
    tracker = QuietTracker()
    return tracker.hear(steps[:7]) + tracker.hear(steps[7:])


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


def test_a_doubtful_network_rests_in_long_quiet_but_a_sure_one_speaks() -> None:
    doubtful, sure = RestGate(), RestGate()
    for step in range(20):
        rests = doubtful.step(0.3, quiet_steps=step)
        speaks = sure.step(0.01, quiet_steps=step)
    assert rests == 0.0
    assert speaks == 1.0
