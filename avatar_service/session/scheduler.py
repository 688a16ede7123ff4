"""The tick: at each moment all sessions that are due run as one batch on a small pool.

Motion of all due sessions first, then rendering and publishing of all of them: the order in which
a batched renderer can take them together. Kernels run without the GIL, so a pool of threads as
wide as the machine is enough. A session that fails is taken out; the others go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from avatar_service.session.clock import Clock

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECS: Final = 1.0


class Tickable(Protocol):
    """What the scheduler drives (a Session)."""

    def due_at(self) -> int | None:
        """Return the monotonic time of the next work, None if there is none."""
        ...

    def produce_motion(self) -> None:
        """Run the first phase."""
        ...

    def deliver(self) -> None:
        """Run the second phase."""
        ...


class Scheduler:
    """Drives all sessions of a process from one thread.

    Args:
        num_workers: width of the pool; a batch of one runs on the scheduler's own thread.
        on_fault: called with a session that raised, after it was taken out.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        num_workers: int,
        on_fault: Callable[[Tickable, Exception], None],
    ) -> None:
        self._clock = clock
        self._on_fault = on_fault
        self._pool = ThreadPoolExecutor(num_workers, thread_name_prefix="render")
        self._changed = threading.Condition()
        self._sessions: tuple[Tickable, ...] = ()
        self._num_ticks = 0
        self._is_ticking = False
        self._was_woken = False
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to tick on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking; idempotent."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._pool.shutdown()

    def add(self, session: Tickable) -> None:
        """Drive a session from now on."""
        with self._changed:
            self._sessions = (*self._sessions, session)
        self.wake()

    def remove(self, session: Tickable) -> None:
        """Let go of a session; when this returns no tick touches it any more."""
        with self._changed:
            self._sessions = tuple(one for one in self._sessions if one is not session)
            now = self._num_ticks
            self._changed.wait_for(lambda: not self._is_ticking or self._num_ticks != now)

    def wake(self) -> None:
        """Look again for due sessions: something was pushed or read."""
        with self._changed:
            self._was_woken = True
            self._changed.notify_all()

    def tick(self) -> int | None:
        """Run everything that is due now; return when the next session is due."""
        with self._changed:
            self._is_ticking = True
        try:
            now = self._clock.now_nanos()
            due = [session for session, at in self._due_times() if at <= now]
            if due:
                due = self._run_phase(due, lambda session: session.produce_motion())
                self._run_phase(due, lambda session: session.deliver())
        finally:
            with self._changed:
                self._is_ticking = False
                self._num_ticks += 1
                self._changed.notify_all()
        return min((at for _, at in self._due_times()), default=None)

    def _due_times(self) -> list[tuple[Tickable, int]]:
        times = []
        for session in self._sessions:
            try:
                at = session.due_at()
            except Exception as fault:
                self._take_out(session, fault)
                continue
            if at is not None:
                times.append((session, at))
        return times

    def _take_out(self, session: Tickable, fault: Exception) -> None:
        with self._changed:
            self._sessions = tuple(one for one in self._sessions if one is not session)
        self._on_fault(session, fault)

    def _run_phase(
        self, sessions: list[Tickable], phase: Callable[[Tickable], None]
    ) -> list[Tickable]:
        def guarded(session: Tickable) -> Tickable | None:
            try:
                phase(session)
            except Exception as fault:
                self._take_out(session, fault)
                return None
            return session

        results: Iterable[Tickable | None]
        if len(sessions) == 1:
            results = [guarded(sessions[0])]
        else:
            results = self._pool.map(guarded, sessions)
        return [session for session in results if session is not None]

    def _run(self) -> None:
        while True:
            next_due = self.tick()
            with self._changed:
                if self._is_stopping:
                    return
                if not self._was_woken:
                    wait = LONGEST_SLEEP_SECS
                    if next_due is not None:
                        wait = min(wait, (next_due - self._clock.now_nanos()) / 1e9)
                    if wait > 0:
                        self._changed.wait(wait)
                self._was_woken = False
