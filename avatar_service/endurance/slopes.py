"""Whether a quantity that was sampled for long grows: its slope, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import linregress, t

NUM_BLOCKS: Final = 16
"""Samples that follow each other are alike, so a fit to them all would seem surer than it is: the
line is fitted to the means of this many stretches of equal length instead."""
WARM_UP_SHARE: Final = 0.15
"""Share of the run that is left out at its beginning: caches and pools fill."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A straight line through the samples.

    Attributes:
        per_hour: its slope.
        confidence: half the width of the slope's 95 % interval.
        first, last: the line at both ends.
    """

    per_hour: float
    confidence: float
    first: float
    last: float

    @property
    def is_flat(self) -> bool:
        """Whether zero lies inside the interval, or the slope is negative."""
        return self.per_hour <= self.confidence


def slope_of(at_secs: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Fit a line (least squares on block means, Student's t with NUM_BLOCKS - 2 degrees).

    Args:
        at_secs: times of the samples, rising.
        values: what was sampled.

    Returns:
        None for fewer samples than two for each block.
    """
    times, readings = np.asarray(at_secs, float), np.asarray(values, float)
    if len(times) == 0:
        return None
    kept = times >= times[0] + WARM_UP_SHARE * (times[-1] - times[0])
    times, readings = times[kept], readings[kept]
    if len(times) < 2 * NUM_BLOCKS:
        return None
    hours = np.array([block.mean() for block in np.array_split(times, NUM_BLOCKS)]) / 3600
    means = np.array([block.mean() for block in np.array_split(readings, NUM_BLOCKS)])
    fit = linregress(hours, means)
    # Of a quantity that never moved the library cannot tell an error: there is none.
    half = 0.0 if np.ptp(means) == 0 else float(t.ppf(0.975, NUM_BLOCKS - 2) * fit.stderr)
    line = fit.intercept + fit.slope * np.array([times[0], times[-1]]) / 3600
    return Slope(float(fit.slope), half, float(line[0]), float(line[1]))
