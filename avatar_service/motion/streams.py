"""Seeded random numbers, one independent stream for each channel of life.

Every channel draws the same count at every tick whatever happens, so neither a control nor the
speech of one moment reshuffles what any channel draws later.
"""

from __future__ import annotations

import zlib

import numpy as np


def random_stream(seed: int, channel: str) -> np.random.Generator:
    """Generator of one channel; equal seed and name give equal numbers on every machine."""
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([seed & (2**64 - 1), zlib.crc32(channel.encode())]))
    )
