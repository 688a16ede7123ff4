from fractions import Fraction

import numpy as np
import pytest

from avatar_service.cli.recorder import _Encoder

pytestmark = pytest.mark.unit


class Writer:
    def __init__(self) -> None:
        self.num_frames = 0
        self.sounds: list[int] = []

    def write_frame(self, pixels: np.ndarray) -> None:
        self.num_frames += 1

    def write_audio(self, samples: np.ndarray) -> None:
        self.sounds.append(len(samples))


def test_pictures_that_outlast_the_sound_write_no_empty_sound() -> None:
    """The last pictures of a recording may stand in for several missing ones."""
    writer = Writer()
    encoder = _Encoder(writer, Fraction(40), 16_000)  # type: ignore[arg-type]
    encoder.sound = np.zeros(4_000, np.float32)  # 10 frames
    encoder.start()
    for _ in range(13):
        encoder.queue.put(np.zeros((2, 2, 4), np.uint8))
    encoder.finish()
    assert writer.num_frames == 13
    assert sum(writer.sounds) == 4_000
    assert min(writer.sounds) > 0
