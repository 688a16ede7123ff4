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
from rich.console import Console, ConsoleOptions, Group, RenderResult
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
_GIVEN_UP: Final = ("obs", "ways", "queue", "size", "age", "render ms", "state", "ahead s")
"""Columns that a narrow screen goes without, this one first."""
_NUM_LEFT: Final = 3
"""So many columns are words and stand to the left, the others are figures."""


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
    lines = [_first_line(target, now, before), _second_line(now)]
    # The command's console cuts what is too long; the counts of late frames stand at the end.
    head = [Text(line, no_wrap=False, overflow="fold") for line in lines]
    rows = [dict(zip(_COLUMNS, _row(one), strict=True)) for one in now.answer.sessions]
    return Group(*head, _Sessions(rows) if rows else Text("no session runs"))


@dataclass(frozen=True, slots=True)
class _Sessions:
    """The table, in as many columns as the screen holds; all of them where none is."""

    rows: list[dict[str, str | Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich's protocol."""
        names = list(_COLUMNS)
        boundless = options.update(max_width=1000)
        for name in _GIVEN_UP:
            width = console.measure(self._table(names), options=boundless).maximum
            if width <= options.max_width or not options.is_terminal:
                break
            names.remove(name)
        table = self._table(names)
        yield from console.render(table, options if options.is_terminal else boundless)
        if missing := len(_COLUMNS) - len(names):
            yield Text(f"{missing} more columns on a wider screen", style="dim")

    def _table(self, names: list[str]) -> Table:
        table = Table(expand=False, pad_edge=False)
        for name in names:
            is_figure = _COLUMNS.index(name) >= _NUM_LEFT
            table.add_column(name, justify="right" if is_figure else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*(row[name] for name in names))
        return table


def _first_line(target: str, now: Sight, before: Sight | None) -> str:
    service = now.answer.service
    parts = [target, f"up {_duration(service.uptime_millis)}"]
    if service.is_draining:
        parts.append("DRAINING")
    parts.append(_sessions(len(now.answer.sessions)))
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
        f"since start: {_sessions(service.sessions_opened)} opened, ended: {ended or 'none'};   "
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


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"


def _duration(millis: int) -> str:
    minutes, secs = divmod(millis // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"
