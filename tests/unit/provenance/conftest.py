from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar_service.config import CredentialsConfig
from avatar_service.export.video import VideoWriter
from avatar_service.provenance.certificates import signing_pair
from avatar_service.provenance.credentials import SPOKEN, Origin, seal
from avatar_service.provenance.watermark import MarkPayload, make_pattern
from avatar_service.render.finish import Finish

ORIGIN = Origin("ab" * 32, SPOKEN, "abcdef-12345", has_badge=True)
SIZE = 512
PAYLOAD = MarkPayload(0xABCDEF, 0x12345, 16_000)


def texture() -> np.ndarray:
    """A picture with soft detail, marked."""
    draw = np.random.default_rng(0)
    small = draw.integers(90, 160, (8, 8, 3)).astype(np.uint8)
    out = np.full((SIZE, SIZE, 4), 255, np.uint8)
    soft = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    out[..., :3] = (soft + draw.normal(0, 2, (SIZE, SIZE, 1))).clip(0, 255)
    finish = Finish(SIZE)
    finish.set_mark(make_pattern(PAYLOAD))
    finish.apply(out)
    return out


@pytest.fixture(scope="session")
def video(tmp_path_factory) -> Path:
    """A marked and sealed video."""
    folder = tmp_path_factory.mktemp("video")
    pair = signing_pair(CredentialsConfig(), folder / "own")
    frame = texture()
    path = folder / "out.mp4"
    with VideoWriter(
        path,
        width_px=SIZE,
        height_px=SIZE,
        frame_rate=Fraction(40),
        seal=lambda made: seal(made, ".mp4", "out.mp4", ORIGIN, pair),
    ) as writer:
        for _ in range(10):
            writer.write_frame(frame)
    return path
