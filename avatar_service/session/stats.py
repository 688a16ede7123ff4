"""Counters and recent distributions of one session; bounded however long it lives."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

WINDOW_SECS: Final = 10
"""Percentiles and rates look back this far."""


NOTICE_INTERVAL_NANOS: Final = 500_000_000


class Tally:
    """Counts what is told as one notice per half second, however often it happens."""

    def __init__(self) -> None:
        self.total = 0
        self._untold = 0
        self._told_at: int | None = None

    def add(self) -> None:
        """Count one."""
        self.total += 1
        self._untold += 1

    def take_due(self, mono_nanos: int) -> int:
        """Return how many are to be told now, 0 for none."""
        told = self._told_at
        if not self._untold or (told is not None and mono_nanos - told < NOTICE_INTERVAL_NANOS):
            return 0
        self._told_at = mono_nanos
        count, self._untold = self._untold, 0
        return count


class Recent:
    """The newest values of a quantity, for percentiles; its total over the whole life."""

    def __init__(self, window: int) -> None:
        self._values = np.zeros(window, np.float64)
        self.count = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        """Take one value in."""
        self._values[self.count % len(self._values)] = value
        self.count += 1
        self.total += value

    def newest(self, count: int) -> Float64Array:
        """Return up to `count` of the newest values, in no order."""
        size = len(self._values)
        at = np.arange(self.count - min(count, self.count, size), self.count) % size
        return self._values[at]

    def percentile(self, percent: float) -> float:
        """Return a percentile of the recent values, 0 before the first."""
        if not self.count:
            return 0.0
        return float(np.percentile(self._values[: min(self.count, len(self._values))], percent))

    @property
    def mean(self) -> float:
        """Mean over the whole life, 0 before the first."""
        return self.total / self.count if self.count else 0.0


class SessionStats:
    """What happened in a session so far.

    Attributes:
        frames: latents made.
        published: frames that went out (latents where there are no pictures).
        late: published frames that were not readable at pts + playout delay.
        skipped: pictures left out because they were late before they could be rendered.
        audio_gaps: times that an open segment ran out of samples.
        clipped: samples beyond full scale.
        phones_ignored: phones with unknown symbols.
        speech_secs: speech consumed.
        first_published_nanos: monotonic time of the first frame that went out; None before it.
        last_published_nanos: and of the newest.
        publish_ms: session time at publication minus pts, milliseconds.
        render_ms: wall time of rendering per frame, milliseconds.
        render_cpu_ms: CPU time of rendering per frame, milliseconds.
    """

    def __init__(self, frames_per_sec: float) -> None:
        window = max(round(frames_per_sec * WINDOW_SECS), 1)
        self.frames = 0
        self.published = 0
        self.late_tally = Tally()
        self.skipped_tally = Tally()
        self.audio_gaps = 0
        self.clipped = 0
        self.phones_ignored = 0
        self.speech_secs = 0.0
        self.first_published_nanos: int | None = None
        self.last_published_nanos: int | None = None
        self.publish_ms = Recent(window)
        self.render_ms = Recent(window)
        self.render_cpu_ms = Recent(window)
        self._published_at: deque[int] = deque(maxlen=window)

    @property
    def late(self) -> int:
        """Published frames that were late."""
        return self.late_tally.total

    @property
    def skipped(self) -> int:
        """Pictures left out."""
        return self.skipped_tally.total

    def note_published(self, mono_nanos: int) -> None:
        """Count a frame that went out at this monotonic time."""
        if self.first_published_nanos is None:
            self.first_published_nanos = mono_nanos
        self.last_published_nanos = mono_nanos
        self.published += 1
        self._published_at.append(mono_nanos)

    def frame_rate_hz(self, mono_nanos: int) -> float:
        """Return the frames per second that went out over the last seconds."""
        recent = [at for at in tuple(self._published_at) if mono_nanos - at <= WINDOW_SECS * 1e9]
        if not recent or mono_nanos <= recent[0]:
            return 0.0
        return len(recent) / ((mono_nanos - recent[0]) / 1e9)
