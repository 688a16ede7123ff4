"""A ring's writer that closes it, is killed or stands still, as every client's reader sees it: one
rule, that of protos/ring/v1/frame_ring.toml. The writer is a process of its own."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from avatar_client import RingReader
from avatar_client.gen.avatar.v1 import endpoint_pb2
from fakes import ring_process
from native_abi import UNAVAILABLE, Error, text, u64
from native_build import build
from test_godot_client import GODOT, need

pytestmark = [pytest.mark.e2e, pytest.mark.live]

NOTICED_SECS = 2.5
"""Half of HEARTBEAT_TIMEOUT_NANOS: what is noticed by then, was not noticed by the heartbeat."""
WAIT_SECS = 60

Notice = Callable[[], None]
"""Returns once the writer has gone."""


class Writer:
    """A process that has a ring and publishes one picture."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, ring_process.__file__, "write", str(folder), "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        described = bytes.fromhex(self.process.stdout.readline())
        self.descriptor = endpoint_pb2.RingDescriptor.FromString(described)

    def close_ring(self) -> None:
        """Let it publish, close the ring and end."""
        self.process.communicate("go\n", timeout=WAIT_SECS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    running = Writer(tmp_path)
    yield running
    running.kill()


def python_reader(writer: Writer, tmp_path: Path) -> Notice:
    reader = RingReader(writer.descriptor)
    assert reader.is_alive

    def wait() -> None:
        while reader.next(WAIT_SECS) is not None:
            pass
        assert not reader.is_alive

    return wait


def native_reader(writer: Writer, tmp_path: Path) -> Notice:
    library = ctypes.CDLL(str(build("system") / "libavatar_client.so"))
    error, ring = Error(ctypes.sizeof(Error)), ctypes.c_void_p()
    path = text(writer.descriptor.path)
    assert library.avatar_ring_open(path, ctypes.byref(ring), ctypes.byref(error)) == 0

    def wait() -> None:
        have = u64(1)  # the only picture there will be
        status = library.avatar_ring_wait(ring, have, WAIT_SECS * 1000, ctypes.byref(error))
        assert status == UNAVAILABLE
        library.avatar_ring_close(ring)

    return wait


def godot_reader(writer: Writer, tmp_path: Path) -> Notice:
    need("godot3-server")
    command = ["godot3-server", "--path", str(GODOT), "-s", "demo/ring_check.gd", "--watch"]
    godot = subprocess.Popen(
        [*command, writer.descriptor.path],
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert godot.stdout is not None
    lines = iter(godot.stdout.readline, "")
    watching = next(line for line in lines if line.startswith("WATCH "))
    assert json.loads(watching[6:]) == {"open": True, "live": True}

    def wait() -> None:
        assert any(line.startswith("GONE") for line in lines)
        godot.wait(WAIT_SECS)

    return wait


READERS = {"python": python_reader, "native": native_reader, "godot": godot_reader}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("end", ["closed", "killed"])
def test_every_client_notices_at_once(
    writer: Writer, tmp_path: Path, reader: str, end: str
) -> None:
    wait = READERS[reader](writer, tmp_path)
    time.sleep(0.3)  # quiet for longer than LOOK_NANOS, and alive
    if end == "closed":
        writer.close_ring()
    else:
        writer.kill()
    begin = time.monotonic()
    wait()
    assert time.monotonic() - begin < NOTICED_SECS


def test_a_writer_that_stands_still_is_not_taken_for_dead(writer: Writer) -> None:
    reader = RingReader(writer.descriptor)
    os.kill(writer.process.pid, signal.SIGSTOP)
    assert reader.next(1.0) is None
    assert reader.is_alive
    os.kill(writer.process.pid, signal.SIGCONT)
    assert reader.next(2.0) is None, "it beats again"
    assert reader.is_alive
