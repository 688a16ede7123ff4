"""A session with what the server knows about it: its request, its streams, where it stands."""

from __future__ import annotations

from enum import Enum

from avatar_service.session.admission import Reservation
from avatar_service.session.session import Session
from avatar_service.session.session_request import SessionRequest
from avatar_service.session.stages import LostTransports
from avatar_service.transports.publisher import Publisher


class SessionState(Enum):
    """Life of a session."""

    READY = "ready"
    ACTIVE = "active"
    WAITING = "waiting"
    CLOSED = "closed"


class ManagedSession:
    """A session with what the server knows about it."""

    def __init__(
        self,
        session: Session,
        request: SessionRequest,
        publishers: list[Publisher],
        reservation: Reservation,
        now_nanos: int,
        asked_at_nanos: int,
    ) -> None:
        self.asked_at_nanos = asked_at_nanos
        self.started_at_nanos = now_nanos
        self.session = session
        self.session_id = session.session_id
        self.request = request
        self.publishers: tuple[Publisher, ...] = tuple(publishers)
        self.reservation = reservation
        self.lost_transports: LostTransports = {}
        self.num_observers = 0
        self.had_controller = False
        self.has_controller = False
        self.num_streams = 0
        self.idle_since_nanos = now_nanos

    @property
    def state(self) -> SessionState:
        """Where the session stands in its life."""
        if self.session.is_closed:
            return SessionState.CLOSED
        if self.has_controller:
            return SessionState.ACTIVE
        return SessionState.WAITING if self.had_controller else SessionState.READY


def short_id(managed: ManagedSession) -> str:
    """Return enough of an id to follow it through the log, and too little to join the session."""
    return managed.session_id[:6]
