"""How many sessions fit: what each fills of the cores, of the motion thread, of a GPU that draws.

The cost of a frame is rendering per pixel, plus all else per frame: motion, publishing, remote
calls. Motion is measured at the start and rendering when the first renderer is built, both with
cold caches; then the cost follows the CPU time of the whole process (cost_meter). The motion of all
sessions runs on one thread, which fills up before the cores where there are many of them, or a GPU
draws: what it spends on a frame is followed likewise, by the clock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from avatar_service.errors import AvatarError, Reason

HEADROOM: Final = 0.7
"""Share of each resource that sessions may fill. Frames of several sessions fall due at the same
moment now and then and wait for each other, and the machine has other work; a frame may wait half
of the playout delay at most."""
FOLLOW: Final = 0.2
"""Weight of a new measurement of running sessions."""


@dataclass(frozen=True, slots=True)
class FrameCost:
    """What one frame takes.

    Attributes:
        base_secs: CPU seconds of all but rendering.
        px_secs: CPU seconds of rendering, per pixel.
        motion_secs: seconds of the motion thread, part of `base_secs`.
    """

    base_secs: float
    px_secs: float
    motion_secs: float = 0.0

    def of_session(self, rate: Fraction, num_px: int) -> float:
        """Return the cores that a session fills."""
        return float(rate) * (self.base_secs + self.px_secs * num_px)


@dataclass(frozen=True, slots=True)
class MeasuredCost:
    """What a frame of running sessions has cost, as in FrameCost; no px_secs without pictures."""

    base_secs: float
    px_secs: float | None
    motion_secs: float


ESTIMATE: Final = FrameCost(base_secs=3e-3, px_secs=5.5e-3 / 512**2, motion_secs=1e-3)
"""Until something was measured, as sessions that open together do: what a picture of 512x512 costs
with cold caches on a shared server core (`avatar bench render`: 3.3 ms warm)."""


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """What one session needs, and whose it is; identity names it."""

    rate: Fraction
    num_px: int
    owner: str = ""


class Capacity:
    """What is in use of the machine. Thread-safe.

    Args:
        max_sessions: bound beside the measured one.
        max_per_owner: sessions of one client; None: as many as there are.
    """

    def __init__(
        self,
        *,
        num_cores: float,
        max_sessions: int,
        max_per_owner: int | None = None,
        cost: FrameCost = ESTIMATE,
    ) -> None:
        self.max_sessions = max_sessions
        self._max_per_owner = max_sessions if max_per_owner is None else max_per_owner
        self._cost = cost
        self._limit = num_cores * HEADROOM
        self._device_px_secs = 0.0
        self._lock = threading.Lock()
        self._reservations: set[Reservation] = set()

    @property
    def cost(self) -> FrameCost:
        """The cost of a frame as it is known now."""
        return self._cost

    @property
    def limit_cores(self) -> float:
        """Cores that sessions may fill."""
        return self._limit

    @property
    def used_cores(self) -> float:
        """Cores that the open sessions fill, by the model of today."""
        with self._lock:
            return sum(self._cost.of_session(one.rate, one.num_px) for one in self._reservations)

    @property
    def used_motion(self) -> float:
        """Share of the motion thread's time that the open sessions fill, 1 all of it."""
        with self._lock:
            return sum(float(one.rate) for one in self._reservations) * self._cost.motion_secs

    def calibrate(self, cost: FrameCost) -> None:
        """Take a benchmark's measurement for the truth."""
        self._cost = cost

    def calibrate_device(self, px_secs: float) -> None:
        """Take the time that a GPU needs per pixel, in a batch, for the truth."""
        self._device_px_secs = px_secs

    def follow(self, cost: MeasuredCost) -> None:
        """Move the model towards what running sessions cost."""
        now = self._cost
        px_secs = now.px_secs if cost.px_secs is None else cost.px_secs
        self._cost = FrameCost(
            now.base_secs + FOLLOW * (cost.base_secs - now.base_secs),
            now.px_secs + FOLLOW * (px_secs - now.px_secs),
            now.motion_secs + FOLLOW * (cost.motion_secs - now.motion_secs),
        )

    def max_sessions_of(self, rate: Fraction, num_px: int) -> int:
        """Return how many equal sessions fit on the idle machine, at least one."""
        fitting = min(int(limit / need) for need, limit, _ in self._needs(rate, num_px) if need > 0)
        return max(1, min(self.max_sessions, fitting))

    def reserve(self, *, rate: Fraction, num_px: int, owner: str = "") -> Reservation:
        """Set aside what a session needs. Raises CAPACITY_EXHAUSTED, QUOTA_EXCEEDED.

        The first session is always let in: a small machine shows late frames, not nothing.
        """
        with self._lock:
            num_owned = sum(one.owner == owner for one in self._reservations)
            if num_owned >= self._max_per_owner:
                raise AvatarError(
                    Reason.QUOTA_EXCEEDED,
                    f"{num_owned} sessions of this client run; {self._max_per_owner} are allowed",
                )
            if len(self._reservations) >= self.max_sessions:
                raise AvatarError(
                    Reason.CAPACITY_EXHAUSTED,
                    f"{len(self._reservations)} sessions run; {self.max_sessions} are allowed",
                )
            self._check_room(rate, num_px)
            reservation = Reservation(rate, num_px, owner)
            self._reservations.add(reservation)
        return reservation

    def _check_room(self, rate: Fraction, num_px: int) -> None:
        if not self._reservations:
            return
        used = [0.0, 0.0, 0.0]
        for one in self._reservations:
            for k, (need, _, _) in enumerate(self._needs(one.rate, one.num_px)):
                used[k] += need
        for in_use, (need, limit, what) in zip(used, self._needs(rate, num_px), strict=True):
            if need > 0 and in_use + need > limit:
                raise AvatarError(
                    Reason.CAPACITY_EXHAUSTED,
                    f"{in_use:.2f} of {limit:.2f} {what} are in use and this session "
                    f"needs {need:.2f}; close one, or ask for fewer frames or pixels",
                )

    def _needs(self, rate: Fraction, num_px: int) -> tuple[tuple[float, float, str], ...]:
        """Return what a session fills of each resource, how much may be filled, and its name."""
        return (
            (self._cost.of_session(rate, num_px), self._limit, "cores"),
            (float(rate) * self._cost.motion_secs, HEADROOM, "of the motion thread's time"),
            (float(rate) * num_px * self._device_px_secs, HEADROOM, "of the GPU's time"),
        )

    def release(self, reservation: Reservation) -> None:
        """Give back what `reserve` returned; idempotent."""
        with self._lock:
            self._reservations.discard(reservation)
