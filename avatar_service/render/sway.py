"""Secondary motion: a head that lags behind the head, for what hangs on it.

Each of the six numbers of the pose drives a damped spring. The state belongs to one renderer and
depends on nothing but the sequence of poses and their times: the same frames give the same
pictures. Where time stands still, runs back or jumps, the spring rests at the pose.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_service.jit import kernel
from avatar_service.signals import Float32Array

FREQUENCY_HZ: Final = 2.3
"""A strand of 5 cm swings at sqrt(g / l) / 2 pi = 2.2 Hz."""
DAMPING: Final = 0.42
MAX_GAP_NANOS: Final = 150_000_000
"""Frames further apart do not belong to one motion."""
_STEPS: Final = 6
TURN_LAG, SHIFT_LAG = 0.20, 0.12
"""Largest distance from the pose, radians and units: hair does not fly off."""


@kernel
def swing(
    state: np.ndarray,
    target: Float32Array,
    seconds: float,
    reset: bool,
    hertz: float,
    damping: float,
    turn_lag: float,
    shift_lag: float,
    out: Float32Array,
) -> None:
    """Move the springs on by one frame (semi-implicit Euler, the target moves evenly).

    Args:
        state: (3, 6) float64: places, speeds, last target; changed in place.
        target: (6,) yaw, pitch, roll, x, y, z.
        seconds: since the last frame.
        reset: put the springs at rest at the target.
        hertz: at which they swing.
        damping: share of the critical one.
        turn_lag: largest distance from the target, radians.
        shift_lag: the same of the shift, units.
        out: (6,) out: places.
    """
    step = seconds / _STEPS
    omega = 2 * math.pi * hertz
    for k in range(6):
        if reset:
            state[0, k], state[1, k] = target[k], 0.0
        else:
            place, speed, last = state[0, k], state[1, k], state[2, k]
            for n in range(_STEPS):
                goal = last + (target[k] - last) * (n + 1) / _STEPS
                pull = omega * omega * (goal - place) - 2.0 * damping * omega * speed
                speed += step * pull
                place += step * speed
            most = turn_lag if k < 3 else shift_lag
            state[0, k] = min(max(place, target[k] - most), target[k] + most)
            state[1, k] = speed
        state[2, k] = target[k]
        out[k] = state[0, k]


class Sway:
    """The lagging pose of one renderer.

    Attributes:
        turn, shift: (3,) each, where the springs are.
        target: (6,) the pose that they follow.
        seconds, is_reset: since the frame before; whether this frame belongs to no motion.
    """

    def __init__(self) -> None:
        self._state = np.zeros((3, 6), np.float64)
        self.target = np.zeros(6, np.float32)
        self.seconds = 0.0
        self.is_reset = True
        self._places = np.zeros(6, np.float32)
        self._last_nanos: int | None = None
        self.turn = self._places[:3]
        self.shift = self._places[3:]

    def follow(self, pts_nanos: int, turn: Float32Array, shift: Float32Array) -> None:
        """Update turn and shift, (3,) each, for a pose at a time.

        Args:
            pts_nanos: of the frame.
            turn: (3,) yaw, pitch, roll, radians.
            shift: (3,) units.
        """
        self.target[:3], self.target[3:] = turn, shift
        gap = -1 if self._last_nanos is None else pts_nanos - self._last_nanos
        self._last_nanos = pts_nanos
        self.seconds, self.is_reset = gap / 1e9, not 0 < gap <= MAX_GAP_NANOS
        swing(
            self._state,
            self.target,
            self.seconds,
            self.is_reset,
            FREQUENCY_HZ,
            DAMPING,
            TURN_LAG,
            SHIFT_LAG,
            self._places,
        )
