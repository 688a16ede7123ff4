"""What `avatar top` shows: the service in two lines, and one row for each session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from avatar_client.gen.avatar.v1 import (
    avatar_service_pb2,
    endpoint_pb2,
    operation_pb2,
    session_pb2,
)
from rich.console import Group
from rich.table import Table
from rich.text import Text

MIB: Final = 1 << 20
_HEALTH: Final = {
    operation_pb2.SESSION_HEALTH_HEALTHY: ("ok", "green"),
    operation_pb2.SESSION_HEALTH_LATE: ("late", "yellow"),
    operation_pb2.SESSION_HEALTH_STALLED: ("stalled", "bold red"),
    operation_pb2.SESSION_HEALTH_ENDED: ("ended", "dim"),
}
_TRANSPORTS: Final = {
    endpoint_pb2.TRANSPORT_SHM: "shm",
    endpoint_pb2.TRANSPORT_ZMQ: "zmq",
    endpoint_pb2.TRANSPORT_GRPC: "grpc",
}
_COLUMNS: Final = (
    "session", "state", "health", "age", "fps", "size", "ways", "obs",
    "ahead s", "latency ms", "render ms", "late", "dropped", "queue",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sight:
    """The service at one moment.

    Attributes:
        at_secs: monotonic time of the answer.
    """

    at_secs: float
    answer: avatar_service_pb2.ListSessionsResponse


def view(target: str, now: Sight, before: Sight | None) -> Group:
    """Return what to draw.

    Args:
        target: address of the service.
        now: the newest answer.
        before: the one before it, for rates; None: there was none.
    """
    table = Table(*_COLUMNS, expand=False, pad_edge=False)
    for column in table.columns[3:]:
        column.justify = "right"
    for one in now.answer.sessions:
        table.add_row(*_row(one))
    lines: list[Text | Table] = [Text(_first_line(target, now, before)), Text(_second_line(now))]
    lines.append(table if now.answer.sessions else Text("no session runs"))
    return Group(*lines)


def _first_line(target: str, now: Sight, before: Sight | None) -> str:
    service = now.answer.service
    parts = [target, f"up {_duration(service.uptime_millis)}"]
    if service.is_draining:
        parts.append("DRAINING")
    parts.append(f"{len(now.answer.sessions)} sessions")
    parts.append(f"{service.cores_used:.2f} of {service.cores_limit:.2f} cores admitted")
    if before is not None and now.at_secs > before.at_secs:
        secs, old = now.at_secs - before.at_secs, before.answer.service
        parts.append(f"{(service.cpu_seconds - old.cpu_seconds) / secs:.0%} CPU")
        parts.append(f"{(service.frames_published - old.frames_published) / secs:.0f} frames/s")
    if service.resident_bytes:
        parts.append(f"{service.resident_bytes / MIB:.0f} MiB, {service.open_files} files")
    return "   ".join(parts)


def _second_line(now: Sight) -> str:
    service = now.answer.service
    ended = ", ".join(f"{count} {why}" for why, count in sorted(service.sessions_closed.items()))
    return (
        f"since start: {service.sessions_opened} sessions opened, ended: {ended or 'none'};   "
        f"{service.frames_published} frames, {service.frames_late} late, "
        f"{service.frames_dropped} left out, {service.frames_dropped_by_streams} lost by readers"
    )


def _row(one: operation_pb2.SessionSummary) -> list[str | Text]:
    statistics = one.statistics
    state = session_pb2.SessionState.Name(one.state).removeprefix("SESSION_STATE_").lower()
    rate = one.frame_rate.num / max(one.frame_rate.den, 1)
    is_burst = one.pacing == session_pb2.PACING_BURST
    latency, render = statistics.latency, statistics.render
    dropped = statistics.frames_dropped + statistics.frames_dropped_by_stream
    return [
        one.short_id,
        state,
        Text(*_HEALTH.get(one.health, ("?", ""))),
        _duration(one.age_millis),
        "burst" if is_burst else f"{statistics.frame_rate_hz:.1f}/{rate:g}",
        str(one.width_px) if one.width_px else "latents",
        "+".join(_TRANSPORTS.get(way, "?") for way in one.transports),
        str(one.num_observers),
        f"{statistics.audio_ahead_millis / 1e3:.1f}",
        f"{latency.p50_millis:.0f}/{latency.p99_millis:.0f}",
        f"{render.p50_millis:.1f}/{render.p99_millis:.1f}",
        str(statistics.frames_late),
        str(dropped),
        str(one.num_waiting_items),
    ]


def _duration(millis: int) -> str:
    minutes, secs = divmod(millis // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"
