from fractions import Fraction

import pytest

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.admission import Capacity, FrameCost

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
        capacity.follow(base_secs=1 / 400, px_secs=None)
    assert capacity.cost.base_secs == pytest.approx(1 / 400, rel=1e-3)
    assert capacity.cost.px_secs == QUARTER.px_secs
