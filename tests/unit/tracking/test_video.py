"""Videos are read a frame at a time; what is none is refused in one line."""

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.video import VideoWriter
from avatar_service.tracking.video import VideoClip

pytestmark = pytest.mark.unit


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Ten frames, each brighter than the last."""
    path = tmp_path / "ramp.mp4"
    with VideoWriter(path, width_px=64, height_px=48, frame_rate=Fraction(10)) as video:
        for i in range(10):
            frame = np.full((48, 64, 4), 255, np.uint8)
            frame[..., :3] = 20 * i
            video.write_frame(frame)
    return path


def test_frames_come_in_order_with_their_times(ramp: Path):
    clip = VideoClip(ramp)
    assert clip.frame_rate == 10
    assert clip.num_frames_hint == 10
    pictures = list(clip.pictures())
    assert [p.pts_nanos for p in pictures] == [i * 100_000_000 for i in range(10)]
    assert pictures[0].pixels.shape == (48, 64, 3)
    levels = [int(p.pixels.mean()) for p in pictures]
    np.testing.assert_allclose(levels, 20 * np.arange(10), atol=4)


def test_a_part_starts_at_zero(ramp: Path):
    clip = VideoClip(ramp, start_secs=0.3, duration_secs=0.4)
    assert clip.num_frames_hint == 4
    pictures = list(clip.pictures())
    assert [p.pts_nanos for p in pictures] == [i * 100_000_000 for i in range(4)]
    assert pictures[0].pixels.mean() == pytest.approx(60, abs=4)


def test_a_part_beyond_the_end_is_refused(ramp: Path):
    with pytest.raises(AvatarError, match="no frame in the part"):
        list(VideoClip(ramp, start_secs=5).pictures())


def test_sound_alone_is_refused(tmp_path: Path):
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    with pytest.raises(AvatarError, match="has no video track") as caught:
        VideoClip(path)
    assert caught.value.reason is Reason.INVALID_FILE


def test_text_and_nothing_are_refused(tmp_path: Path):
    text = tmp_path / "notes.mp4"
    text.write_text("no video at all\n" * 50)
    with pytest.raises(AvatarError, match="not a video"):
        VideoClip(text)
    with pytest.raises(AvatarError, match="no such file"):
        VideoClip(tmp_path / "absent.mp4")


@pytest.mark.parametrize("part", [{"start_secs": -1.0}, {"duration_secs": 0.0}])
def test_impossible_parts_are_refused(ramp: Path, part: dict[str, float]):
    with pytest.raises(AvatarError) as caught:
        VideoClip(ramp, **part)
    assert caught.value.reason is Reason.INVALID_FIELD
