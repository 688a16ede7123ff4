"""How one session does, judged by its newest frames."""

from __future__ import annotations

from enum import Enum
from typing import Final

import numpy as np

from avatar_service.session.managed_session import ManagedSession
from avatar_service.session.settings import MILLI, Pacing

STALLED_NANOS: Final = 1_000_000_000
"""A real-time session whose newest frame is older than this (or than four frames, where they are
rarer) stands still."""
STALLED_FRAMES: Final = 4
LATE_SHARE: Final = 0.01
"""More late frames than this, of those of the last seconds, are told."""


class SessionHealth(Enum):
    """What a probe is told."""

    HEALTHY = "healthy"
    LATE = "late"
    STALLED = "stalled"
    ENDED = "ended"


def health_of(managed: ManagedSession, now_nanos: int) -> SessionHealth:
    """Judge a session at a monotonic time.

    BURST sessions have no time to keep: they are healthy until they end.
    """
    session = managed.session
    if session.is_closed:
        return SessionHealth.ENDED
    settings, stats = session.settings, session.stats
    if settings.pacing is Pacing.BURST:
        return SessionHealth.HEALTHY
    newest = stats.last_published_nanos or managed.started_at_nanos
    patience = max(STALLED_NANOS, round(STALLED_FRAMES * 1e9 / settings.rate))
    if now_nanos - newest > patience + settings.playout_delay_nanos:
        return SessionHealth.STALLED
    latencies = stats.publish_ms.newest(stats.publish_ms.count)
    num_late = np.count_nonzero(latencies > settings.playout_delay_nanos / MILLI)
    return SessionHealth.LATE if num_late > LATE_SHARE * len(latencies) else SessionHealth.HEALTHY
