"""All sessions of a process: opening, finding, attaching streams, closing, time-outs.

Called from the server's event loop, but for `build`, `discard`, `close` and `sweep`, which may wait
and run on worker threads.
"""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.admission import Capacity, Reservation
from avatar_service.session.batches import compute_motion, deliver_pictures
from avatar_service.session.clock import Clock
from avatar_service.session.cost_meter import CostMeter, Work
from avatar_service.session.encoders import make_encoder
from avatar_service.session.events import ObserversChanged, SessionEnding
from avatar_service.session.fanout import Fanout
from avatar_service.session.faults import error_of
from avatar_service.session.live_outputs import open_live_outputs
from avatar_service.session.managed_session import ManagedSession, short_id
from avatar_service.session.recording import Recorder
from avatar_service.session.scheduler import Scheduler, Tickable
from avatar_service.session.session import Session
from avatar_service.session.session_request import OutputKind, SessionRequest
from avatar_service.session.settings import SessionSettings
from avatar_service.session.stages import FrameRenderer, MotionSource, StageFactory
from avatar_service.session.tally import ServiceTally, TallyReading
from avatar_service.transports.publisher import Publisher

log = logging.getLogger(__name__)

MAX_REMEMBERED: Final = 128
"""Closed sessions whose last state can still be asked for; each keeps about 40 kB of figures."""


