from fractions import Fraction

import pytest
from fakes import ManualClock

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.admission import HEADROOM, Capacity, FrameCost, MeasuredCost
from avatar_service.session.cost_meter import CostMeter, Work
from avatar_service.session.scheduler import Scheduler

pytestmark = pytest.mark.unit
RATE = Fraction(40)
PX = 512**2
QUARTER = FrameCost(base_secs=1 / 800, px_secs=1 / 200 / PX)
"""40 frames a second of this fill a quarter of a core."""


def test_sessions_are_let_in_up_to_the_cores_less_headroom() -> None:
    capacity = Capacity(num_cores=2, max_sessions=100, cost=QUARTER)
    taken = [capacity.reserve(rate=RATE, num_px=PX) for _ in range(5)]
    assert capacity.max_sessions_of(RATE, PX) == 5
    with pytest.raises(AvatarError) as fault:
        capacity.reserve(rate=RATE, num_px=PX)
    assert fault.value.reason is Reason.CAPACITY_EXHAUSTED
    assert fault.value.answer.retry_secs is not None
    capacity.release(taken[0])
    capacity.release(taken[0])
    capacity.reserve(rate=RATE, num_px=PX)
    with pytest.raises(AvatarError):
        capacity.reserve(rate=RATE, num_px=PX)


def test_a_gpu_is_filled_up_to_its_time_less_headroom() -> None:
    cheap = FrameCost(base_secs=1e-6, px_secs=0.0)
    capacity = Capacity(num_cores=16, max_sessions=1000, cost=cheap)
    assert capacity.max_sessions_of(RATE, PX) == 1000
    capacity.calibrate_device(0.09 / 40 / PX)  # 9 % of the GPU's time per session
    assert capacity.max_sessions_of(RATE, PX) == 7
    for _ in range(7):
        capacity.reserve(rate=RATE, num_px=PX)
    with pytest.raises(AvatarError, match="of the GPU's time are in use") as fault:
        capacity.reserve(rate=RATE, num_px=PX)
    assert fault.value.reason is Reason.CAPACITY_EXHAUSTED
    capacity.reserve(rate=RATE, num_px=0)  # latents alone need no GPU


def test_latent_only_sessions_cost_less() -> None:
    capacity = Capacity(num_cores=2, max_sessions=100, cost=QUARTER)
    assert capacity.max_sessions_of(RATE, 0) > 5 * capacity.max_sessions_of(RATE, PX)


def test_the_first_session_is_always_let_in() -> None:
    slow = FrameCost(base_secs=1.0, px_secs=0.0)
    capacity = Capacity(num_cores=1, max_sessions=5, cost=slow)
    capacity.reserve(rate=RATE, num_px=0)
    with pytest.raises(AvatarError):
        capacity.reserve(rate=RATE, num_px=0)


def test_the_model_follows_what_running_sessions_cost() -> None:
    capacity = Capacity(num_cores=2, max_sessions=100, cost=QUARTER)
    for _ in range(50):
        capacity.follow(MeasuredCost(base_secs=1 / 400, px_secs=None, motion_secs=1e-3))
    assert capacity.cost.motion_secs == pytest.approx(1e-3, rel=1e-3)
    assert capacity.cost.base_secs == pytest.approx(1 / 400, rel=1e-3)
    assert capacity.cost.px_secs == QUARTER.px_secs


class Talker:
    """A session on a clock moved by hand: a frame every 25 ms, whose motion takes a while."""

    batch: object | None = None

    def __init__(self, clock: ManualClock, motion_nanos: int) -> None:
        self._clock, self._motion_nanos = clock, motion_nanos
        self.num_frames, self.worst_lag = 0, 0
        self._due = clock.now_nanos()

    def due_at(self) -> int:
        return self._due

    def take_in(self) -> None:
        self.worst_lag = max(self.worst_lag, self._clock.now_nanos() - self._due)

    def produce_motion(self) -> None:
        self._clock.advance(nanos=self._motion_nanos)

    def deliver(self) -> None:
        self.num_frames += 1
        self._due += 25_000_000


def test_a_full_motion_thread_refuses_the_session_that_would_be_late() -> None:
    """Thirty cores are idle, but one thread runs all motion: 1.5 ms of every 25 for each."""
    clock = ManualClock()
    scheduler = Scheduler(clock, num_workers=2, on_fault=lambda *_: None)
    capacity = Capacity(
        num_cores=32, max_sessions=100, cost=FrameCost(3e-3, 0.0, motion_secs=0.2e-3)
    )  # too good a start
    meter = CostMeter(lambda: scheduler.motion_secs, lambda: clock.now_nanos() / 1e9)
    talkers: list[Talker] = []

    def run(secs: float) -> None:
        until = clock.now_nanos() + round(secs * 1e9)
        while clock.now_nanos() < until:
            next_at = scheduler.tick()
            if next_at is not None:
                clock.advance_to(next_at)

    def fill() -> None:
        while True:
            capacity.reserve(rate=RATE, num_px=0)
            talkers.append(Talker(clock, 1_500_000))
            scheduler.add(talkers[-1])
            for _ in range(12):
                run(1.0)
                work = [Work(str(i), one.num_frames, 0, 0.0) for i, one in enumerate(talkers)]
                cost = meter.read(work, len(talkers))
                if cost is not None:
                    capacity.follow(cost)

    with pytest.raises(AvatarError, match="of the motion thread's time are in use") as refused:
        fill()
    assert refused.value.reason is Reason.CAPACITY_EXHAUSTED
    assert refused.value.answer.retry_secs is not None
    assert len(talkers) == int(HEADROOM * 25 / 1.5)
    assert capacity.used_motion <= HEADROOM
    # Nobody was late: each waited for the others at most, which is less than a frame.
    assert max(one.worst_lag for one in talkers) < 25_000_000
    scheduler.stop()
