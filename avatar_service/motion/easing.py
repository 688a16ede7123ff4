"""Smooth motion in discrete ticks: followers without overshoot, springs, curves between ticks."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import quick_kernel

FloatArray = NDArray[np.float64]

TICK_SECS: Final = 0.04
"""Life is computed at 25 Hz, and interpolated at each frame's time."""

_SETTLE_OMEGA: Final = 5.322
"""omega * t at which three equal poles have covered 90 %: 1 - exp(-x)(1 + x + x^2 / 2) = 0.9."""


class Follower:
    """Three equal real poles behind a target: no overshoot, continuous up to acceleration.

    Attributes:
        value: (n,) current values.
        velocity: (n,) their rates per second.
    """

    def __init__(self, value: FloatArray, settle_secs: float, tick_secs: float = TICK_SECS) -> None:
        """Start at rest at `value`; `settle_secs` is the time for 90 % of a step."""
        omega = _SETTLE_OMEGA / settle_secs
        a = omega * tick_secs
        decay = math.exp(-a)
        self._omega = omega
        self._matrix = decay * np.array([[1, 0, 0], [a, 1, 0], [a * a / 2, a, 1]])
        self._stages = np.tile(np.asarray(value, np.float64), (3, 1))

    def step(self, target: FloatArray) -> None:
        """Advance one tick towards (n,) `target`."""
        self._stages = _follow(self._stages, self._matrix, target)

    @property
    def value(self) -> FloatArray:
        """Values now."""
        return np.asarray(self._stages[2])

    @property
    def velocity(self) -> FloatArray:
        """Rates now, per second."""
        return np.asarray(self._omega * (self._stages[1] - self._stages[2]))


class Springs:
    """Independent damped springs, exactly discretised, pulled towards targets held over a tick.

    x'' = omega^2 (target - x) - 2 zeta omega x', with zeta < 1.

    Attributes:
        value: (n,) positions.
        velocity: (n,) rates per second.
    """

    def __init__(
        self, frequency_hz: FloatArray, damping: FloatArray, tick_secs: float = TICK_SECS
    ) -> None:
        self.omega = 2 * np.pi * np.asarray(frequency_hz, np.float64)
        self._zeta = np.broadcast_to(np.asarray(damping, np.float64), self.omega.shape)
        self._matrix = self._matrix_over(tick_secs)
        self.value: FloatArray = np.zeros_like(self.omega)
        self.velocity: FloatArray = np.zeros_like(self.omega)

    def step(self, target: FloatArray) -> None:
        """Advance one tick towards (n,) `target`."""
        self.value, self.velocity = _swing(self.value, self.velocity, target, self._matrix)

    def step_over(self, target: FloatArray, secs: float) -> None:
        """Advance by a time that need not be a tick."""
        matrix = self._matrix_over(secs)
        self.value, self.velocity = _swing(self.value, self.velocity, target, matrix)

    def _matrix_over(self, secs: float) -> FloatArray:
        """(4, n): value from value and velocity, velocity from both."""
        omega, zeta = self.omega, self._zeta
        damped = omega * np.sqrt(1 - zeta**2)
        decay = np.exp(-zeta * omega * secs)
        cos, sin = np.cos(damped * secs), np.sin(damped * secs)
        return np.array(
            [
                decay * (cos + zeta * omega / damped * sin),
                decay * sin / damped,
                -(omega**2) * decay * sin / damped,
                decay * (cos - zeta * omega / damped * sin),
            ]
        )

    def kick(self, speed: FloatArray) -> None:
        """Add (n,) `speed` per second: an impulse."""
        self.velocity = self.velocity + speed

    def noise_gain(self) -> FloatArray:
        """(n,) standard deviation of targets, drawn anew each tick, that makes value's one 1.

        The stationary covariance P of (value, velocity) solves P = A P A^T + b b^T.
        """
        a, b, c, d = self._matrix
        push_x, push_v = 1 - a, -c
        one = np.ones_like(a)
        system = np.array(
            [
                [one - a * a, -2 * a * b, -b * b],
                [-a * c, one - (a * d + b * c), -b * d],
                [-c * c, -2 * c * d, one - d * d],
            ]
        )
        forced = np.array([push_x * push_x, push_x * push_v, push_v * push_v])
        covariance = np.linalg.solve(np.moveaxis(system, 2, 0), forced.T[:, :, None])
        return np.asarray(1 / np.sqrt(covariance[:, 0, 0]))


@quick_kernel
def _follow(stages: FloatArray, matrix: FloatArray, target: FloatArray) -> FloatArray:
    """One tick of Follower: (3, n) stages, (3, 3) matrix, (n,) target."""
    out = np.empty_like(stages)
    for i in range(stages.shape[1]):
        for row in range(3):
            left = 0.0
            for column in range(row + 1):
                left += matrix[row, column] * (stages[column, i] - target[i])
            out[row, i] = target[i] + left
    return out


@quick_kernel
def _swing(
    value: FloatArray, velocity: FloatArray, target: FloatArray, matrix: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """One tick of Springs."""
    new_value, new_velocity = np.empty_like(value), np.empty_like(velocity)
    for i in range(len(value)):
        offset = value[i] - target[i]
        new_value[i] = target[i] + matrix[0, i] * offset + matrix[1, i] * velocity[i]
        new_velocity[i] = matrix[2, i] * offset + matrix[3, i] * velocity[i]
    return new_value, new_velocity


@quick_kernel
def hermite(
    fraction: float,
    step_secs: float,
    first: FloatArray,
    first_rate: FloatArray,
    second: FloatArray,
    second_rate: FloatArray,
) -> FloatArray:
    """Cubic Hermite curve at `fraction` 0..1 of a step between two values with given rates."""
    s, t = fraction, 1 - fraction
    a, b = t * t * (1 + 2 * s), s * t * t * step_secs
    c, d = s * s * (1 + 2 * t), s * s * t * step_secs
    out = np.empty_like(first)
    for i in range(len(out)):
        out[i] = a * first[i] + b * first_rate[i] + c * second[i] - d * second_rate[i]
    return out


@quick_kernel
def ease(x: float) -> float:
    """Minimum-jerk step from 0 to 1 over x in 0..1 (Flash & Hogan 1985), flat outside."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    return x * x * x * (10 - 15 * x + 6 * x * x)


@quick_kernel
def soft_limit(x: float, limit: float) -> float:
    """Identity within 70 % of +-limit, then bending smoothly so that it never exceeds it."""
    knee = 0.7 * limit
    over = abs(x) - knee
    if over <= 0:
        return x
    return math.copysign(knee + (limit - knee) * math.tanh(over / (limit - knee)), x)