class SessionManager:
    """The sessions of one process.

    Args:
        recorder: notes what sessions are given; None: nobody does.
        live_allowed: destinations besides loopback that live outputs may send to.
        audio_ahead_secs_per_owner: speech that may wait in all sessions of one client.
        on_bug: called with the exception that ended a session; logs it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        stages: StageFactory,
        capacity: Capacity,
        defaults: SessionSettings,
        num_workers: int,
        idle_timeout_secs: float,
        max_observers: int,
        on_bug: Callable[[Exception], AvatarError],
        live_allowed: Sequence[str] = (),
        recorder: Recorder | None = None,
        audio_ahead_secs_per_owner: float = math.inf,
    ) -> None:
        self.capacity = capacity
        self.defaults = defaults
        self.tally = ServiceTally()
        self._clock = clock
        self._stages = stages
        self._idle_nanos = round(idle_timeout_secs * 1e9)
        self._max_observers = max_observers
        self._on_bug = on_bug
        self._live_allowed = tuple(live_allowed)
        self._recorder = recorder
        self._owner_ahead_nanos = audio_ahead_secs_per_owner * 1e9
        self._lock = threading.Lock()
        self._sessions: dict[str, ManagedSession] = {}
        self._closed: OrderedDict[str, ManagedSession] = OrderedDict()
        self._failed: list[tuple[Session, AvatarError]] = []
        self.on_failed: Callable[[], None] = lambda: None
        """Called on the scheduler's thread: there is work for close_failed."""
        self._is_draining = False
        self._num_streams = 0
        self._num_changes = 0
        self.scheduler = Scheduler(
            clock,
            num_workers=num_workers,
            on_fault=self._note_fault,
            compute=compute_motion,
            deliver_together=deliver_pictures,
        )
        self._meter = CostMeter(lambda: self.scheduler.motion_secs)

    @property
    def is_draining(self) -> bool:
        """Whether new sessions are refused."""
        return self._is_draining

    @property
    def num_sessions(self) -> int:
        """Sessions that run now."""
        return len(self._sessions)

    @property
    def num_streams(self) -> int:
        """Streams whose clients have not read to the end yet, those of closed sessions too."""
        return self._num_streams

    @property
    def sessions(self) -> tuple[ManagedSession, ...]:
        """The running sessions."""
        with self._lock:
            return tuple(self._sessions.values())

    def reserve(self, request: SessionRequest) -> Reservation:
        """Set capacity aside. Raises SHUTTING_DOWN, CAPACITY_EXHAUSTED."""
        if self._is_draining:
            raise AvatarError(Reason.SHUTTING_DOWN, "the service is draining; try another one")
        num_px = request.size_px**2 if OutputKind.FRAMES in request.outputs else 0
        return self.capacity.reserve(rate=request.rate, num_px=num_px, owner=request.owner)

    def build(self, request: SessionRequest, reservation: Reservation) -> ManagedSession:
        """Make a session (slow; on a worker thread); free the reservation on failure."""
        publishers: list[Publisher] = []
        renderer: FrameRenderer | None = None
        motion: MotionSource | None = None
        asked_at = self._clock.now_nanos()
        self._num_changes += 1
        try:
            session_id = secrets.token_urlsafe(16)
            defaults = self.defaults
            has_frames = OutputKind.FRAMES in request.outputs
            settings = SessionSettings(
                rate=request.rate,
                size_px=request.size_px if has_frames else 0,
                pacing=request.pacing,
                encoding=request.encoding,
                lookahead_nanos=defaults.lookahead_nanos,
                input_margin_nanos=defaults.input_margin_nanos,
                playout_delay_nanos=request.playout_delay_nanos,
                audio_ahead_secs=defaults.audio_ahead_secs,
            )
            if has_frames:
                renderer = self._stages.make_renderer(request)
            motion = self._stages.make_motion(request, defaults.lookahead_nanos)
            if self._recorder is not None:
                motion = self._recorder.wrap(motion, session_id, request, defaults.lookahead_nanos)
            publishers, lost = self._stages.make_publishers(session_id, request)
            request = replace(request, transports=request.transports - lost.keys())
            publishers += open_live_outputs(
                request.live_outputs, request.rate, allowed=self._live_allowed
            )
            session = Session(
                session_id,
                settings,
                request.controls,
                clock=self._clock,
                motion=motion,
                renderer=renderer,
                publishers=tuple(publishers),
                fanout=Fanout(make_encoder(request.encoding, request.rate)),
            )
        except BaseException:
            self.capacity.release(reservation)
            for publisher in publishers:
                publisher.close()
            for stage in (motion, renderer):
                if stage is not None:
                    stage.close()
            raise
        finally:
            self._num_changes += 1
        now = self._clock.now_nanos()
        managed = ManagedSession(session, request, publishers, reservation, now, asked_at)
        managed.lost_transports = lost
        return managed

    def start(self, managed: ManagedSession) -> None:
        """Let a built session run. Raises SHUTTING_DOWN where the drain has begun meanwhile."""
        with self._lock:
            if self._is_draining:
                raise AvatarError(Reason.SHUTTING_DOWN, "the service is draining")
            self._sessions[managed.session_id] = managed
        self.tally.open(managed)
        self.scheduler.add(managed.session)
        log.info("session %s opened, %d run", short_id(managed), self.num_sessions)

    def discard(self, managed: ManagedSession) -> None:
        """Take a built session apart that was never started."""
        self.capacity.release(managed.reservation)
        managed.session.close()

    def get(self, session_id: str) -> ManagedSession:
        """Return a running session or a closed one that is remembered. SESSION_NOT_FOUND."""
        with self._lock:
            found = self._sessions.get(session_id) or self._closed.get(session_id)
        if found is None:
            raise AvatarError(
                Reason.SESSION_NOT_FOUND,
                "there is no session of this id; it may have been closed long ago",
                field="session_id",
            )
        return found

    def attach_controller(self, managed: ManagedSession) -> None:
        """Make a stream the controller. SESSION_CLOSED, SESSION_HAS_CONTROLLER."""
        self._check_open(managed)
        if managed.has_controller:
            raise AvatarError(
                Reason.SESSION_HAS_CONTROLLER,
                "the session has its one controller; join as an observer",
            )
        managed.has_controller = managed.had_controller = True
        managed.num_streams += 1
        self._num_streams += 1

    def attach_observer(self, managed: ManagedSession) -> None:
        """Let a stream observe. SESSION_CLOSED, QUOTA_EXCEEDED."""
        self._check_open(managed)
        if managed.num_observers >= self._max_observers:
            raise AvatarError(
                Reason.QUOTA_EXCEEDED,
                f"the session has {managed.num_observers} observers; "
                f"{self._max_observers} are allowed",
            )
        managed.num_observers += 1
        managed.num_streams += 1
        self._num_streams += 1
        managed.session.fanout.tell(ObserversChanged(managed.num_observers))

    def detach(self, managed: ManagedSession, *, was_controller: bool) -> None:
        """Take note that a stream has ended."""
        managed.num_streams -= 1
        self._num_streams -= 1
        managed.idle_since_nanos = self._clock.now_nanos()
        if was_controller:
            managed.has_controller = False
            if not managed.session.is_closed:
                managed.session.end_all_segments()
        else:
            managed.num_observers -= 1
            managed.session.fanout.tell(ObserversChanged(managed.num_observers))

    def check_audio_ahead(self, owner: str) -> None:
        """Raise QUOTA_EXCEEDED where too much speech waits in a client's sessions together."""
        sessions = [one.session for one in self.sessions if one.request.owner == owner]
        ahead = sum(session.audio_ahead_nanos for session in sessions)
        if ahead > self._owner_ahead_nanos:
            raise AvatarError(
                Reason.QUOTA_EXCEEDED,
                f"{ahead / 1e9:.0f} s of speech wait in this client's sessions; "
                f"{self._owner_ahead_nanos / 1e9:g} s are allowed",
                retry_secs=1.0,
            )

    def uses_of(self, avatar_id: str) -> list[ManagedSession]:
        """Return the sessions that show an avatar."""
        return [one for one in self.sessions if one.request.avatar_id == avatar_id]

    def close(
        self,
        managed: ManagedSession,
        message: str = "the session was closed",
        reason: Reason | None = None,
    ) -> None:
        """End a session; closing one twice is fine."""
        with self._lock:
            if self._sessions.pop(managed.session_id, None) is None:
                return
        self._num_changes += 1
        self.scheduler.remove(managed.session)
        try:
            managed.session.close(message, reason)
        except Exception as fault:  # all of it is closed: it is told, and costs nobody else
            self._on_bug(fault)
        self.tally.close(managed, reason)
        managed.publishers = ()  # a closed ring still holds its mapping
        self.capacity.release(managed.reservation)
        with self._lock:
            self._closed[managed.session_id] = managed
            while len(self._closed) > MAX_REMEMBERED:
                self._closed.popitem(last=False)
        log.info("session %s closed (%s), %d run", short_id(managed), message, self.num_sessions)

    def read_tally(self) -> TallyReading:
        """Return what all sessions have done so far, up to now."""
        for managed in self.sessions:
            self.tally.follow(managed)
        return self.tally.read()

    def close_failed(self) -> None:
        """End the sessions whose stages broke, with the reason."""
        with self._lock:
            failed, self._failed = self._failed, []
        for session, error in failed:
            with contextlib.suppress(AvatarError):  # closed and forgotten meanwhile
                self.close(self.get(session.session_id), error.message, error.reason)

    def sweep(self) -> None:
        """Close what has failed or was left alone too long; called every second or so."""
        self.close_failed()
        self._follow_costs()
        now = self._clock.now_nanos()
        for managed in self.sessions:
            self.tally.follow(managed)
            if not managed.num_streams and now - managed.idle_since_nanos > self._idle_nanos:
                self.close(managed, "nobody was connected for too long", Reason.SESSION_CLOSED)

    @property
    def is_speaking(self) -> bool:
        """Whether a sentence is being said in any session."""
        return any(managed.session.is_speaking for managed in self.sessions)

    def begin_drain(self) -> None:
        """Refuse new sessions from now on and tell the running ones."""
        self._is_draining = True
        for managed in self.sessions:
            managed.session.fanout.tell(
                SessionEnding("the service is draining", Reason.SHUTTING_DOWN)
            )

    def close_all(self, message: str, reason: Reason) -> None:
        """End everything, for shutdown."""
        for managed in self.sessions:
            self.close(managed, message, reason)
        self.scheduler.stop()

    def _follow_costs(self) -> None:
        """Correct the admission by what the running sessions cost."""
        work = [Work.of(managed.session) for managed in self.sessions]
        cost = self._meter.read(work, self._num_changes)
        if cost is not None:
            self.capacity.follow(cost)

    def _check_open(self, managed: ManagedSession) -> None:
        session = managed.session
        if session.is_closed:
            why = f": {session.end_message}" if session.end_reason is not None else ""
            raise AvatarError(Reason.SESSION_CLOSED, f"the session is closed{why}")

    def _note_fault(self, session: Tickable, fault: Exception) -> None:
        error = error_of(fault, self._on_bug)
        if isinstance(session, Session):
            with self._lock:
                self._failed.append((session, error))
            self.on_failed()
