from fractions import Fraction

import numpy as np
import pytest
from fakes import FakeMotionStage, FakeRenderer, read_number

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.offline import OfflineSettings, animate_with

pytestmark = pytest.mark.unit


def animate(audio: list[np.ndarray], rate: Fraction = Fraction(40)):
    settings = OfflineSettings(rate=rate, size_px=64)
    return animate_with(FakeMotionStage(rate), FakeRenderer(), audio, settings)


@pytest.mark.parametrize("rate", [Fraction(40), Fraction(30000, 1001), Fraction(120), Fraction(1)])
@pytest.mark.parametrize("block", [160, 8_000, 100_000])
def test_every_frame_of_the_audio_comes_in_order(rate: Fraction, block: int) -> None:
    samples = np.full(35_200, 0.5, np.float32)  # 2.2 s
    blocks = [samples[i : i + block] for i in range(0, len(samples), block)]
    numbers, times = [], []
    for frame in animate(blocks, rate):
        numbers.append(read_number(frame.pixels))
        times.append(frame.motion.pts_nanos)
        assert frame.motion.speech == 1.0
    expected = [k * 10**9 * rate.denominator // rate.numerator for k in range(1000)]
    assert times == [pts for pts in expected if pts < 2_200_000_000]
    assert numbers == list(range(1, len(numbers) + 1))


def test_memory_does_not_grow_with_the_audio() -> None:
    buffers = {id(frame.pixels) for frame in animate([np.ones(8_000, np.float32)] * 40)}
    assert len(buffers) <= 4


@pytest.mark.parametrize("audio", [[], [np.zeros(0, np.float32)]])
def test_audio_without_samples_is_refused(audio: list[np.ndarray]) -> None:
    with pytest.raises(AvatarError) as fault:
        list(animate(audio))
    assert fault.value.reason is Reason.INVALID_AUDIO


def test_samples_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(AvatarError) as fault:
        list(animate([np.full(1600, np.nan, np.float32)]))
    assert fault.value.reason is Reason.INVALID_AUDIO
