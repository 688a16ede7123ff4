import numpy as np
import pytest
from fakes.voice import fake_voice
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.audio.prosody import HOP_SAMPLES, Prosody, ProsodyFrames

pytestmark = pytest.mark.unit

RATE = 16_000


def buzz(f0_hz: float, secs: float = 1.0) -> np.ndarray:
    phase = 2 * np.pi * f0_hz * np.arange(round(RATE * secs)) / RATE
    return sum(0.1 * np.sin(n * phase) / n for n in range(1, 8)).astype(np.float32)


def analyse(samples: np.ndarray) -> ProsodyFrames:
    return Prosody().push(samples)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30_000), max_size=15))
def test_streaming_equals_offline_for_any_chunks(cuts: list[int]) -> None:
    samples = fake_voice(1.8)
    whole = analyse(samples)
    prosody = Prosody()
    parts = [prosody.push(part) for part in np.split(samples, sorted(cuts))]
    for name in ("energy_db", "f0_hz", "voicing", "activity", "envelope"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert len(whole) == len(samples) // HOP_SAMPLES


@pytest.mark.parametrize("f0_hz", [75.0, 110.0, 165.0, 220.0, 330.0, 390.0])
def test_pitch_of_a_steady_voice(f0_hz: float) -> None:
    frames = analyse(buzz(f0_hz))
    voiced = frames.f0_hz[5:]
    assert (voiced > 0).all()
    assert np.abs(1200 * np.log2(voiced / f0_hz)).max() < 25  # a quarter of a semitone


def test_pitch_follows_a_glide_within_50_ms() -> None:
    f0 = np.linspace(100, 200, RATE * 2)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    samples = sum(0.1 * np.sin(n * phase) / n for n in range(1, 8)).astype(np.float32)
    frames = analyse(samples)
    times = (np.arange(len(frames)) + 1) * HOP_SAMPLES
    expected = f0[np.maximum(times - 400, 0)]  # the middle of the window
    error = np.abs(frames.f0_hz / expected - 1)[5:]
    assert np.median(error) < 0.01
    assert error.max() < 0.04


def test_energy_is_that_of_the_hop() -> None:
    time = np.arange(RATE) / RATE
    frames = analyse((0.5 * np.sin(2 * np.pi * 200 * time)).astype(np.float32))
    np.testing.assert_allclose(frames.energy_db[1:], 20 * np.log10(0.5 / 2**0.5), atol=0.05)


def test_silence_is_no_speech_and_finite() -> None:
    frames = analyse(np.zeros(RATE, np.float32))
    assert frames.activity.max() < 0.01
    assert frames.envelope.max() < 0.01
    assert (frames.f0_hz == 0).all()
    assert np.isfinite(frames.energy_db).all()


@pytest.mark.parametrize("level", [0.002, 0.02, 0.2])
def test_steady_noise_is_no_speech(level: float) -> None:
    noise = np.random.default_rng(0).standard_normal(RATE * 4).astype(np.float32) * level
    assert analyse(noise).activity.max() < 0.3


def test_steady_hum_is_no_speech_for_long() -> None:
    assert analyse(buzz(150, 5.0)).activity[100:].max() < 0.2


@pytest.mark.parametrize("gain", [0.05, 1.0, 3.0])
def test_voice_in_phrases_is_speech_at_any_level(gain: float) -> None:
    samples = fake_voice(8.0) * np.float32(gain)
    frames = analyse(samples)
    loud = frames.energy_db > frames.energy_db.max() - 15
    assert frames.activity[loud].mean() > 0.8
    pauses = np.convolve(loud, np.ones(13), "full")[: len(loud)] == 0  # quiet for 260 ms
    assert pauses.sum() > 20
    assert frames.activity[pauses].mean() < 0.35


def test_values_stay_in_range_on_extreme_input() -> None:
    rng = np.random.default_rng(3)
    samples = np.concatenate(
        [rng.choice([-1.0, 1.0], 8_000), np.zeros(4_000), rng.uniform(-1, 1, 8_000), np.ones(4_000)]
    ).astype(np.float32)
    frames = analyse(samples)
    for name in ("voicing", "activity", "envelope"):
        values = getattr(frames, name)
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1
    assert frames.f0_hz.max() < 420
