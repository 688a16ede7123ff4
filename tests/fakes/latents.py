"""Latents in which every channel differs, and strategies for arbitrary ones."""

import numpy as np
from hypothesis import strategies as st

from avatar_service.signals import MotionFrame


def distinct_motion(seq: int = 3, epoch: int = 2, pts_nanos: int = 50_000_000) -> MotionFrame:
    """A latent whose 71 values all differ, with both signs where there are signs."""
    return MotionFrame(
        pts_nanos=pts_nanos,
        seq=seq,
        epoch=epoch,
        expression=np.linspace(0.01, 1.24, 52, dtype=np.float32),
        head_rotation=np.array([0.31, -0.22, 0.13], np.float32),
        head_translation=np.array([-0.5, 0.25, 3.5], np.float32),
        gaze=np.array([[0.4, -0.3], [-0.2, 0.1]], np.float32),
        emotion=np.linspace(0.05, 0.95, 8, dtype=np.float32),
        speech=0.77,
    )


def uniform_motion(value: float, seq: int, *, epoch: int = 0, pts_nanos: int = 0) -> MotionFrame:
    """A latent all of whose values are `value`."""
    full = np.full
    return MotionFrame(
        pts_nanos=pts_nanos,
        seq=seq,
        epoch=epoch,
        expression=full(52, value, np.float32),
        head_rotation=full(3, value, np.float32),
        head_translation=full(3, value, np.float32),
        gaze=full((2, 2), value, np.float32),
        emotion=full(8, value, np.float32),
        speech=value,
    )


def _floats(low: float, high: float, *shape: int) -> st.SearchStrategy[np.ndarray]:
    num = int(np.prod(shape))
    one = st.floats(low, high, width=32, allow_nan=False)
    return st.lists(one, min_size=num, max_size=num).map(
        lambda values: np.array(values, np.float32).reshape(shape)
    )


def motions(reach: float = 1.0) -> st.SearchStrategy[MotionFrame]:
    """Latents within `reach` times the wire's range."""
    return st.builds(
        MotionFrame,
        pts_nanos=st.integers(-(1 << 63), (1 << 63) - 1),
        seq=st.integers(0, (1 << 32) - 1),
        epoch=st.integers(0, (1 << 16) - 1),
        expression=_floats(0.0, 1.25 * reach, 52),
        head_rotation=_floats(-3.0 * reach, 3.0 * reach, 3),
        head_translation=_floats(-7.5 * reach, 7.5 * reach, 3),
        gaze=_floats(-3.0 * reach, 3.0 * reach, 2, 2),
        emotion=_floats(0.0, reach, 8),
        speech=st.floats(0.0, reach, width=32),
    )
