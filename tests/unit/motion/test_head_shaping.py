import numpy as np
import pytest

from avatar_service.motion.head import HeadTick
from avatar_service.motion.head_shaping import HeadShaping

pytestmark = pytest.mark.unit


def gain(hz: float, secs: float = 40.0, drift_db: float = -6.0, slow_db: float = 9.5) -> float:
    """Size of a sine after the filter over that before."""
    time = np.arange(round(secs * 25)) / 25
    shaping, out = HeadShaping(drift_db, slow_db), []
    for t in time:
        value, rate = np.zeros(6), np.zeros(6)
        value[1] = np.sin(2 * np.pi * hz * t)
        rate[1] = 2 * np.pi * hz * np.cos(2 * np.pi * hz * t)
        out.append(shaping.step(HeadTick(value, rate)).value[1])
    return float(np.std(out[len(out) // 2 :]) / np.std(np.sin(2 * np.pi * hz * time)))


def test_slow_movement_is_raised_above_drift_and_above_rapid_movement() -> None:
    slow = gain(0.8)
    assert slow > 2
    assert gain(0.05, secs=200) < 0.4 * slow
    assert gain(5.0) < 0.5 * slow


def test_nothing_asked_for_changes_nothing() -> None:
    for hz in (0.1, 0.8, 4.0):
        assert gain(hz, drift_db=0.0, slow_db=0.0) == pytest.approx(1, abs=1e-6)


def test_rates_stay_the_slopes_of_the_values() -> None:
    random = np.random.default_rng(0)
    line = np.convolve(random.standard_normal(600), np.hanning(15), mode="same")
    rates = np.gradient(line) / 0.04
    shaping = HeadShaping(-6.0, 9.5)
    ticks = [
        shaping.step(HeadTick(np.full(6, v), np.full(6, r)))
        for v, r in zip(line, rates, strict=True)
    ]
    values = np.array([tick.value[1] for tick in ticks])
    slopes = np.gradient(values)[20:-1] / 0.04
    told = np.array([tick.rate[1] for tick in ticks])[20:-1]
    assert np.abs(slopes - told).max() < 0.1 * np.abs(slopes).max()
