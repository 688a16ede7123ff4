from fractions import Fraction

import pytest

from avatar_service.session.admission import Capacity, FrameCost, MeasuredCost
from avatar_service.session.cost_meter import CostMeter, Work

pytestmark = pytest.mark.unit
PX = 512**2
RATE = Fraction(40)


class Machine:
    """Sessions whose cost is known, on clocks moved by hand."""

    def __init__(self, *, base_secs: float, px_secs: float, motion_secs: float = 1e-3) -> None:
        self.cpu_secs, self.busy_secs = 5.0, 3.0
        self.base_secs, self.px_secs, self.motion_secs = base_secs, px_secs, motion_secs
        self.frames = {"large": 0, "small": 0}
        self.sizes = {"large": PX, "small": PX // 4}

    def run(self, secs: float) -> None:
        for name in self.frames:
            num = round(secs * RATE)
            self.frames[name] += num
            self.cpu_secs += num * (self.base_secs + self.px_secs * self.sizes[name])
            self.busy_secs += num * self.motion_secs

    def work(self) -> list[Work]:
        return [
            Work(name, num, num * self.sizes[name], num * self.sizes[name] * self.px_secs)
            for name, num in self.frames.items()
        ]

    def meter(self) -> CostMeter:
        return CostMeter(lambda: self.busy_secs, lambda: self.cpu_secs)


def check(cost: MeasuredCost | None, *expected: float) -> None:
    assert cost is not None
    assert (cost.base_secs, cost.px_secs, cost.motion_secs) == pytest.approx(expected)


def test_the_cost_of_sessions_of_two_sizes_is_found_again() -> None:
    machine = Machine(base_secs=2e-3, px_secs=4e-3 / PX)
    meter = machine.meter()
    machine.run(3.0)
    assert meter.read(machine.work(), 2) is None
    machine.run(1.0)
    check(meter.read(machine.work(), 2), 2e-3, 4e-3 / PX, 1e-3)


def test_an_interval_in_which_a_session_was_built_is_not_judged() -> None:
    machine = Machine(base_secs=2e-3, px_secs=4e-3 / PX)
    meter = machine.meter()
    meter.read(machine.work(), 2)
    machine.run(1.0)
    machine.cpu_secs += 1.0  # building
    assert meter.read(machine.work(), 3) is None
    machine.run(1.0)
    check(meter.read(machine.work(), 3), 2e-3, 4e-3 / PX, 1e-3)


def test_few_frames_and_other_sessions_say_nothing() -> None:
    machine = Machine(base_secs=2e-3, px_secs=4e-3 / PX)
    meter = machine.meter()
    meter.read(machine.work(), 0)
    machine.run(0.25)
    assert meter.read(machine.work(), 0) is None
    machine.run(1.0)
    assert meter.read(machine.work()[:1], 0) is None


def test_latents_alone_have_no_cost_per_pixel() -> None:
    cpu = iter([0.0, 0.1])
    meter = CostMeter(lambda: 0.0, lambda: next(cpu))
    meter.read([Work("a", 0, 0, 0.0)], 0)
    cost = meter.read([Work("a", 50, 0, 0.0)], 0)
    assert cost == MeasuredCost(base_secs=pytest.approx(2e-3), px_secs=None, motion_secs=0.0)


def test_the_admission_ends_at_what_the_machine_really_holds() -> None:
    machine = Machine(base_secs=2.5e-3, px_secs=5e-3 / PX)
    meter = machine.meter()
    capacity = Capacity(
        num_cores=2, max_sessions=100, cost=FrameCost(base_secs=1e-3, px_secs=1e-3 / PX)
    )
    assert capacity.max_sessions_of(RATE, PX) == 17  # a promise that the machine cannot keep
    for _ in range(60):
        machine.run(1.0)
        cost = meter.read(machine.work(), 0)
        if cost is not None:
            capacity.follow(cost)
    # 7.5 ms of CPU a frame, 40 a second: 0.3 cores each, of 0.7 * 2 cores.
    assert capacity.max_sessions_of(RATE, PX) == 4
