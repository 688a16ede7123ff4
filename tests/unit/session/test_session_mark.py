"""What leaves a session bears its watermark, whatever stands behind the person."""

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
def test_every_frame_of_a_session_is_marked(background: Background) -> None:
    mark = Mark(0x123456, 0x54321)
    settings = OfflineSettings(
        controls=Controls(background=background, background_color=(0, 177, 64))
    )
    motion = [moving_frame(k) for k in range(3)]
    for frame in replay(astronaut(), motion, settings, mark):
        alpha = frame.pixels[..., 3:].astype(np.float32) / 255
        seen = frame.pixels[..., :3] * alpha + 128 * (1 - alpha)
        reading = read_frames([seen.astype(np.uint8)])
        assert reading is not None
        assert reading.payload == mark.payload
