import threading

import pytest
from fakes import ManualClock

from avatar_service.session.clock import MonotonicClock
from avatar_service.session.scheduler import GATHER_NANOS, MANY_SESSIONS, Scheduler

pytestmark = pytest.mark.unit
WAIT_SECS = 10


class Work:
    """Something to drive; `gate` holds its second phase back."""

    batch: object | None = None

    def __init__(self, due: int | None = 0) -> None:
        self.due = due
        self.phases: list[str] = []
        self.is_delivering = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def due_at(self) -> int | None:
        return self.due

    def take_in(self) -> None:
        self.phases.append("take in")

    def produce_motion(self) -> None:
        self.phases.append("motion")

    def deliver(self) -> None:
        self.phases.append("deliver")
        self.is_delivering.set()
        self.gate.wait(WAIT_SECS)
        self.due = None


def test_only_what_is_due_runs_and_the_next_time_is_told() -> None:
    clock = ManualClock(start_nanos=100)
    scheduler = Scheduler(clock, num_workers=2, on_fault=lambda *_: None)
    now, later, never = Work(100), Work(150), Work(None)
    for work in (now, later, never):
        scheduler.add(work)
    assert scheduler.tick() == 150
    assert (now.phases, later.phases, never.phases) == (["take in", "motion", "deliver"], [], [])
    scheduler.stop()


def test_motion_of_all_comes_before_rendering_of_any() -> None:
    order: list[str] = []

    class Noted(Work):
        def produce_motion(self) -> None:
            order.append("motion")

        def deliver(self) -> None:
            order.append("deliver")

    scheduler = Scheduler(ManualClock(), num_workers=2, on_fault=lambda *_: None)
    for _ in range(3):
        scheduler.add(Noted())
    scheduler.tick()
    assert order == ["motion"] * 3 + ["deliver"] * 3
    scheduler.stop()


def test_removing_waits_for_the_tick_in_progress() -> None:
    scheduler = Scheduler(MonotonicClock(), num_workers=1, on_fault=lambda *_: None)
    work = Work()
    work.gate.clear()
    scheduler.start()
    scheduler.add(work)
    assert work.is_delivering.wait(WAIT_SECS)
    removing = threading.Thread(target=scheduler.remove, args=(work,))
    removing.start()
    assert removing.is_alive()
    work.gate.set()
    removing.join(WAIT_SECS)
    assert not removing.is_alive()
    scheduler.stop()


def test_waking_makes_a_sleeping_scheduler_look_again() -> None:
    scheduler = Scheduler(MonotonicClock(), num_workers=1, on_fault=lambda *_: None)
    work = Work(None)
    scheduler.add(work)
    scheduler.start()
    work.due = 0
    scheduler.wake()
    assert work.is_delivering.wait(WAIT_SECS)
    scheduler.stop()
    scheduler.stop()


def test_whatever_fails_is_taken_out_and_told() -> None:
    class Broken(Work):
        def due_at(self) -> int | None:
            raise ArithmeticError

    faults = []
    scheduler = Scheduler(
        ManualClock(), num_workers=1, on_fault=lambda work, fault: faults.append((work, fault))
    )
    broken, sound = Broken(), Work()
    scheduler.add(broken)
    scheduler.add(sound)
    scheduler.tick()
    scheduler.tick()
    assert [(work, type(fault)) for work, fault in faults] == [(broken, ArithmeticError)]
    assert sound.phases == ["take in", "motion", "deliver"]
    scheduler.stop()


def test_a_slow_session_does_not_delay_the_others() -> None:
    scheduler = Scheduler(MonotonicClock(), num_workers=2, on_fault=lambda *_: None)
    slow, quick = Work(), Work(None)
    slow.gate.clear()
    scheduler.add(quick)
    scheduler.add(slow)
    scheduler.start()
    assert slow.is_delivering.wait(WAIT_SECS)
    quick.due = 0
    scheduler.wake()
    assert quick.is_delivering.wait(WAIT_SECS)
    assert slow.phases == ["take in", "motion", "deliver"]
    slow.gate.set()
    scheduler.stop()


def test_the_earliest_due_goes_first_and_work_without_a_deadline_last() -> None:
    order: list[int | None] = []

    class Noted(Work):
        def deliver(self) -> None:
            order.append(self.due)
            self.due = None

    scheduler = Scheduler(ManualClock(start_nanos=100), num_workers=1, on_fault=lambda *_: None)
    for due in (0, 90, 30, 60):
        scheduler.add(Noted(due))
    scheduler.tick()
    assert order == [30, 60, 90, 0]
    scheduler.stop()


def test_what_is_due_together_computes_together_and_one_alone_does_not() -> None:
    batches: list[list[object]] = []
    scheduler = Scheduler(
        ManualClock(),
        num_workers=1,
        on_fault=lambda *_: None,
        compute=lambda due: batches.append(list(due)),
    )
    works = [Work(), Work()]
    for work in works:
        scheduler.add(work)
    scheduler.tick()
    works[0].due = 0
    scheduler.tick()
    assert batches == [works]
    scheduler.stop()


def test_a_batch_that_fails_is_computed_one_by_one() -> None:
    def fail(_: object) -> None:
        raise ArithmeticError

    scheduler = Scheduler(ManualClock(), num_workers=1, on_fault=lambda *_: None, compute=fail)
    works = [Work(), Work()]
    for work in works:
        scheduler.add(work)
    scheduler.tick()
    assert [work.phases for work in works] == [["take in", "motion", "deliver"]] * 2
    scheduler.stop()


def test_many_sessions_wait_for_each_other_and_few_do_not() -> None:
    clock = ManualClock(start_nanos=100)
    scheduler = Scheduler(clock, num_workers=1, on_fault=lambda *_: None)
    works = [Work(1000 + 10 * k) for k in range(MANY_SESSIONS)]
    for work in works[:-1]:
        scheduler.add(work)
    assert scheduler.tick() == 1000
    scheduler.add(works[-1])
    assert scheduler.tick() == 1000 + GATHER_NANOS
    clock.advance_to(1000 + GATHER_NANOS)
    assert scheduler.tick() is None
    assert all(work.phases == ["take in", "motion", "deliver"] for work in works)
    scheduler.stop()
