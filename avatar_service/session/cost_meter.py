"""What a frame costs, from the CPU time of the whole process: nothing that it does is left out.

What the sessions measure themselves (motion, rendering, publishing) misses the remote calls, the
event loop and the threads of the transports. So the process's CPU time of an interval is divided:
rendering to the pixels drawn, all the rest to the frames made. The one thread that all motion runs
on is counted by the clock, not by its CPU time: while others hold the interpreter it waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from avatar_service.session.admission import MeasuredCost
from avatar_service.session.session import Session

MIN_FRAMES: Final = 40
"""Fewer frames than these say too little."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one session has done so far.

    Attributes:
        session_id: names the session.
        num_frames: latents made.
        num_px: pixels of all its pictures.
        render_secs: CPU time of drawing them.
    """

    session_id: str
    num_frames: int
    num_px: int
    render_secs: float

    @staticmethod
    def of(session: Session) -> Work:
        """Read it off a session's figures."""
        stats, rendered = session.stats, session.stats.render_cpu_ms
        num_px = rendered.count * session.settings.size_px**2
        return Work(session.session_id, stats.frames, num_px, rendered.total / 1e3)


@dataclass(frozen=True, slots=True)
class _Reading:
    cpu_secs: float
    motion_secs: float
    changes: int
    work: dict[str, Work]


class CostMeter:
    """Compares two readings of the same sessions.

    Args:
        motion_secs: time that the motion thread has been busy so far.
        cpu_secs: CPU time of the process so far.
    """

    def __init__(
        self, motion_secs: Callable[[], float], cpu_secs: Callable[[], float] = time.process_time
    ) -> None:
        self._motion_secs, self._cpu_secs = motion_secs, cpu_secs
        self._last: _Reading | None = None

    def read(self, work: Sequence[Work], changes: int) -> MeasuredCost | None:
        """Return what a frame has cost since the last reading.

        Args:
            work: of all running sessions.
            changes: how often a session was built, opened or closed so far. An interval with a
                change is not judged: it holds work that is not of frames.

        Returns:
            None where the interval says nothing.
        """
        by_name = {one.session_id: one for one in work}
        now = _Reading(self._cpu_secs(), self._motion_secs(), changes, by_name)
        last, self._last = self._last, now
        if last is None or last.changes != changes or last.work.keys() != now.work.keys():
            return None
        pairs = [(last.work[name], one) for name, one in now.work.items()]
        num_frames = sum(new.num_frames - old.num_frames for old, new in pairs)
        if num_frames < MIN_FRAMES:
            return None
        num_px = sum(new.num_px - old.num_px for old, new in pairs)
        render_secs = sum(new.render_secs - old.render_secs for old, new in pairs)
        rest = max(0.0, now.cpu_secs - last.cpu_secs - render_secs)
        return MeasuredCost(
            base_secs=rest / num_frames,
            px_secs=render_secs / num_px if num_px else None,
            motion_secs=(now.motion_secs - last.motion_secs) / num_frames,
        )
