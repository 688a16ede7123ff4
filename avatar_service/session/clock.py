"""Session time: a monotonic clock, slewed towards what the client has played.

The client's sound device and this machine's clock drift apart by up to some tenths of a percent.
Each playback acknowledgement says which pts is being heard; the session's rate is bent by at most
1 % so that the distance between session time and playback stays what it was at first.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

NANOS: Final = 1_000_000_000
MAX_SLEW: Final = 0.01
"""Largest deviation of the session's rate from real time."""
SLEW_GAIN_PER_SEC: Final = 0.5
"""Proportional gain: a device that drifts by 0.5 % settles 10 ms away."""
DRIFT_SMOOTHING: Final = 0.3
"""Weight of the newest acknowledgement; network jitter is of the order of milliseconds."""
REBASE_NANOS: Final = 250_000_000
"""A larger step is an underrun or a seek of the player, not drift: the reference moves."""
ACKNOWLEDGEMENT_LIFE_NANOS: Final = 5 * NANOS
"""Without news for this long the session runs at real time again."""


class Clock(Protocol):
    """A source of monotonic time."""

    def now_nanos(self) -> int:
        """Return monotonic nanoseconds."""
        ...


class MonotonicClock:
    """The operating system's monotonic clock."""

    def now_nanos(self) -> int:
        """Return monotonic nanoseconds."""
        return time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """Times of the frames: frame k has pts floor(k * 1e9 * den / num), rational rate num/den."""

    rate: Fraction

    def pts_of(self, index: int) -> int:
        """Return the pts of frame `index` in nanoseconds."""
        return index * NANOS * self.rate.denominator // self.rate.numerator

    def index_from(self, pts_nanos: int) -> int:
        """Return the first index whose pts is not before `pts_nanos`."""
        index = -(-pts_nanos * self.rate.numerator // (NANOS * self.rate.denominator))
        while self.pts_of(index) < pts_nanos:
            index += 1
        while index > 0 and self.pts_of(index - 1) >= pts_nanos:
            index -= 1
        return index


class PlaybackClock:
    """Maps monotonic time to session time and back; starts at 0 and always advances."""

    def __init__(self, start_nanos: int) -> None:
        self._anchor_mono = start_nanos
        self._anchor_pts = 0
        self._rate = 1.0
        self._expiry_mono: int | None = None
        self._reference: int | None = None
        self._drift = 0.0

    @property
    def rate(self) -> float:
        """Session seconds per real second, 0.99 to 1.01."""
        return self._rate

    @property
    def drift_nanos(self) -> int:
        """Smoothed distance from the reference; positive: the session runs ahead of playback."""
        return round(self._drift)

    def pts_at(self, mono_nanos: int) -> int:
        """Return the session time at a monotonic time."""
        self._expire(mono_nanos)
        return self._anchor_pts + round((mono_nanos - self._anchor_mono) * self._rate)

    def mono_at(self, pts_nanos: int) -> int:
        """Return the monotonic time at which the session reaches `pts_nanos` at today's rate."""
        return self._anchor_mono + round((pts_nanos - self._anchor_pts) / self._rate)

    def acknowledge(self, played_pts_nanos: int, mono_nanos: int) -> None:
        """Take note that the client hears `played_pts_nanos` at `mono_nanos`."""
        distance = self.pts_at(mono_nanos) - played_pts_nanos
        if self._reference is None or abs(distance - self._reference) > REBASE_NANOS:
            self._reference, self._drift = distance, 0.0
        else:
            self._drift += DRIFT_SMOOTHING * (distance - self._reference - self._drift)
        slew = SLEW_GAIN_PER_SEC * self._drift / NANOS
        self._set_rate(1.0 - min(max(slew, -MAX_SLEW), MAX_SLEW), mono_nanos)
        self._expiry_mono = mono_nanos + ACKNOWLEDGEMENT_LIFE_NANOS

    def _expire(self, mono_nanos: int) -> None:
        if self._expiry_mono is not None and mono_nanos >= self._expiry_mono:
            at, self._expiry_mono = self._expiry_mono, None
            self._reference, self._drift = None, 0.0
            self._set_rate(1.0, at)

    def _set_rate(self, rate: float, mono_nanos: int) -> None:
        self._anchor_pts += round((mono_nanos - self._anchor_mono) * self._rate)
        self._anchor_mono = mono_nanos
        self._rate = rate
