"""Pitch of a window of speech: YIN, compiled."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_service.audio.ingest import SAMPLE_RATE_HZ
from avatar_service.jit import kernel
from avatar_service.signals import Float32Array

WINDOW_SAMPLES: Final = 800
"""50 ms, so pitch is 25 ms old on average."""
MIN_F0_HZ: Final = 65.0
MAX_F0_HZ: Final = 400.0
_PITCH_RATE_HZ: Final = SAMPLE_RATE_HZ // 2
_MIN_LAG: Final = int(_PITCH_RATE_HZ / MAX_F0_HZ)  # 20
_MAX_LAG: Final = math.ceil(_PITCH_RATE_HZ / MIN_F0_HZ)  # 124
_PITCH_WINDOW: Final = WINDOW_SAMPLES // 2
_NUM_SUMMED: Final = _PITCH_WINDOW - _MAX_LAG - 1
_DIP_THRESHOLD: Final = 0.15
"""A dip of YIN's normalised difference below this is a period (de Cheveigne & Kawahara 2002)."""


@kernel
def yin(window: Float32Array) -> tuple[float, float]:
    """Pitch in Hz and aperiodicity 0..1 of (WINDOW_SAMPLES,) samples.

    YIN of de Cheveigne & Kawahara, JASA 111 (2002), steps 1-5, at 8 kHz: difference function,
    cumulative mean normalisation, absolute threshold, parabola.
    """
    # [1 2 1] / 4 before dropping every second sample: speech pitch lies far below its roll-off.
    x = np.empty(_PITCH_WINDOW)
    mean = 0.0
    for i in range(_PITCH_WINDOW):
        right = window[2 * i + 2] if 2 * i + 2 < WINDOW_SAMPLES else 0.0
        x[i] = 0.5 * window[2 * i + 1] + 0.25 * (window[2 * i] + right)
        mean += x[i]
    mean /= _PITCH_WINDOW
    for i in range(_PITCH_WINDOW):
        x[i] -= mean
    difference = np.zeros(_MAX_LAG + 1)
    for i in range(_NUM_SUMMED):
        value = x[i]
        for lag in range(_MAX_LAG + 1):
            change = value - x[i + lag]
            difference[lag] += change * change
    normalised = np.ones(_MAX_LAG + 1)
    total = 0.0
    for lag in range(1, _MAX_LAG + 1):
        total += difference[lag]
        normalised[lag] = difference[lag] * lag / max(total, 1e-12)
    best = _MIN_LAG
    for lag in range(_MIN_LAG, _MAX_LAG + 1):
        if normalised[lag] < _DIP_THRESHOLD:
            best = lag
            break
        if normalised[lag] < normalised[best]:
            best = lag
    while best < _MAX_LAG and normalised[best + 1] < normalised[best]:
        best += 1
    period = float(best)
    if best < _MAX_LAG:
        before, after = normalised[best - 1], normalised[best + 1]
        curve = before - 2 * normalised[best] + after
        if curve > 1e-9:
            period += min(0.5, max(-0.5, 0.5 * (before - after) / curve))
    return _PITCH_RATE_HZ / period, min(1.0, max(0.0, normalised[best]))
