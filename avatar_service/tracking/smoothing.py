"""Smoothing without lag: every frame is fitted by a parabola through its neighbours.

Savitzky and Golay, Analytical Chemistry 36 (1964): the window is centred, so that nothing comes
late, and a parabola keeps the height of peaks that a mean would shave off. Times need not be even.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.landmark_nets import Float64Array

_ORDER: Final = 2


def smooth(values: Float64Array, times_secs: Float64Array, window_secs: float) -> Float64Array:
    """Smooth (N, ...) values over a centred window; fewer than four frames in it stay as they are.

    Args:
        values: finite.
        times_secs: (N,) rising.
        window_secs: whole width of the window.
    """
    flat = values.reshape(len(values), -1)
    result = flat.copy()
    half = window_secs / 2 + 1e-6
    low = np.searchsorted(times_secs, times_secs - half)
    high = np.searchsorted(times_secs, times_secs + half, side="right")
    for i in range(len(flat)):
        # A window that is not centred would bring a lag: shrink it at the ends.
        reach = min(i - low[i], high[i] - 1 - i)
        if 2 * reach + 1 <= _ORDER + 1:
            continue
        rows = slice(i - reach, i + reach + 1)
        since = (times_secs[rows] - times_secs[i]) / half
        powers = np.vander(since, _ORDER + 1, increasing=True)
        result[i] = np.linalg.lstsq(powers, flat[rows], rcond=None)[0][0]
    return result.reshape(values.shape)


def fill_gaps(
    values: Float64Array, is_known: NDArray[np.bool_], times_secs: Float64Array
) -> Float64Array:
    """Replace unknown rows of (N, ...) by interpolation in time; beyond the ends the next is held.

    Where nothing is known the result is zero.
    """
    if is_known.all():
        return values
    if not is_known.any():
        return np.zeros_like(values)
    flat = values.reshape(len(values), -1).copy()
    for column in range(flat.shape[1]):
        flat[~is_known, column] = np.interp(
            times_secs[~is_known], times_secs[is_known], flat[is_known, column]
        )
    return flat.reshape(values.shape)


def hold(values: Float64Array, is_known: NDArray[np.bool_]) -> Float64Array:
    """Repeat the last known row of (N, ...) where none is known; before the first, the first."""
    known = np.flatnonzero(is_known)
    if not len(known):
        return np.zeros_like(values)
    last = np.maximum.accumulate(np.where(is_known, np.arange(len(values)), known[0]))
    held: Float64Array = values[last]
    return held
