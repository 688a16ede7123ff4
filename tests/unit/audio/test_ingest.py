import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.audio.ingest import PcmIngest, SampleFormat
from avatar_service.errors import AvatarError, Reason

pytestmark = pytest.mark.unit

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def ingest_all(ingest: PcmIngest, data: bytes, cuts: list[int] | None = None) -> np.ndarray:
    edges = [0, *sorted(cuts or []), len(data)]
    parts = [ingest.push(data[low:high]) for low, high in zip(edges, edges[1:], strict=False)]
    return np.concatenate([*parts, ingest.flush()])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("position_secs", [0.0625, 0.5, 0.9])
def test_impulse_keeps_its_time_within_one_sample(rate: int, position_secs: float) -> None:
    pcm = np.zeros(rate, np.float32)
    index = round(position_secs * rate)
    pcm[index] = 0.9
    out = ingest_all(
        PcmIngest(sample_rate_hz=rate, sample_format=SampleFormat.FLOAT32), pcm.tobytes()
    )
    assert len(out) == 16_000
    centroid = float(np.arange(len(out)) @ out / out.sum())
    assert abs(centroid - index / rate * 16_000) <= 0.6


@pytest.mark.parametrize("rate", RATES)
def test_tone_keeps_level_and_phase(rate: int) -> None:
    time = np.arange(rate) / rate
    pcm = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    out = ingest_all(
        PcmIngest(sample_rate_hz=rate, sample_format=SampleFormat.FLOAT32), pcm.tobytes()
    )
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(out)) / 16_000)
    assert np.abs(out - expected)[400:-400].max() < 0.5 * 2 * np.pi * 440 / 16_000 * 0.5


def test_frequencies_above_the_new_band_are_removed() -> None:
    time = np.arange(48_000) / 48_000
    pcm = (0.5 * np.sin(2 * np.pi * 11_000 * time)).astype(np.float32)
    out = ingest_all(
        PcmIngest(sample_rate_hz=48_000, sample_format=SampleFormat.FLOAT32), pcm.tobytes()
    )
    assert np.abs(out[500:-500]).max() < 1e-4


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    channels=st.integers(1, 3),
    sample_format=st.sampled_from(list(SampleFormat)),
    cuts=st.lists(st.integers(0, 6_000), max_size=12),
)
def test_any_byte_split_gives_the_same_samples(
    rate: int, channels: int, sample_format: SampleFormat, cuts: list[int]
) -> None:
    values = np.random.default_rng(1).uniform(-0.9, 0.9, (1_500, channels))
    data = (
        (values * 32767).astype("<i2").tobytes()
        if sample_format is SampleFormat.PCM_S16
        else values.astype("<f4").tobytes()
    )

    def fresh() -> PcmIngest:
        return PcmIngest(sample_rate_hz=rate, num_channels=channels, sample_format=sample_format)

    cuts = [min(cut, len(data)) for cut in cuts]
    whole, split = ingest_all(fresh(), data), ingest_all(fresh(), data, cuts)
    assert len(whole) == int(1_500 * 16_000 / rate + 0.5)
    np.testing.assert_array_equal(whole, split)


def test_channels_are_averaged() -> None:
    pcm = np.tile(np.array([[8_000, -4_000]], np.int16), (200, 1))
    out = ingest_all(PcmIngest(sample_rate_hz=16_000, num_channels=2), pcm.tobytes())
    np.testing.assert_allclose(out, 2_000 / 32_768, atol=1e-6)


def test_next_segment_starts_afresh_after_flush_and_reset() -> None:
    data = (np.random.default_rng(2).uniform(-1, 1, 4_800) * 30_000).astype(np.int16).tobytes()
    ingest = PcmIngest(sample_rate_hz=48_000)
    first = ingest_all(ingest, data)
    second = ingest_all(ingest, data)
    ingest.push(data[:1_001])
    ingest.reset()
    third = ingest_all(ingest, data)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_lag_is_short_and_constant(rate: int) -> None:
    ingest = PcmIngest(sample_rate_hz=rate)
    lags = []
    for _ in range(50):
        ingest.push(np.zeros(rate // 100, np.int16).tobytes())
        lags.append(ingest.lag_secs)
    assert max(lags[10:]) < 0.015
    assert max(lags[10:]) - min(lags[10:]) < 0.001


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e6])
def test_bad_float_samples_are_refused(bad: float) -> None:
    ingest = PcmIngest(sample_rate_hz=16_000, sample_format=SampleFormat.FLOAT32)
    with pytest.raises(AvatarError) as caught:
        ingest.push(np.array([0.0, bad, 0.0], np.float32).tobytes())
    assert caught.value.reason is Reason.INVALID_AUDIO


@pytest.mark.parametrize(
    ("rate", "channels"), [(0, 1), (-16_000, 1), (7_999, 1), (48_001, 1), (16_000, 0), (16_000, 33)]
)
def test_unsupported_formats_are_refused(rate: int, channels: int) -> None:
    with pytest.raises(AvatarError) as caught:
        PcmIngest(sample_rate_hz=rate, num_channels=channels)
    assert caught.value.reason is Reason.INVALID_AUDIO


def test_segment_that_ends_inside_a_sample_is_refused() -> None:
    ingest = PcmIngest(sample_rate_hz=16_000)
    ingest.push(b"\x00\x00\x01")
    with pytest.raises(AvatarError) as caught:
        ingest.flush()
    assert caught.value.reason is Reason.INVALID_AUDIO
    assert len(ingest_all(ingest, b"\x00\x10" * 40)) == 40
