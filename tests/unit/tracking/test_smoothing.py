"""Smoothing brings no lag, keeps peaks, and holds what was not seen."""

import numpy as np
import pytest

from avatar_service.tracking.smoothing import fill_gaps, hold, smooth

pytestmark = pytest.mark.unit

TIMES = np.arange(60) / 25


def test_a_parabola_passes_unchanged():
    values = np.stack([TIMES**2, 3 - TIMES], 1)
    np.testing.assert_allclose(smooth(values, TIMES, 0.2), values, atol=1e-9)


def test_noise_falls_and_nothing_comes_late():
    clean = np.sin(2 * np.pi * 1.5 * TIMES)
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, len(TIMES))
    smoothed = smooth(noisy, TIMES, 0.2)
    inner = slice(5, -5)
    # Five points and a parabola leave sqrt(17 / 35) = 0.70 of white noise.
    assert np.std((smoothed - clean)[inner]) < 0.85 * np.std((noisy - clean)[inner])
    lags = range(-3, 4)
    fit = [np.corrcoef(np.roll(smoothed, -lag)[inner], clean[inner])[0, 1] for lag in lags]
    assert list(lags)[int(np.argmax(fit))] == 0


def test_uneven_times_are_weighed_by_time():
    times = np.sort(np.random.default_rng(1).uniform(0, 2, 80))
    np.testing.assert_allclose(smooth(2 * times**2, times, 0.3), 2 * times**2, atol=1e-8)


def test_gaps_are_bridged_or_held():
    known = np.array([False, True, False, True, False])
    values = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])
    times = np.arange(5.0)
    np.testing.assert_allclose(fill_gaps(values, known, times), [1, 1, 2, 3, 3])
    np.testing.assert_allclose(hold(values, known), [1, 1, 1, 3, 3])
    assert not fill_gaps(values, np.zeros(5, bool), times).any()
