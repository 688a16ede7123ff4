from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_service.session.clock import FrameGrid, PlaybackClock

pytestmark = pytest.mark.unit
MILLI = 1_000_000
SECOND = 1_000_000_000


@given(
    st.integers(0, 10**7),
    st.sampled_from(
        [Fraction(40), Fraction(30000, 1001), Fraction(1), Fraction(120), Fraction(7, 3)]
    ),
)
def test_the_grid_finds_the_index_of_its_own_times(index: int, rate: Fraction) -> None:
    grid = FrameGrid(rate)
    pts = grid.pts_of(index)
    assert pts == index * SECOND * rate.denominator // rate.numerator
    assert grid.index_from(pts) == index
    assert grid.index_from(pts + 1) == index + 1


def test_session_time_runs_with_the_monotonic_clock() -> None:
    clock = PlaybackClock(start_nanos=77)
    assert clock.pts_at(77) == 0
    assert clock.pts_at(77 + SECOND) == SECOND
    assert clock.mono_at(SECOND) == 77 + SECOND


@pytest.mark.parametrize("device_rate", [0.995, 1.005])
def test_a_drifting_sound_device_is_followed_for_ten_minutes(device_rate: float) -> None:
    clock = PlaybackClock(start_nanos=0)
    latency = 180 * MILLI
    worst_late = 0
    for step in range(1, 4 * 600):
        now = step * SECOND // 4
        played = round((now - latency) * device_rate)
        clock.acknowledge(played, now)
        distance = clock.pts_at(now) - played - latency
        if step > 40:
            worst_late = max(worst_late, abs(distance))
        assert 0.99 <= clock.rate <= 1.01
    assert worst_late < 15 * MILLI


def test_session_time_never_goes_back_when_the_rate_changes() -> None:
    clock = PlaybackClock(start_nanos=0)
    last = -1
    for step in range(1, 400):
        now = step * 50 * MILLI
        if step % 5 == 0:
            clock.acknowledge(now - 200 * MILLI - (step % 7) * 20 * MILLI, now)
        pts = clock.pts_at(now)
        assert pts > last
        last = pts


def test_a_step_of_the_player_is_not_taken_for_drift() -> None:
    clock = PlaybackClock(start_nanos=0)
    clock.acknowledge(800 * MILLI, SECOND)
    clock.acknowledge(800 * MILLI, 3 * SECOND)
    assert clock.rate == 1.0


def test_without_acknowledgements_real_time_comes_back() -> None:
    clock = PlaybackClock(start_nanos=0)
    clock.acknowledge(SECOND, SECOND)
    clock.acknowledge(SECOND + 900 * MILLI, 2 * SECOND)
    assert clock.rate < 1.0
    before = clock.pts_at(8 * SECOND)
    assert clock.pts_at(9 * SECOND) - before == SECOND
