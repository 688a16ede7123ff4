"""Sessions of one device are drawn together; whoever fails there fails alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from fakes import FakeRenderer, ManualClock
from fakes.host_device import HostDevice
from fakes.portraits import astronaut
from rig import Rig, speech

from avatar_service.provenance.watermark import Mark
from avatar_service.render.cuda.batch import BatchRenderer
from avatar_service.render.devices import CudaDevice
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.session.batches import deliver_pictures
from avatar_service.session.clock import MonotonicClock
from avatar_service.session.scheduler import Scheduler, Tickable
from avatar_service.session.settings import SessionSettings
from avatar_service.session.stage_factory import PortraitRenderer
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit
MILLIS = 500
WAIT_SECS = 20


class FakeBatch:
    """Draws what FakeRenderer.shot made, one after the other; notes the batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.fault: Exception | None = None

    def draw(self, shots: Sequence[tuple[FakeRenderer, MotionFrame, np.ndarray]]) -> list:
        self.sizes.append(len(shots))
        if self.fault is not None:
            raise self.fault
        outcomes: list[Exception | None] = []
        for renderer, motion, out in shots:
            try:
                renderer.render(motion, out)
            except ArithmeticError as fault:
                outcomes.append(fault)
            else:
                outcomes.append(None)
        return outcomes


def rigs(count: int, batch: object, **options: int) -> list[Rig]:
    clock = ManualClock()
    made = [Rig(clock=clock, renderer=FakeRenderer(**options)) for _ in range(count)]
    for rig in made:
        rig.renderer.batch = batch
    return made


def run_together(made: list[Rig], millis: float = MILLIS) -> list[tuple[Tickable, Exception]]:
    """Let all run under one scheduler, as the manager sets it up."""
    faults: list[tuple[Tickable, Exception]] = []
    for rig in made:
        rig.scheduler.remove(rig.session)
    first = made[0]
    first.scheduler = Scheduler(
        first.clock,
        num_workers=2,
        on_fault=lambda *both: faults.append(both),
        deliver_together=deliver_pictures,
    )
    for rig in made:
        first.scheduler.add(rig.session)
    first.run(millis)
    first.scheduler.stop()
    return faults


def test_sessions_of_one_device_are_drawn_as_one_batch() -> None:
    batch = FakeBatch()
    made = rigs(5, batch)
    assert not run_together(made)
    assert set(batch.sizes) == {5}
    alone = Rig()
    alone.run(MILLIS)
    assert all(rig.outlet.numbers == alone.outlet.numbers for rig in made)
    assert all(rig.outlet.published_at == alone.outlet.published_at for rig in made)
    assert not any(rig.session.has_work for rig in made)


def test_a_session_alone_on_its_device_is_drawn_alone() -> None:
    batch = FakeBatch()
    made = rigs(1, batch)
    assert not run_together(made)
    assert made[0].outlet.numbers
    assert not batch.sizes


def test_a_picture_that_fails_ends_its_session_only() -> None:
    batch = FakeBatch()
    made = rigs(3, batch)
    made[1].renderer._fail_at = 4
    faults = run_together(made)
    assert [(one, type(fault)) for one, fault in faults] == [(made[1].session, ArithmeticError)]
    assert made[1].outlet.numbers == [1, 2, 3]
    assert made[0].outlet.numbers == made[2].outlet.numbers
    assert len(made[0].outlet.numbers) > 10


def test_a_batch_that_fails_as_a_whole_is_drawn_one_by_one() -> None:
    batch = FakeBatch()
    batch.fault = MemoryError()
    made = rigs(2, batch)
    made[1].renderer._fail_at = 2
    faults = run_together(made)
    assert [type(fault) for _, fault in faults] == [ArithmeticError]
    assert len(made[0].outlet.numbers) > 10


