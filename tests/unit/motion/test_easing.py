import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.motion.easing import TICK_SECS, Follower, Springs, ease, hermite, soft_limit

pytestmark = pytest.mark.unit


def test_follower_covers_90_percent_in_its_settle_time_without_overshoot() -> None:
    follower = Follower(np.zeros(1), 0.28)
    values = []
    for _ in range(40):
        follower.step(np.ones(1))
        values.append(float(follower.value[0]))
    assert values[6] == pytest.approx(0.9, abs=0.005)  # 7 ticks = 0.28 s
    assert max(values) <= 1.0
    assert values[0] > 0.02  # something happens in the first tick
    assert values[-1] == pytest.approx(1.0, abs=1e-6)


def test_follower_velocity_is_the_slope_of_its_value() -> None:
    fine, coarse = Follower(np.zeros(1), 0.3, 1e-4), Follower(np.zeros(1), 0.3)
    for _ in range(4):
        coarse.step(np.ones(1))
    for _ in range(round(4 * TICK_SECS / 1e-4)):
        before = float(fine.value[0])
        fine.step(np.ones(1))
    assert float(fine.value[0]) == pytest.approx(float(coarse.value[0]), abs=1e-9)
    slope = (float(fine.value[0]) - before) / 1e-4
    assert slope == pytest.approx(float(coarse.velocity[0]), abs=1e-2)


def test_springs_do_not_depend_on_the_tick_length() -> None:
    frequency, damping = np.array([0.5, 1.5, 3.0]), np.array([0.8, 0.5, 0.3])
    coarse, fine = Springs(frequency, damping, 0.04), Springs(frequency, damping, 0.001)
    target = np.array([1.0, -2.0, 0.5])
    for _ in range(25):
        coarse.step(target)
    for _ in range(1000):
        fine.step(target)
    np.testing.assert_allclose(coarse.value, fine.value, atol=1e-9)
    np.testing.assert_allclose(coarse.velocity, fine.velocity, atol=1e-8)


def test_noise_gain_gives_unit_deviation() -> None:
    springs = Springs(np.array([0.4, 1.2, 3.0]), np.array([0.6, 0.5, 0.45]))
    gain = springs.noise_gain()
    rng = np.random.default_rng(0)
    values = []
    for noise in rng.standard_normal((20_000, 3)):
        springs.step(gain * noise)
        values.append(springs.value)
    np.testing.assert_allclose(np.std(values, axis=0), 1.0, atol=0.06)


def test_hermite_meets_values_and_rates_of_both_ends() -> None:
    ends = (np.array([1.0]), np.array([-3.0]), np.array([2.0]), np.array([5.0]))
    low = [hermite(s, 0.04, *ends)[0] for s in (0.0, 1e-6)]
    high = [hermite(s, 0.04, *ends)[0] for s in (1 - 1e-6, 1.0)]
    assert low[0] == 1.0
    assert high[1] == 2.0
    assert (low[1] - low[0]) / (1e-6 * 0.04) == pytest.approx(-3.0, rel=1e-3)
    assert (high[1] - high[0]) / (1e-6 * 0.04) == pytest.approx(5.0, rel=1e-3)


@settings(deadline=None)  # the first call compiles
@given(st.floats(-1e6, 1e6), st.floats(0.01, 10))
def test_soft_limit_is_bounded_odd_and_identity_near_zero(x: float, limit: float) -> None:
    y = soft_limit(x, limit)
    assert abs(y) <= limit * (1 + 1e-9)
    assert soft_limit(-x, limit) == -y
    if abs(x) <= 0.7 * limit:
        assert y == x


def test_ease_is_monotonic_and_flat_outside() -> None:
    values = [ease(x) for x in np.linspace(-0.5, 1.5, 201)]
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert (np.diff(values) >= 0).all()
    assert ease(0.5) == pytest.approx(0.5)
