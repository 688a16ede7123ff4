"""Random calls at the running service: never INTERNAL, never a hang, never a leak.

Hours of it, at the real service: `python -m tools.fuzz.live --minutes 60`.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import grpc
import pytest
from fakes.service import running_service

from tools.fuzz.live import Holdings, LiveFuzzer, leaks

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="counts descriptors in /proc"),
]

NUM_STEPS = 150
FUZZ_SECS = 4.0
OPENED: list[str] = []
"""Paths that this process opens, while it is watched."""
_watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in ("open", "os.listdir", "os.remove", "os.rename", "os.mkdir"):
        OPENED.extend(str(argument) for argument in arguments if isinstance(argument, str | Path))


def test_random_calls_find_no_fault_and_leave_nothing_behind(tmp_path: Path) -> None:
    global _watching
    sys.addaudithook(_watch)
    pid, folder = os.getpid(), tmp_path / "rings"
    folder.mkdir()
    options = {
        "limits.idle_timeout_secs": 1,
        "quotas.requests_per_sec": 1e6,
        "shm.folder": folder,
    }
    with running_service(tmp_path, **options) as service:
        for number in range(2):  # first, pools are filled and libraries loaded
            before = Holdings.of(pid, folder)
            _watching = number == 1
            with grpc.insecure_channel(service.address) as channel:
                fuzzer = LiveFuzzer(channel, random.Random(20261127 + number))
                ends = time.monotonic() + FUZZ_SECS
                for _ in range(NUM_STEPS):
                    if time.monotonic() > ends:
                        break
                    fuzzer.step()
                fuzzer.finish()
            _watching = False
            assert fuzzer.findings == []
            # Bytes that happen to be a message open sessions that nobody closes: they time out.
            deadline = time.monotonic() + 20.0
            while service.service._manager.num_sessions and time.monotonic() < deadline:
                time.sleep(0.1)
            assert service.service._manager.num_sessions == 0
        assert leaks(before, lambda: Holdings.of(pid, folder), 20.0) == ""
        assert sum(fuzzer.counts.values()) > 10
        # What clients send as names and ids holds paths; none of them is ever opened.
        assert OPENED
        assert [path for path in OPENED if "etc/" in path or "../" in path or "tmp/x" in path] == []