def test_a_publisher_that_fails_ends_its_session_only() -> None:
    batch = FakeBatch()
    made = rigs(2, batch)

    def refuse(*_: object) -> None:
        raise OSError("planted fault")

    made[0].outlet.publish = refuse  # type: ignore[method-assign]
    faults = run_together(made)
    assert [(one, type(fault)) for one, fault in faults] == [(made[0].session, OSError)]
    assert len(made[1].outlet.numbers) > 10


def test_what_falls_due_while_a_batch_is_drawn_makes_up_the_next_one() -> None:
    """On a real clock: while the first batch is held, all others gather in one second batch."""
    is_drawing, go_on = threading.Event(), threading.Event()
    sizes: list[int] = []

    class Work:
        def __init__(self) -> None:
            self.batch = "device"
            self.due: int | None = None

        def due_at(self) -> int | None:
            return self.due

        def take_in(self) -> None: ...

        def produce_motion(self) -> None: ...

        def deliver(self) -> None:
            raise AssertionError("a batch delivers them")

    done = threading.Event()

    def deliver(due: Sequence[Tickable]) -> list[None]:
        sizes.append(len(due))
        is_drawing.set()
        assert go_on.wait(WAIT_SECS)
        for work in due:
            work.due = None  # type: ignore[attr-defined]
        if sum(sizes) == 6:
            done.set()
        return [None] * len(due)

    scheduler = Scheduler(
        MonotonicClock(), num_workers=2, on_fault=lambda *_: None, deliver_together=deliver
    )
    works = [Work() for _ in range(6)]
    for work in works:
        scheduler.add(work)
    scheduler.start()
    works[0].due = 0
    scheduler.wake()
    assert is_drawing.wait(WAIT_SECS)
    for work in works[1:]:
        work.due = 0
        scheduler.wake()
    # All five wait now, or will at the next look; the batch in progress is let go afterwards.
    while len(scheduler._waiting.get("device", [])) < 5:
        threading.Event().wait(0.005)
    go_on.set()
    assert done.wait(WAIT_SECS)
    scheduler.stop()
    assert sizes == [1, 5]


def test_closing_a_session_closes_its_renderer_before_the_ring() -> None:
    rig = Rig()
    order: list[str] = []
    rig.renderer.close = lambda: order.append("renderer")  # type: ignore[method-assign]
    rig.outlet.close = lambda: order.append("ring")  # type: ignore[method-assign]
    rig.session.close()
    assert order == ["renderer", "ring"]


def test_sessions_on_a_device_show_what_sessions_on_the_cpu_show() -> None:
    batch, mark = BatchRenderer(HostDevice()), Mark(7, 9)
    device = CudaDevice(batch)
    settings = SessionSettings(size_px=256)
    clock = ManualClock()
    scaled = ScaledPortrait.of(astronaut(), 256)
    made = [
        Rig(settings, renderer=PortraitRenderer(scaled, mark, device=device), clock=clock)  # type: ignore[arg-type]
        for _ in range(2)
    ]
    pictures: list[np.ndarray] = []
    for rig in made:
        rig.session.push_audio(speech(100))
        rig.outlet.publish = lambda _, pixels: pictures.append(pixels.copy())  # type: ignore[method-assign]
    assert not run_together(made, 120)
    cpu = Rig(settings, renderer=PortraitRenderer(scaled, mark))  # type: ignore[arg-type]
    expected: list[np.ndarray] = []
    cpu.outlet.publish = lambda _, pixels: expected.append(pixels.copy())  # type: ignore[method-assign]
    cpu.session.push_audio(speech(100))
    cpu.run(120)
    assert len(pictures) == 2 * len(expected) > 0
    for k, picture in enumerate(pictures):
        difference = np.abs(picture.astype(int) - expected[k // 2])
        assert (difference.max(2) > 2).mean() < 1e-3
    for rig in made:
        rig.session.close()
    assert batch.num_avatars == 0
    assert not batch.device.pinned  # type: ignore[attr-defined]
