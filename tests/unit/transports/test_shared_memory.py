import grp
import os
import stat
import subprocess
import sys
from collections import namedtuple
from fractions import Fraction
from pathlib import Path

import pytest
from avatar_client.gen.avatar.v1 import endpoint_pb2
from fakes import ring_process

from avatar_service.errors import AvatarError, Reason
from avatar_service.transports import shared_memory
from avatar_service.transports.ring import RingGeometry, RingWriter
from avatar_service.transports.shared_memory import PREFIX, SharedFile

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(sys.platform == "win32", reason="files are locked by flock"),
]
PROGRAM = Path(ring_process.__file__)


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def describe(process):
    return endpoint_pb2.RingDescriptor.FromString(bytes.fromhex(process.stdout.readline()))


def test_too_little_shared_memory_is_told_with_numbers_and_a_remedy(monkeypatch, tmp_path):
    stat = namedtuple("stat", "f_bavail f_frsize f_blocks")
    monkeypatch.setattr(os, "statvfs", lambda _: stat(2560, 4096, 16384))
    with pytest.raises(AvatarError) as caught:
        RingWriter(RingGeometry(1024, 1024, 8), Fraction(40), folder=tmp_path)
    assert caught.value.reason is Reason.STORAGE_EXHAUSTED
    assert "10.0 of 64 MiB free" in caught.value.message
    assert "32.0 MiB" in caught.value.message
    assert "--shm-size" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_memory_that_runs_out_while_it_is_allotted_leaves_nothing_behind(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(AvatarError, match="No space left") as caught:
        RingWriter(RingGeometry(64, 64), Fraction(40), folder=tmp_path)
    assert caught.value.reason is Reason.STORAGE_EXHAUSTED
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told():
    with pytest.raises(AvatarError, match="No such file") as caught:
        shared_memory.SharedFile(Path("/nowhere/at/all"), 4096)
    assert caught.value.reason is Reason.INVALID_FILE


def test_a_file_is_found_under_its_name_only_when_it_is_shown(tmp_path):
    file = shared_memory.SharedFile(tmp_path, 8192)
    assert not file.path.exists()
    assert shared_memory.reclaim_rings(tmp_path) == []
    file.show()
    assert file.path.stat().st_size == 8192
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_the_ring_of_a_killed_writer_is_reclaimed_and_that_of_a_living_one_is_not(tmp_path):
    mine = RingWriter(RingGeometry(16, 16), Fraction(40), folder=tmp_path)
    other = start("write", tmp_path, 10)
    path = Path(describe(other).path)
    assert shared_memory.reclaim_rings(tmp_path) == []
    assert path.exists()
    other.kill()
    other.communicate()
    assert path.exists()
    assert shared_memory.reclaim_rings(tmp_path) == [path]
    assert [*tmp_path.iterdir()] == [mine.path]
    mine.close()


def test_a_half_made_file_of_a_dead_writer_is_reclaimed(tmp_path):
    orphan = tmp_path / f"{shared_memory.PREFIX}0123.tmp"
    orphan.write_bytes(b"")
    unrelated = tmp_path / "something-else"
    unrelated.write_bytes(b"")
    assert shared_memory.reclaim_rings(tmp_path) == [orphan]
    assert unrelated.exists()


def test_a_link_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_bytes(b"x")
    (tmp_path / f"{shared_memory.PREFIX}link").symlink_to(target)
    assert shared_memory.reclaim_rings(tmp_path) == []
    assert target.exists()


def test_a_file_taken_for_an_orphan_before_it_was_locked_is_made_anew(monkeypatch, tmp_path):
    real_lock = shared_memory.lock
    calls = []

    def lock_too_late(fd):
        calls.append(fd)
        if len(calls) == 1:
            for path in tmp_path.iterdir():
                path.unlink()
        real_lock(fd)

    monkeypatch.setattr(shared_memory, "lock", lock_too_late)
    file = shared_memory.SharedFile(tmp_path, 4096)
    file.show()
    assert len(calls) == 2
    assert file.path.exists()
    file.close()


def test_a_reader_that_is_killed_neither_slows_the_writer_nor_leaves_anything(tmp_path):
    ring = RingWriter(RingGeometry(16, 16, 3), Fraction(40), folder=tmp_path)
    from fakes.latents import uniform_motion

    from avatar_service.transports.grpc_messages import ring_descriptor_message

    ring.publish(uniform_motion(0, 1), ring.acquire())
    reader = start("read", ring_descriptor_message(ring).SerializeToString().hex())
    assert reader.stdout.readline().strip() == "holding"
    for seq in range(2, 50):
        ring.publish(uniform_motion(0, seq), ring.acquire())
    reader.kill()
    reader.communicate()
    for seq in range(50, 60):
        ring.publish(uniform_motion(0, seq), ring.acquire())
    assert ring.num_published == 59
    ring.close()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_finds_or_reads_a_ring(tmp_path):
    files = [SharedFile(tmp_path, 4096) for _ in range(3)]
    for file in files:
        assert stat.S_IMODE(os.stat(f"{file.path}.tmp").st_mode) == 0o600, "also half-made"
        file.show()
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert len(file.path.name.removeprefix(PREFIX)) == 32, "128 random bits"
    assert len({file.path.name for file in files}) == 3
    for file in files:
        file.close()


def test_a_ring_for_a_group_is_for_its_readers_only(tmp_path):
    group = grp.getgrgid(os.getgid())
    file = SharedFile(tmp_path, 4096, group=group.gr_name)
    found = os.stat(f"{file.path}.tmp")
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, group.gr_gid)
    file.close()
    with pytest.raises(AvatarError, match="no group"):
        SharedFile(tmp_path, 4096, group="no-such-group")
    assert list(tmp_path.iterdir()) == []
