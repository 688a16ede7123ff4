"""`avatar verify` on what people do to files: its words, its JSON and its exit codes."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from avatar_service.cli.app import app
from avatar_service.errors import AvatarError, Reason
from avatar_service.export.video import VideoWriter

pytestmark = pytest.mark.unit

MARK = "watermark: installation abcdef, session 12345"


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def changed(video: Path, folder: Path) -> Path:
    """The video with one bit of its frames turned over."""
    data = bytearray(video.read_bytes())
    data[-len(data) // 4] ^= 1
    path = folder / "changed.mp4"
    path.write_bytes(data)
    return path


def stripped(video: Path, folder: Path) -> Path:
    """The same frames in a new file, as sites do that drop what they do not know."""
    path = folder / "stripped.mp4"
    with av.open(str(video)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


def unmarked(folder: Path) -> Path:
    path = folder / "plain.mp4"
    with VideoWriter(path, width_px=256, height_px=256, frame_rate=Fraction(25)) as writer:
        for k in range(10):
            writer.write_frame(np.full((256, 256, 4), 60 + k, np.uint8))
    return path


def no_video(folder: Path) -> Path:
    path = folder / "no_video.mp4"
    path.write_bytes(b"no video")
    return path


def test_a_whole_video_bears_both(video: Path) -> None:
    told = verify(video)
    assert told.exit_code == 0, told.output
    assert MARK in told.output
    assert "TEST certificate" in told.output
    assert "portrait photo, sha256:abab" in told.output


def test_a_changed_video_is_invalid_and_its_mark_is_still_told(video: Path, tmp_path) -> None:
    told = verify(changed(video, tmp_path))
    assert told.exit_code == 3, told.output
    assert "INVALID: the file was changed" in told.output
    assert "assertion.bmffHash.mismatch" in told.output
    assert MARK in told.output


def test_without_its_manifest_a_video_still_bears_the_mark(video: Path, tmp_path) -> None:
    told = verify(stripped(video, tmp_path))
    assert told.exit_code == 0, told.output
    assert "content credentials: none" in told.output
    assert MARK in told.output


def test_what_was_not_made_here_bears_nothing(tmp_path) -> None:
    told = verify(unmarked(tmp_path))
    assert told.exit_code == 1, told.output
    assert "watermark: none that can be read" in told.output
    assert "content credentials: none" in told.output


def test_what_is_no_video_is_told_in_a_line(tmp_path) -> None:
    told = verify(no_video(tmp_path))
    assert told.exit_code == 2
    assert "no_video.mp4" in told.output
    assert told.output.count("cannot be read") == 1


def test_a_folder_is_told_file_by_file_and_the_worst_decides(video: Path, tmp_path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    shutil.copy(video, inner / "whole.mp4")
    (tmp_path / "notes.txt").write_text("left out")
    stripped(video, tmp_path)
    assert verify(tmp_path).exit_code == 0
    unmarked(tmp_path)
    assert verify(tmp_path).exit_code == 1
    changed(video, tmp_path)
    assert verify(tmp_path).exit_code == 3
    no_video(tmp_path)
    told = verify("--json", tmp_path)
    assert told.exit_code == 2
    reports = {Path(one["file"]).name: one for one in json.loads(told.stdout)}
    assert set(reports) == {
        "changed.mp4",
        "no_video.mp4",
        "plain.mp4",
        "stripped.mp4",
        "whole.mp4",
    }
    assert {name for name, one in reports.items() if "error" in one} == {"no_video.mp4"}
    marked = {name for name, one in reports.items() if one["watermarks"]}
    assert marked == {"changed.mp4", "stripped.mp4", "whole.mp4"}
    states = {name: (one["credentials"] or {}).get("state") for name, one in reports.items()}
    assert (states["whole.mp4"], states["changed.mp4"]) == ("valid", "invalid")
    assert states["stripped.mp4"] is None


@pytest.mark.parametrize("name", ["absent", "."])
def test_nothing_to_read_is_a_fault(name: str, tmp_path) -> None:
    fault = verify(tmp_path / name).exception
    assert isinstance(fault, AvatarError)
    assert fault.reason is Reason.INVALID_FILE
