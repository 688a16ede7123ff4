"""The log-mel front end: same numbers streamed as whole, causal, in the right band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.audio.mel import (
    HOP_SAMPLES,
    NUM_MELS,
    SAMPLE_RATE_HZ,
    StreamingLogMel,
    log_mel,
)
from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array

pytestmark = pytest.mark.unit


def noise(count: int, seed: int = 0) -> Float32Array:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=25))
def test_chunks_of_any_size_give_the_same_frames_as_the_whole(sizes: list[int]) -> None:
    samples = noise(sum(sizes))
    stream = StreamingLogMel()
    frames, start = [], 0
    for size in sizes:
        frames.append(stream.push(samples[start : start + size]))
        start += size
    streamed, whole = np.concatenate(frames), log_mel(samples)
    assert streamed.shape == whole.shape == (len(samples) // HOP_SAMPLES, NUM_MELS)
    np.testing.assert_allclose(streamed, whole, atol=1e-5)


def test_a_frame_depends_on_no_later_sample() -> None:
    samples = noise(3200)
    changed = samples.copy()
    changed[1600:] = 0
    np.testing.assert_array_equal(log_mel(samples)[:10], log_mel(changed)[:10])
    assert np.abs(log_mel(samples)[10] - log_mel(changed)[10]).max() > 0.1


@pytest.mark.parametrize("hz", [200.0, 1000.0, 4000.0])
def test_a_tone_is_loudest_in_the_band_around_its_frequency(hz: float) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(4800) / SAMPLE_RATE_HZ).astype(np.float32)
    band = int(log_mel(tone)[-1].argmax())
    edges = 2595 * np.log10(1 + np.array([60.0, 7600.0]) / 700)
    centres = 700 * (10 ** (np.linspace(*edges, NUM_MELS + 2)[1:-1] / 2595) - 1)
    width = centres[min(band + 1, NUM_MELS - 1)] - centres[max(band - 1, 0)]
    assert abs(centres[band] - hz) <= max(width, SAMPLE_RATE_HZ / 512)


def test_ten_times_the_amplitude_is_twenty_decibels_more() -> None:
    samples = noise(4800)
    difference = log_mel(samples * 10) - log_mel(samples)
    np.testing.assert_allclose(difference, np.log(100), atol=1e-2)


def test_batches_are_rows_of_clips() -> None:
    batch = np.stack([noise(1600, seed) for seed in range(3)])
    np.testing.assert_allclose(log_mel(batch)[1], log_mel(batch[1]), atol=1e-6)


def test_reset_forgets_the_stream() -> None:
    stream = StreamingLogMel()
    stream.push(noise(1234))
    stream.reset()
    np.testing.assert_allclose(stream.push(noise(800, 1)), log_mel(noise(800, 1)), atol=1e-6)


def test_digital_silence_is_finite() -> None:
    assert np.isfinite(log_mel(np.zeros(1600, np.float32))).all()


@pytest.mark.parametrize("bad", [np.full(320, np.nan), np.array([0.0, np.inf]), np.zeros((2, 320))])
def test_bad_samples_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(AvatarError) as caught:
        StreamingLogMel().push(bad.astype(np.float32))
    assert caught.value.reason is Reason.INVALID_AUDIO
