"""What a channel of life does next, predicted linearly, and how far off that is.

What the life transformer draws is the whitened error of this prediction, so that a network which
has learnt nothing already moves smoothly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.jit import quick_kernel
from avatar_service.motion.easing import FloatArray

BLOCK: Final = 2
"""Ticks drawn together: 80 ms, so what is drawn has heard the voice up to 0 to 40 ms before."""
ORDER: Final = 6
"""Past ticks that the linear prediction looks at."""
_Z_LIMIT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Innovations:
    """Linear prediction of each channel over a block, and the spread of its error.

    Attributes:
        predictor: (channels, BLOCK, ORDER) weights of the last ORDER values, oldest first.
        spread: (channels, BLOCK, BLOCK) lower triangular square root of the error's covariance.
        scale: (channels,) standard deviation of the channel.
    """

    predictor: FloatArray
    spread: FloatArray
    scale: FloatArray

    @staticmethod
    def fit(tracks: list[FloatArray], weights: list[float]) -> Innovations:
        """Fit to (T, channels) tracks, weighted."""
        count = tracks[0].shape[1]
        predictor = np.zeros((count, BLOCK, ORDER))
        spread = np.zeros((count, BLOCK, BLOCK))
        scale = np.zeros(count)
        total = sum(weights)
        for channel in range(count):
            left = np.zeros((ORDER, ORDER))
            right = np.zeros((ORDER, BLOCK))
            rows = []
            variance = 0.0
            for track, weight in zip(tracks, weights, strict=True):
                windows = np.lib.stride_tricks.sliding_window_view(track[:, channel], ORDER + BLOCK)
                share = weight / total / len(windows)
                past, future = windows[:, :ORDER], windows[:, ORDER:]
                left += share * past.T @ past
                right += share * past.T @ future
                variance += share * float((future**2).mean(1).sum())
                rows.append((past, future, share))
            scale[channel] = math.sqrt(variance) + 1e-6
            # A ridge keeps what the past does not tell from being believed.
            ridge = 1e-4 * np.trace(left) / ORDER + 1e-12
            weights_here = np.linalg.solve(left + ridge * np.eye(ORDER), right)
            covariance = np.zeros((BLOCK, BLOCK))
            for past, future, share in rows:
                error = future - past @ weights_here
                covariance += share * error.T @ error
            floor = 1e-6 * variance + 1e-12
            spread[channel] = np.linalg.cholesky(covariance + floor * np.eye(BLOCK))
            predictor[channel] = weights_here.T
        return Innovations(predictor, spread, scale)

    def whiten(self, past: FloatArray, block: FloatArray) -> FloatArray:
        """Innovation z (..., BLOCK, channels) of a block after (..., ORDER, channels) values."""
        error = block - self.predict(past)
        return np.asarray(np.einsum("cij,...jc->...ic", np.linalg.inv(self.spread), error))

    def predict(self, past: FloatArray) -> FloatArray:
        """(..., BLOCK, channels) expected after (..., ORDER, channels) values."""
        return np.asarray(np.einsum("cij,...jc->...ic", self.predictor, past))

    def advance(self, past: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Go on by a block.

        Args:
            past: (ORDER, channels) values.
            z: (BLOCK, channels) innovation.

        Returns:
            (BLOCK, channels) values of the block, the (ORDER, channels) past after it, and the
            (channels,) values then expected.
        """
        return _advance(self.predictor, self.spread, past, z)


@quick_kernel
def _advance(
    predictor: FloatArray, spread: FloatArray, past: FloatArray, z: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """See Innovations.advance."""
    channels = past.shape[1]
    values, after = np.empty((BLOCK, channels)), np.empty(channels)
    line = np.empty((ORDER + BLOCK, channels))
    for c in range(channels):
        for k in range(ORDER):
            line[k, c] = past[k, c]
        for i in range(BLOCK):
            value = 0.0
            for k in range(ORDER):
                value += predictor[c, i, k] * past[k, c]
            for j in range(i + 1):
                value += spread[c, i, j] * min(max(z[j, c], -_Z_LIMIT), _Z_LIMIT)
            values[i, c] = line[ORDER + i, c] = value
        after[c] = 0.0
        for k in range(ORDER):
            after[c] += predictor[c, 0, k] * line[BLOCK + k, c]
    return values, line[BLOCK:], after
