"""A session that misbehaves does not touch the one beside it."""

import threading

import numpy as np
import pytest
from fakes import FakeRenderer, ManualClock
from rig import EVERYTHING, Rig, speech

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.clock import MonotonicClock
from avatar_service.session.scheduler import Scheduler, Tickable
from avatar_service.session.settings import Pacing, SessionSettings
from avatar_service.session.stats import SessionStats
from avatar_service.signals import Controls, MotionFrame

pytestmark = pytest.mark.unit
MILLIS = 1500
WAIT_SECS = 20


def side_by_side(good: Rig, bad: Rig) -> None:
    """Let both run under one scheduler, on one clock; the bad one first."""
    bad.scheduler.remove(bad.session)
    good.scheduler.remove(good.session)
    good.scheduler.add(bad.session)
    good.scheduler.add(good.session)


def alone() -> tuple[list[int], list[int]]:
    rig = Rig()
    rig.session.push_audio(speech(700))
    rig.run(MILLIS)
    return rig.outlet.published_at, rig.outlet.numbers


def run_beside(bad: Rig, good: Rig) -> SessionStats:
    side_by_side(good, bad)
    good.session.push_audio(speech(700))
    good.run(MILLIS)
    published, numbers = alone()
    assert good.outlet.published_at == published
    assert good.outlet.numbers == numbers
    return good.session.stats


def test_a_reader_that_never_reads_costs_its_own_frames_only() -> None:
    clock = ManualClock()
    bad, good = Rig(clock=clock), Rig(clock=clock)
    stalled = bad.subscribe(EVERYTHING, max_frames=2)
    reader = good.subscribe(EVERYTHING)
    stats = run_beside(bad, good)
    assert stalled.num_dropped > 40
    assert (reader.num_dropped, stats.late, stats.skipped) == (0, 0, 0)


def test_a_flood_of_controls_is_answered_and_stays_with_its_session() -> None:
    clock = ManualClock()
    bad, good = Rig(clock=clock), Rig(clock=clock)
    for k in range(256):
        bad.session.set_controls(Controls(), k, k)
    with pytest.raises(AvatarError) as fault:
        bad.session.set_controls(Controls())
    assert fault.value.reason is Reason.QUOTA_EXCEEDED
    stats = run_beside(bad, good)
    assert not good.motion.controls_at
    assert len(bad.motion.controls_at) == 256
    assert (stats.late, stats.skipped) == (0, 0)


def test_controls_that_the_motion_stage_refuses_end_their_session_only() -> None:
    clock = ManualClock()
    bad, good = Rig(clock=clock), Rig(clock=clock)

    def refuse(controls: Controls, _: int) -> int:
        raise AvatarError(Reason.INVALID_FIELD, f"blink rate {controls.blink_rate}")

    bad.motion.set_controls = refuse  # type: ignore[method-assign]
    bad.session.set_controls(Controls(blink_rate=float("nan")))
    run_beside(bad, good)
    assert [type(fault) for fault in good.faults] == [AvatarError]
    assert not bad.outlet.motions


def test_a_file_in_a_hurry_does_not_delay_a_live_session() -> None:
    clock = ManualClock()
    bad = Rig(SessionSettings(size_px=64, pacing=Pacing.BURST), clock=clock)
    bad.session.push_audio(speech(20_000))
    good = Rig(clock=clock)
    run_beside(bad, good)
    assert bad.outlet.motions


def test_a_huge_picture_that_takes_long_does_not_delay_a_small_one() -> None:
    clock = MonotonicClock()
    small_is_done = threading.Event()

    class Slow(FakeRenderer):
        def render(self, motion: MotionFrame, out: np.ndarray) -> None:
            # Drawing the first huge picture lasts longer than ten small ones together.
            assert small_is_done.wait(WAIT_SECS)
            super().render(motion, out)

    huge = Rig(SessionSettings(size_px=1024), renderer=Slow(), clock=clock)  # type: ignore[arg-type]
    small = Rig(SessionSettings(size_px=256), clock=clock)  # type: ignore[arg-type]
    deliver = small.session.deliver

    def count() -> None:
        deliver()
        if len(small.outlet.motions) >= 10:
            small_is_done.set()

    small.session.deliver = count  # type: ignore[method-assign]
    faults: list[tuple[Tickable, Exception]] = []
    scheduler = Scheduler(clock, num_workers=2, on_fault=lambda *both: faults.append(both))
    scheduler.add(huge.session)
    scheduler.add(small.session)
    scheduler.start()
    assert small_is_done.wait(WAIT_SECS)
    scheduler.stop()
    assert not faults
    assert len(small.outlet.motions) >= 10
