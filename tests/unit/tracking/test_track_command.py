"""`avatar track` writes motion and report, or one clear line and nothing."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.portraits import astronaut_pixels, need_models
from typer.testing import CliRunner

from avatar_service.cli.app import app
from avatar_service.errors import AvatarError
from avatar_service.export.video import VideoWriter
from avatar_service.motion.track import MotionTrack

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def still_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five times the same photo, with a frame without a face in between."""
    need_models()
    path = tmp_path_factory.mktemp("video") / "still.mp4"
    photo = np.dstack([astronaut_pixels(), np.full((512, 512), 255, np.uint8)])
    with VideoWriter(path, width_px=512, height_px=512, frame_rate=Fraction(25)) as video:
        for i in range(6):
            video.write_frame(np.full_like(photo, 80) if i == 3 else np.ascontiguousarray(photo))
    return path


def test_motion_and_report_are_written(still_video: Path, tmp_path: Path):
    out, report = tmp_path / "motion.npz", tmp_path / "report.json"
    arguments = ["track", str(still_video), "-o", str(out), "--report", str(report)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    track = MotionTrack.load(out)
    assert len(track) == 6
    # A still photo is rest.
    assert np.degrees(np.abs(track.head_rotation)).max() < 0.5
    assert np.degrees(np.abs(track.gaze)).max() < 2
    figures = json.loads(report.read_text())
    assert figures["frames"] == 6
    assert figures["held"] == [{"from_secs": 0.12, "frames": 1}]


@pytest.mark.parametrize("extra", [["--reference", "best"], ["--start", "90"]])
def test_bad_requests_leave_no_file(still_video: Path, tmp_path: Path, extra: list[str]):
    out = tmp_path / "motion.npz"
    result = CliRunner().invoke(app, ["track", str(still_video), "-o", str(out), *extra])
    assert isinstance(result.exception, AvatarError)
    assert "\n" not in result.exception.message
    assert not list(tmp_path.iterdir())
