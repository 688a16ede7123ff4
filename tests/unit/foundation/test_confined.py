"""Work in a bounded process: each bound holds, and what comes after goes on."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import hostile_work

from avatar_service import sealed
from avatar_service.confined import GIB, Bounds, ConfinedWorker, WorkFailed, confined_items
from avatar_service.errors import AvatarError, Reason

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel's bounds are Linux's here"),
]


@pytest.fixture(scope="module")
def worker() -> Iterator[ConfinedWorker]:
    bounds = Bounds(memory_bytes=GIB // 4, cpu_secs=1.0, wall_secs=100.0, file_bytes=1 << 20)
    made = ConfinedWorker(bounds, niceness=3)
    yield made
    made.close()


def test_a_result_comes_back_from_one_kept_process(worker: ConfinedWorker) -> None:
    first = worker.run(hostile_work.process_id)
    assert first != os.getpid()
    assert worker.run(hostile_work.process_id) == first
    assert worker.run(hostile_work.allocate, 0.1) == 1
    core, niceness = worker.run(hostile_work.limits)
    assert core == 0, "no core dump with a photo in it"
    assert niceness >= 3


@pytest.mark.parametrize(
    ("work", "arguments", "told"),
    [
        (hostile_work.allocate, (1.0,), "GiB of memory"),
        (hostile_work.spin, (), "CPU time"),
        (hostile_work.crash, (), "ended"),
        (hostile_work.crash, (signal.SIGKILL,), "ended"),
    ],
)
def test_a_bound_ends_the_work_and_the_next_piece_goes_on(
    worker: ConfinedWorker, work, arguments, told: str
) -> None:
    with pytest.raises(WorkFailed, match=told):
        worker.run(work, *arguments)
    assert worker.run(hostile_work.sleep, 0.0) == 0.0


def test_work_that_stalls_is_ended() -> None:
    worker = ConfinedWorker(Bounds(wall_secs=0.2))
    with pytest.raises(WorkFailed, match="longer than"):
        worker.run(hostile_work.sleep, 60.0)
    worker.close()


def test_faults_are_told_and_the_text_of_strangers_is_not(worker: ConfinedWorker) -> None:
    with pytest.raises(AvatarError) as refusal:
        worker.run(hostile_work.refuse)
    assert (refusal.value.reason, refusal.value.field) == (Reason.INVALID_IMAGE, "photo")
    with pytest.raises(WorkFailed) as failure:
        worker.run(hostile_work.leak_text)
    assert "secret" not in str(failure.value)


def test_no_huge_file_is_written(worker: ConfinedWorker, tmp_path: Path) -> None:
    with pytest.raises(WorkFailed):
        worker.run(hostile_work.write_much, str(tmp_path / "file"), 2 << 20)


def test_a_sealed_process_reads_and_answers_and_does_nothing_else(tmp_path: Path) -> None:
    if not sealed.can_seal():
        pytest.skip("NOT TESTED: this machine cannot seal a process (no seccomp)")
    (tmp_path / "there").write_text("as it was")
    worker = ConfinedWorker(Bounds(is_sealed=True))
    try:
        told = worker.run(hostile_work.break_out, str(tmp_path))
        assert told.pop("read a file") == "done"
        assert told.pop("start a thread") == "done"
        assert set(told.values()) == {"EPERM"}, told
        with pytest.raises(WorkFailed, match="ended"):
            worker.run(os.abort)  # a crash is still a crash
    finally:
        worker.close()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "as it was"


@pytest.mark.parametrize(
    ("last", "fault"),
    [("end", None), ("refuse", AvatarError), ("crash", WorkFailed), ("stall", WorkFailed)],
)
def test_items_come_until_something_happens(last: str, fault: type[Exception] | None) -> None:
    items = confined_items(Bounds(wall_secs=0.3), hostile_work.count_then, last)
    assert (next(items), next(items)) == (1, 2)
    if fault is None:
        assert list(items) == []
    else:
        with pytest.raises(fault):
            next(items)


def test_items_nobody_wants_any_more_end_their_process() -> None:
    others = _children()  # of tests before this one
    items = confined_items(Bounds(), hostile_work.count_then, "stall")
    next(items)
    children = _children() - others
    assert children
    items.close()
    deadline = time.monotonic() + 5
    while children & _children() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not children & _children()


def _children() -> set[int]:
    import psutil

    return {
        child.pid
        for child in psutil.Process().children()
        if "spawn_main" in " ".join(child.cmdline())
    }
