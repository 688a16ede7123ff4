"""One pose in which every channel and sign differs, and tracks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from export_facts import distinct_pose

from avatar_service.signals import MotionFrame


@pytest.fixture
def pose() -> MotionFrame:
    return distinct_pose()


@pytest.fixture
def track() -> Callable[..., Iterator[MotionFrame]]:
    """A track of the pose swelling and shrinking: track(num_frames, fps)."""

    def make(num_frames: int = 12, fps: Fraction = Fraction(30)) -> Iterator[MotionFrame]:
        for k in range(num_frames):
            pts = k * 1_000_000_000 * fps.denominator // fps.numerator
            yield distinct_pose(pts, k, scale=1.0 - 0.9 * abs(np.sin(k * 0.7)))

    return make
