"""How many sessions fit: the cost of a second of each, in CPU seconds, against the cores.

The cost model is measured at start (a short benchmark) and corrected by what running sessions
really cost: motion per frame plus rendering per pixel.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from avatar_service.errors import AvatarError, Reason

HEADROOM: Final = 0.85
"""Share of the cores that sessions may fill; the rest is for transports and jitter."""


@dataclass(frozen=True, slots=True)
class FrameCost:
    """CPU seconds of one frame.

    Attributes:
        base_secs: motion and publishing.
        px_secs: rendering, per pixel.
    """

    base_secs: float
    px_secs: float

    def of_session(self, rate: Fraction, num_px: int) -> float:
        """Return the cores that a session fills."""
        return float(rate) * (self.base_secs + self.px_secs * num_px)


class Capacity:
    """What is in use of the machine.

    Args:
        max_sessions: bound beside the measured one.
    """

    def __init__(self, cost: FrameCost, *, num_cores: float, max_sessions: int) -> None:
        self._cost = cost
        self._limit = num_cores * HEADROOM
        self._max_sessions = max_sessions
        self._lock = threading.Lock()
        self._in_use = 0.0
        self._num_sessions = 0

    @property
    def cost(self) -> FrameCost:
        """The measured cost of a frame."""
        return self._cost

    def max_sessions_of(self, rate: Fraction, num_px: int) -> int:
        """Return how many equal sessions fit on an idle machine."""
        return min(self._max_sessions, int(self._limit / self._cost.of_session(rate, num_px)))

    def reserve(self, *, rate: Fraction, num_px: int) -> float:
        """Set aside what a session needs and return it. Raises CAPACITY_EXHAUSTED.

        The first session is always let in: a small machine shows late frames, not nothing.
        """
        need = self._cost.of_session(rate, num_px)
        with self._lock:
            if self._num_sessions >= self._max_sessions:
                raise AvatarError(
                    Reason.CAPACITY_EXHAUSTED,
                    f"{self._num_sessions} sessions run; {self._max_sessions} are allowed",
                )
            if self._num_sessions and self._in_use + need > self._limit:
                raise AvatarError(
                    Reason.CAPACITY_EXHAUSTED,
                    f"{self._in_use:.2f} of {self._limit:.2f} cores are in use and this session "
                    f"needs {need:.2f}; close one, or ask for fewer frames or pixels",
                )
            self._in_use += need
            self._num_sessions += 1
        return need

    def release(self, cost: float) -> None:
        """Give back what `reserve` returned."""
        with self._lock:
            self._num_sessions -= 1
            self._in_use = max(self._in_use - cost, 0.0) if self._num_sessions else 0.0
