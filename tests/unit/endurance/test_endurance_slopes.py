import numpy as np
import pytest

from avatar_service.endurance.slopes import slope_of

pytestmark = pytest.mark.unit

AT = np.arange(0, 7200, 5.0)


def test_a_leak_is_found_with_its_size() -> None:
    rng = np.random.default_rng(1)
    slope = slope_of(AT, 500 + 12 * AT / 3600 + rng.normal(0, 5, len(AT)))
    assert slope is not None
    assert slope.per_hour == pytest.approx(12, abs=2)
    assert slope.confidence < 2
    assert not slope.is_flat


def test_noise_that_wanders_slowly_is_flat() -> None:
    rng = np.random.default_rng(2)
    wander = np.repeat(rng.normal(0, 5, len(AT) // 48), 48)
    slope = slope_of(AT, 500 + wander)
    assert slope is not None
    assert slope.is_flat


def test_what_fills_at_the_start_is_no_leak() -> None:
    slope = slope_of(AT, 500 - 100 * np.exp(-AT / 120))
    assert slope is not None
    assert slope.per_hour < 0.5


def test_too_little_says_nothing() -> None:
    assert slope_of(AT[:20], AT[:20]) is None
    assert slope_of([], []) is None


def test_what_never_moves_is_flat_without_an_error() -> None:
    slope = slope_of(AT, np.full(len(AT), 20.0))
    assert slope is not None
    assert (slope.per_hour, slope.confidence) == (0.0, 0.0)
    assert slope.is_flat
