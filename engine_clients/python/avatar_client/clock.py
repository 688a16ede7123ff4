"""The session's time as far as a client can know it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

MAX_SLEW: Final = 0.01
"""The server bends its clock by at most this share."""


class SessionClock:
    """Estimates session time from what the server said it was.

    Every report is older than it says by the time it was under way, so the report that puts the
    session furthest ahead is the best; older ones lose by the slew that may have happened since.

    Args:
        now_nanos: monotonic clock.
    """

    def __init__(self, now_nanos: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_nanos = now_nanos
        self._lock = threading.Lock()
        self._offset: float | None = None
        self._observed_at = 0

    def observe(self, pts_nanos: int) -> None:
        """Take note that session time was `pts_nanos` a moment ago."""
        now = self._now_nanos()
        with self._lock:
            offset = float(pts_nanos - now)
            if self._offset is not None:
                offset = max(offset, self._offset - MAX_SLEW * (now - self._observed_at))
            self._offset, self._observed_at = offset, now

    def pts_nanos(self) -> int:
        """Return the session time now; 0 before the first report."""
        with self._lock:
            return 0 if self._offset is None else round(self._now_nanos() + self._offset)
