"""Figures of a session from both sides."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_client.frames import SourceCounters
from avatar_client.gen.avatar.v1 import event_pb2


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """Figures of a session from both sides.

    Attributes:
        transport: "shm", "zmq" or "grpc".
        counters: frames read, torn and missed here.
        num_reconnects: times the stream was lost and opened again.
        num_events_lost: events that nobody took in time.
        server: the server's latest figures; None before the first.
    """

    transport: str
    counters: SourceCounters
    num_reconnects: int
    num_events_lost: int
    server: event_pb2.Statistics | None
