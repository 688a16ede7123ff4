"""Videos: whole or not at all, in sync, with the right colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.sound import SOUND_RATE_HZ, count_channels, stream_sound
from avatar_service.export.video import VideoWriter, check_video_path

pytestmark = pytest.mark.unit

RATE = Fraction(40)
SIZE = 64


def _writer(path: Path, **options: bool) -> VideoWriter:
    return VideoWriter(
        path, width_px=SIZE, height_px=SIZE, frame_rate=RATE, sample_rate_hz=16_000, **options
    )


def _frame(level: int) -> np.ndarray:
    frame = np.zeros((SIZE, SIZE, 4), np.uint8)
    frame[..., :3] = level
    frame[..., 3] = 255
    return frame


def _click_video(path: Path) -> None:
    """Half a second of black and silence; then white, and a loud click with its first frame."""
    with _writer(path) as writer:
        for k in range(40):
            writer.write_frame(_frame(235 if k >= 20 else 16))
            sound = np.zeros(400, np.float32)
            if k == 20:
                sound[:40] = 0.9
            writer.write_audio(sound)


def test_picture_and_sound_are_in_sync(tmp_path: Path) -> None:
    path = tmp_path / "click.mp4"
    _click_video(path)
    with av.open(str(path)) as file:
        times = [f.time for f in file.decode(video=0) if f.to_ndarray(format="gray").mean() > 128]
    with av.open(str(path)) as file:
        loud = [
            f.time + int(np.abs(f.to_ndarray()[0]).argmax()) / f.sample_rate
            for f in file.decode(audio=0)
            if np.abs(f.to_ndarray()).max() > 0.3
        ]
    assert times[0] == pytest.approx(0.5, abs=1e-3)
    assert loud[0] == pytest.approx(0.5, abs=0.006)


@pytest.mark.parametrize("color", [(200, 30, 30), (30, 160, 60), (128, 128, 128)])
def test_colours_survive(tmp_path: Path, color: tuple[int, int, int]) -> None:
    path = tmp_path / "color.mp4"
    frame = _frame(0)
    frame[..., :3] = color
    with _writer(path) as writer:
        for _ in range(5):
            writer.write_frame(frame)
    with av.open(str(path)) as file:
        shown = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown[SIZE // 2, SIZE // 2].astype(int) - color).max() <= 4


def test_alpha_survives_in_mov(tmp_path: Path) -> None:
    path = tmp_path / "alpha.mov"
    frame = _frame(200)
    frame[:32, :, 3] = 0
    with _writer(path, with_alpha=True) as writer:
        for _ in range(3):
            writer.write_frame(frame)
    with av.open(str(path)) as file:
        alpha = next(file.decode(video=0)).to_ndarray(format="rgba")[..., 3]
    assert alpha[8, 8] < 8
    assert alpha[56, 8] > 247


def test_an_interrupted_video_leaves_nothing_and_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"older")

    def fail_half_way() -> None:
        with _writer(path) as writer:
            writer.write_frame(_frame(100))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert path.read_bytes() == b"older"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("name", ["out.avi", "out", "out.txt"])
def test_an_ending_that_cannot_hold_video_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AvatarError, match=".mp4") as raised:
        check_video_path(tmp_path / name, with_alpha=False)
    assert raised.value.reason is Reason.INVALID_FIELD


def test_transparency_needs_a_file_that_holds_it(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="transparent"):
        check_video_path(tmp_path / "out.mp4", with_alpha=True)


def test_an_absent_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="does not exist"):
        check_video_path(tmp_path / "no" / "out.mp4", with_alpha=False)


def test_the_sound_of_a_file_begins_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "click.mp4"
    _click_video(path)
    assert count_channels(path) == 1
    sound = np.concatenate(list(stream_sound(path, start_secs=0.25, num_channels=1)))
    assert int(np.abs(sound[:, 0]).argmax()) / SOUND_RATE_HZ == pytest.approx(0.25, abs=0.006)
