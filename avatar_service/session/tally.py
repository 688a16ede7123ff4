"""What all sessions of a process have done since it started, for metrics and the live view.

Nothing is counted here while frames are made: a sweep every second reads what each session counts
of itself anyway and adds what is new. A distribution takes the newest values of the session's own
window; a sweep that came later than the window (10 s) misses the oldest of them, no total.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np

from avatar_service.errors import Reason
from avatar_service.session.managed_session import ManagedSession
from avatar_service.session.stats import Float64Array, Recent

CLOSED_NORMALLY: Final = "CLOSED"
"""Stands where a session ended without a fault."""

LATENCY_BOUNDS_MS: Final = (
    10,
    20,
    30,
    40,
    50,
    60,
    80,
    100,
    120,
    140,
    150,
    170,
    200,
    300,
    500,
    1000,
)
"""Fine around the default playout delay of 150 ms, behind which a frame is late."""
RENDER_BOUNDS_MS: Final = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12.5, 15, 20, 25, 50, 100)
"""A frame of 40 per second has 25 ms."""
FIRST_FRAME_BOUNDS_MS: Final = (50, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000, 30_000)


class Distribution:
    """Counts of values up to each bound, and their sum.

    Args:
        bounds: upper bounds, rising; a last bin beyond them is added.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = np.zeros(len(bounds) + 1, np.int64)
        self.total = 0.0

    def add(self, values: Float64Array) -> None:
        """Count values (num_values,)."""
        if len(values):
            bins = np.searchsorted(self.bounds, values, side="left")
            self.counts += np.bincount(bins, minlength=len(self.counts))
            self.total += float(values.sum())

    def copy(self) -> Distribution:
        """Return the same figures, apart."""
        other = Distribution(self.bounds)
        other.counts, other.total = self.counts.copy(), self.total
        return other


@dataclass(slots=True)
class Totals:
    """Sums over sessions.

    Attributes:
        frames: latents made.
        published: frames that went out.
        late: of these, not readable at pts + playout delay.
        skipped: pictures left out because the machine was too busy.
        dropped_by_streams: frames or latents lost to readers that were too slow.
        audio_gaps: times that an open segment ran out of samples.
        speech_secs: speech consumed.
        render_cpu_secs: CPU time of rendering.
    """

    frames: int = 0
    published: int = 0
    late: int = 0
    skipped: int = 0
    dropped_by_streams: int = 0
    audio_gaps: int = 0
    speech_secs: float = 0.0
    render_cpu_secs: float = 0.0

    def add_change(self, old: Totals, new: Totals) -> None:
        """Add what happened between two readings of one session."""
        for item in fields(self):
            change = getattr(new, item.name) - getattr(old, item.name)
            setattr(self, item.name, getattr(self, item.name) + change)


@dataclass(slots=True)
class _Seen:
    """What was already counted of one session."""

    totals: Totals = field(default_factory=Totals)
    num_latencies: int = 0
    num_renders: int = 0
    has_first_frame: bool = False


@dataclass(frozen=True, slots=True)
class TallyReading:
    """A consistent copy.

    Attributes:
        opened: sessions ever started.
        closed: sessions ever ended, by reason (CLOSED_NORMALLY without a fault).
        latency_ms: session time at publication minus pts.
        render_ms: wall time of rendering a frame.
        first_frame_ms: from the request for a session to its first published frame.
    """

    opened: int
    closed: Mapping[str, int]
    totals: Totals
    latency_ms: Distribution
    render_ms: Distribution
    first_frame_ms: Distribution


class ServiceTally:
    """See the module. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened = 0
        self._closed: Counter[str] = Counter({CLOSED_NORMALLY: 0})
        self._totals = Totals()
        self._latency = Distribution(LATENCY_BOUNDS_MS)
        self._render = Distribution(RENDER_BOUNDS_MS)
        self._first_frame = Distribution(FIRST_FRAME_BOUNDS_MS)
        self._seen: dict[str, _Seen] = {}

    def open(self, managed: ManagedSession) -> None:
        """Count a session that begins."""
        with self._lock:
            self._opened += 1
            self._seen[managed.session_id] = _Seen()

    def follow(self, managed: ManagedSession) -> None:
        """Add what is new in a session."""
        with self._lock:
            seen = self._seen.get(managed.session_id)
            if seen is not None:
                self._add(managed, seen)

    def close(self, managed: ManagedSession, reason: Reason | None) -> None:
        """Add the rest of a session that has ended, and let go of it."""
        with self._lock:
            seen = self._seen.pop(managed.session_id, None)
            if seen is not None:
                self._add(managed, seen)
                self._closed[CLOSED_NORMALLY if reason is None else reason.value] += 1

    def read(self) -> TallyReading:
        """Return the figures as of the last sweep."""
        with self._lock:
            totals = Totals()
            totals.add_change(Totals(), self._totals)
            return TallyReading(
                self._opened,
                dict(self._closed),
                totals,
                self._latency.copy(),
                self._render.copy(),
                self._first_frame.copy(),
            )

    def _add(self, managed: ManagedSession, seen: _Seen) -> None:
        stats = managed.session.stats
        now = Totals(
            frames=stats.frames,
            published=stats.published,
            late=stats.late,
            skipped=stats.skipped,
            dropped_by_streams=managed.session.fanout.num_dropped,
            audio_gaps=stats.audio_gaps,
            speech_secs=stats.speech_secs,
            render_cpu_secs=stats.render_cpu_ms.total / 1e3,
        )
        self._totals.add_change(seen.totals, now)
        seen.totals = now
        seen.num_latencies = _take(stats.publish_ms, seen.num_latencies, self._latency)
        seen.num_renders = _take(stats.render_ms, seen.num_renders, self._render)
        first = stats.first_published_nanos
        if first is not None and not seen.has_first_frame:
            seen.has_first_frame = True
            self._first_frame.add(np.array([(first - managed.asked_at_nanos) / 1e6]))


def _take(recent: Recent, num_taken: int, into: Distribution) -> int:
    count = recent.count
    into.add(recent.newest(count - num_taken))
    return count
