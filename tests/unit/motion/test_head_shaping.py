import numpy as np
import pytest

from avatar_service.motion.head import HeadTick
from avatar_service.motion.head_shaping import HeadShaping

pytestmark = pytest.mark.unit


def gain(hz: float, axis: int = 1, secs: float = 40.0) -> float:
    """Size of a sine after the filter over that before."""
    time = np.arange(round(secs * 25)) / 25
    shaping, out = HeadShaping(), []
    for t in time:
        value, rate = np.zeros(6), np.zeros(6)
        value[axis] = np.sin(2 * np.pi * hz * t)
        rate[axis] = 2 * np.pi * hz * np.cos(2 * np.pi * hz * t)
        out.append(shaping.step(HeadTick(value, rate)).value[axis])
    return float(np.std(out[len(out) // 2 :]) / np.std(np.sin(2 * np.pi * hz * time)))


def test_slow_movement_is_raised_above_drift_and_above_rapid_movement() -> None:
    slow = gain(0.8)
    assert slow > 2
    assert gain(0.05, secs=200) < 0.4 * slow
    assert gain(5.0) < 0.5 * slow


def test_axes_have_their_own_size() -> None:
    assert gain(0.8, axis=0) > 1.3 * gain(0.8, axis=1)


def test_rates_stay_the_slopes_of_the_values() -> None:
    random = np.random.default_rng(0)
    line = np.convolve(random.standard_normal(600), np.hanning(15), mode="same")
    rates = np.gradient(line) / 0.04
    shaping = HeadShaping()
    ticks = [
        shaping.step(HeadTick(np.full(6, v), np.full(6, r)))
        for v, r in zip(line, rates, strict=True)
    ]
    values = np.array([tick.value[1] for tick in ticks])
    slopes = np.gradient(values)[20:-1] / 0.04
    told = np.array([tick.rate[1] for tick in ticks])[20:-1]
    assert np.abs(slopes - told).max() < 0.1 * np.abs(slopes).max()
