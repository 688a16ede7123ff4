"""A killed writer's file goes with the next one; a living writer's stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from avatar_service.export.frames import output_file
from avatar_service.export.part_file import begin_part, remove_stale

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(sys.platform == "win32", reason="locks are POSIX's"),
]

WRITER = """
import sys, time
from pathlib import Path
from avatar_service.export.part_file import begin_part
part = begin_part(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""


def parts(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")]


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path) -> None:
    output = tmp_path / "out[1].mp4"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(output)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    remove_stale(output)
    assert len(parts(tmp_path)) == 1, "a living writer's file stays"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert len(parts(tmp_path)) == 1
    with output_file(output) as file:
        file.write(b"done")
        assert len(parts(tmp_path)) == 1, "only our own"
    assert output.read_bytes() == b"done"
    assert parts(tmp_path) == []


INTERRUPTED = """
import sys
from pathlib import Path
from avatar_service.export.part_file import begin_part
part = begin_part(Path(sys.argv[1]))
raise KeyboardInterrupt
"""


def test_an_interrupt_before_anybody_took_it_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "out.mp4")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_another_writer_took_for_left_over_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl  # POSIX's

    output = tmp_path / "out.mp4"
    real = fcntl.flock

    def flock(fd: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        with output_file(output) as file:
            file.write(b"other")
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with output_file(output) as file:
        file.write(b"ours")
    assert output.read_bytes() == b"ours"
    assert parts(tmp_path) == []


def test_what_got_its_name_stays(tmp_path: Path) -> None:
    part = begin_part(tmp_path / "out.mp4")
    part.rename(tmp_path / "out.mp4")
    part.close()
    part.close()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_files_of_other_outputs_and_links_are_let_alone(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".a.mp4.0.part").symlink_to(victim)
    (tmp_path / ".b.mp4.0.part").write_text("of another output")
    (tmp_path / ".a.mp4.swp").write_text("an editor's")
    begin_part(tmp_path / "a.mp4").close()
    assert victim.read_text() == "precious"
    assert (tmp_path / ".b.mp4.0.part").exists()
    assert (tmp_path / ".a.mp4.swp").exists()


def test_a_fault_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), output_file(tmp_path / "out", "w"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with output_file(tmp_path / "out", "w") as file:
        file.write("text\n")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o666 & ~mask
