"""What leaves a session bears its watermark, whatever stands behind the person."""

from fractions import Fraction

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.picture.mark_bench import read_frames
from avatar_service.provenance.watermark import Mark
from avatar_service.render.bench import moving_frame
from avatar_service.session.offline import OfflineSettings, replay
from avatar_service.signals import Background, Controls

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("background", Background)
def test_what_a_session_shows_is_marked(background: Background) -> None:
    mark = Mark(0x123456, 0x54321, clock=lambda: 1_800_000_000.0)
    settings = OfflineSettings(
        rate=Fraction(5), controls=Controls(background=background, background_color=(0, 177, 64))
    )
    motion = [moving_frame(k) for k in range(0, 80, 8)]
    seen = []
    for frame in replay(astronaut(), motion, settings, mark):
        alpha = frame.pixels[..., 3:].astype(np.float32) / 255
        over_grey = frame.pixels[..., :3] * alpha + 128 * (1 - alpha)
        seen.append(over_grey.round().astype(np.uint8))
    reading = read_frames(seen)
    assert reading is not None
    assert reading.payload == mark.payload
