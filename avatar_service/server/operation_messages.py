"""Sessions and the whole service written down for those who operate it."""

from __future__ import annotations

import time
from typing import Final

from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import operation_pb2
from avatar_service.server.messages import session_message, statistics_message
from avatar_service.server.process_usage import open_files, resident_bytes
from avatar_service.session.health import SessionHealth, health_of
from avatar_service.session.managed_session import ManagedSession, short_id
from avatar_service.session.manager import SessionManager

_HEALTH: Final = {
    SessionHealth.HEALTHY: operation_pb2.SESSION_HEALTH_HEALTHY,
    SessionHealth.LATE: operation_pb2.SESSION_HEALTH_LATE,
    SessionHealth.STALLED: operation_pb2.SESSION_HEALTH_STALLED,
    SessionHealth.ENDED: operation_pb2.SESSION_HEALTH_ENDED,
}


def sessions_message(manager: SessionManager, started_nanos: int) -> pb.ListSessionsResponse:
    """Write all down.

    Args:
        manager: the sessions.
        started_nanos: monotonic time since which the service serves.
    """
    now = time.monotonic_ns()
    return pb.ListSessionsResponse(
        sessions=[_summary(managed, now) for managed in manager.sessions],
        service=_figures(manager, now - started_nanos),
    )


def _summary(managed: ManagedSession, now_nanos: int) -> operation_pb2.SessionSummary:
    session = session_message(managed)
    statistics = statistics_message(managed)
    statistics.ClearField("cpu_seconds")
    statistics.frames_dropped_by_stream = managed.session.fanout.num_dropped
    return operation_pb2.SessionSummary(
        short_id=short_id(managed),
        state=session.state,
        health=_HEALTH[health_of(managed, now_nanos)],
        frame_rate=session.frame_rate,
        width_px=session.width_px,
        pacing=session.pacing,
        transports=session.transports,
        num_observers=session.num_observers,
        age_millis=(now_nanos - managed.started_at_nanos) // 1_000_000,
        num_waiting_items=managed.session.fanout.num_waiting,
        statistics=statistics,
    )


def _figures(manager: SessionManager, uptime_nanos: int) -> operation_pb2.ServiceFigures:
    reading = manager.read_tally()
    totals, capacity = reading.totals, manager.capacity
    return operation_pb2.ServiceFigures(
        is_draining=manager.is_draining,
        uptime_millis=uptime_nanos // 1_000_000,
        sessions_opened=reading.opened,
        sessions_closed=reading.closed,
        frames_published=totals.published,
        frames_late=totals.late,
        frames_dropped=totals.skipped,
        frames_dropped_by_streams=totals.dropped_by_streams,
        speech_seconds=totals.speech_secs,
        cpu_seconds=time.process_time(),
        resident_bytes=resident_bytes(),
        open_files=open_files(),
        cores_used=capacity.used_cores,
        cores_limit=capacity.limit_cores,
    )
