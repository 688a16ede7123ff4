"""The tick: at each moment all sessions that are due run together.

Motion first, for all of them as one batch on the scheduler's own thread; then every session's
rendering and publishing goes to a pool as wide as the machine (kernels run without the GIL), the
earliest due first. Sessions of one device (a GPU) are rendered as one batch instead: what falls due
while a batch is drawn makes up the next one, so that batches grow with the load.

The scheduler does not wait for the pool: a session that takes long holds one worker and misses its
own next tick, nobody else's. A session that fails is taken out; the others go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from avatar_service.session.clock import Clock

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECS: Final = 1.0
MANY_SESSIONS: Final = 8
GATHER_NANOS: Final = 2_000_000
"""From so many sessions on the first one that falls due waits this long for others, so that their
networks run as one batch and fewer looks at all sessions are needed."""
WHENEVER_NANOS: Final = 0
"""Due time of work without a deadline: done as soon as there is room, behind what has one."""


class Tickable(Protocol):
    """What the scheduler drives (a Session). One phase at a time runs for one of them."""

    def due_at(self) -> int | None:
        """Return the monotonic time of the next work, None if there is none."""
        ...

    def take_in(self) -> None:
        """Run the first phase: what has arrived goes to the motion stage."""
        ...

    def produce_motion(self) -> None:
        """Run the second phase."""
        ...

    def deliver(self) -> None:
        """Run the third phase, on any thread of the pool."""
        ...

    @property
    def batch(self) -> object | None:
        """Names the device that runs the third phase of several at once; None: each by itself."""
        ...


Compute = Callable[[Sequence[Tickable]], None]
"""Does the motion work of several sessions as one batch, between the first two phases."""
DeliverTogether = Callable[[Sequence[Tickable]], Sequence[Exception | None]]
"""Runs the third phase of sessions of one device; returns what each has raised."""


class Scheduler:
    """Drives all sessions of a process.

    Args:
        num_workers: width of the pool; a lone session runs on the scheduler's own thread.
        on_fault: called with a session that raised, after it was taken out.
        compute: what sessions can do faster together; each does by itself what it leaves.
        deliver_together: the third phase of sessions that share a device.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        num_workers: int,
        on_fault: Callable[[Tickable, Exception], None],
        compute: Compute | None = None,
        deliver_together: DeliverTogether | None = None,
    ) -> None:
        self._clock = clock
        self._on_fault = on_fault
        self._compute = compute
        self._deliver_together = deliver_together
        self._waiting: dict[object, list[Tickable]] = {}
        self._drawing: set[object] = set()
        self._pool = ThreadPoolExecutor(num_workers, thread_name_prefix="render")
        self._changed = threading.Condition()
        self._sessions: tuple[Tickable, ...] = ()
        self._busy: set[Tickable] = set()
        self._was_woken = False
        self._is_stopping = False
        self._motion_nanos = 0
        self._thread: threading.Thread | None = None

    @property
    def num_busy(self) -> int:
        """Sessions whose frame is being made at this moment."""
        return len(self._busy)

    @property
    def motion_secs(self) -> float:
        """Wall time that this one thread has spent so far on what comes before rendering."""
        return self._motion_nanos / 1e9

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
        """Let go of a session; when this returns nothing touches it any more."""
        with self._changed:
            self._sessions = tuple(one for one in self._sessions if one is not session)
            self._changed.wait_for(lambda: session not in self._busy)

    def wake(self) -> None:
        """Look again for due sessions: something was pushed or read."""
        with self._changed:
            self._was_woken = True
            self._changed.notify_all()

    def tick(self) -> int | None:
        """Run all that is due now to its end; return when the next session is due."""
        self._begin_due()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy)
        return self._next_look([at for _, at in self._due_times()])

    def _next_look(self, due: Sequence[int]) -> int | None:
        """Return when to look for due sessions again, None where nothing will be due."""
        gathered = GATHER_NANOS if len(self._sessions) >= MANY_SESSIONS else 0
        return min(due) + gathered if due else None

    def _begin_due(self) -> None:
        """Compute the motion of all that is due and hand the rest to the pool."""
        now = self._clock.now_nanos()
        times = [(session, at) for session, at in self._due_times() if at <= now]
        if not times:
            return
        times.sort(key=lambda pair: (pair[1] == WHENEVER_NANOS, pair[1]))
        with self._changed:
            running = set(self._sessions) - self._busy
            due = [session for session, _ in times if session in running]
            self._busy.update(due)
            is_alone = len(self._sessions) == 1
        due = [one for one in due if self._guarded(one, one.take_in)]
        if len(due) > 1 and self._compute is not None:
            try:
                self._compute(due)
            except Exception:
                # Each computes alone what is left, and whoever raises again is taken out.
                log.exception("the motion of %d sessions failed as a batch", len(due))
        due = [one for one in due if self._guarded(one, one.produce_motion)]
        self._motion_nanos += self._clock.now_nanos() - now
        by_device: dict[object, list[Tickable]] = {}
        for session in due:
            if is_alone:
                self._deliver(session)
            elif session.batch is not None and self._deliver_together is not None:
                by_device.setdefault(session.batch, []).append(session)
            else:
                self._pool.submit(self._deliver, session)
        for device, sessions in by_device.items():
            self._queue(device, sessions)

    def _queue(self, device: object, sessions: Sequence[Tickable]) -> None:
        """Add to a device's next batch; a batch is drawn as soon as the one before is done."""
        with self._changed:
            self._waiting.setdefault(device, []).extend(sessions)
            if device in self._drawing:
                return
            self._drawing.add(device)
        self._pool.submit(self._deliver_batches, device)

    def _deliver_batches(self, device: object) -> None:
        """Deliver all that waits for a device, and what has come meanwhile, until nothing does."""
        assert self._deliver_together is not None
        while True:
            with self._changed:
                sessions = self._waiting.pop(device, [])
                if not sessions:
                    self._drawing.discard(device)
                    return
            try:
                outcomes = self._deliver_together(sessions)
            except Exception as fault:
                outcomes = [fault] * len(sessions)
            for session, outcome in zip(sessions, outcomes, strict=True):
                if outcome is None:
                    self._set_free(session)
                else:
                    self._take_out(session, outcome)

    def _deliver(self, session: Tickable) -> None:
        if self._guarded(session, session.deliver):
            self._set_free(session)

    def _set_free(self, session: Tickable) -> None:
        """Let the session's next tick come; wake the scheduler if it slept over it."""
        try:
            at = session.due_at()
        except Exception:
            at = WHENEVER_NANOS  # the next look meets the fault again, and takes it out
        with self._changed:
            self._busy.discard(session)
            if at is not None and at <= self._clock.now_nanos():
                self._was_woken = True
            self._changed.notify_all()

    def _guarded(self, session: Tickable, phase: Callable[[], None]) -> bool:
        """Run a phase; a session that raises is taken out and told of."""
        try:
            phase()
        except Exception as fault:
            self._take_out(session, fault)
            return False
        return True

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
            self._busy.discard(session)
            self._changed.notify_all()
        self._on_fault(session, fault)

    def _run(self) -> None:
        while True:
            self._begin_due()
            times = self._due_times()
            with self._changed:
                if self._is_stopping:
                    return
                # Who is busy and overdue wakes us when it is free again.
                now = self._clock.now_nanos()
                due = [at for one, at in times if at > now or one not in self._busy]
                look_at = self._next_look(due)
                wait = LONGEST_SLEEP_SECS
                if look_at is not None:
                    wait = min(wait, (look_at - now) / 1e9)
                if wait > 0 and not self._was_woken:
                    self._changed.wait_for(lambda: self._was_woken or self._is_stopping, wait)
                self._was_woken = False
