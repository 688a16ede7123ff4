"""One client of `avatar bench service`: speaks in real time, reads every frame, and reports."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from avatar_service.errors import Reason
from avatar_service.signals import Float32Array

CHUNK_MILLIS: Final = 20
RATE_HZ: Final = 16_000
WARM_UP_SECS: Final = 1.0
"""Frames before this are not judged: caches and clocks settle."""


@dataclass(slots=True)
class ClientReport:
    """What one client saw.

    Attributes:
        latencies_ms: of every judged frame.
        num_missed: frames that it could not read before they were overwritten.
        frames, late, skipped: the service's figures of the session since the speech began.
        cpu_secs: of the whole service during these frames.
        gap_samples: silence that stood in for late audio.
    """

    latencies_ms: list[float] = field(default_factory=list)
    num_missed: int = 0
    num_torn: int = 0
    frames: int = 0
    late: int = 0
    skipped: int = 0
    gap_samples: int = 0
    cpu_secs: float = 0.0
    render_ms_p50: float = 0.0


def run_client(
    pipe: Any, address: str, avatar_id: str, size_px: int, voice: Float32Array, seconds: float
) -> None:
    """Open a session, say so, stream from the moment that is told, and send a ClientReport.

    A session that is refused for want of capacity is told as the refusal's message.
    """
    from avatar_client import AvatarClientError, connect

    with connect(address) as client:
        try:
            session = client.open_session(avatar_id, size_px=size_px, transport="shm")
        except AvatarClientError as error:
            if error.reason != Reason.CAPACITY_EXHAUSTED.name:
                raise
            pipe.send(str(error))
            return
        with session:
            listener = _Listener(session, voice, seconds)
            pipe.send(None)
            start_at = pipe.recv()
            if start_at is not None:
                pipe.send(listener.listen(start_at))
    pipe.close()


class _Listener:
    """One client: a thread that speaks in real time and the reading of frames."""

    def __init__(self, session: Any, voice: Float32Array, seconds: float) -> None:
        self._session = session
        self._voice = voice
        self._num_chunks = round(seconds * 1000 / CHUNK_MILLIS)
        self._start_at = 0.0
        self._before: Any = None
        self._pushed_at: list[float] = []
        self._has_spoken = threading.Event()

    def listen(self, start_at: float) -> ClientReport:
        """Speak from the monotonic time `start_at` on, read all frames, and report."""
        self._start_at = start_at
        self._session.next_frame()  # what was published before we came was not missed
        speaking = threading.Thread(target=self._speak)
        speaking.start()
        arrivals: list[tuple[int, float]] = []
        while not self._has_spoken.is_set():
            frame = self._session.next_frame(0.1)
            if frame is not None:
                arrivals.append((frame.pts_nanos, time.monotonic()))
        speaking.join()
        return self._report(arrivals)

    def _speak(self) -> None:
        samples = RATE_HZ * CHUNK_MILLIS // 1000
        for k in range(self._num_chunks):
            wait = self._start_at + k * CHUNK_MILLIS / 1000 - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            if k == 0:
                self._before = self._statistics()
            at = np.arange(k * samples, (k + 1) * samples) % len(self._voice)
            self._pushed_at.append(time.monotonic())
            self._session.push_audio(self._voice[at], sample_rate_hz=RATE_HZ, segment_id="bench")
        self._session.end_segment()
        self._has_spoken.set()

    def _statistics(self) -> Any:
        """Return the newest figures of both sides."""
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            statistics = self._session.statistics()
            if statistics.server is not None and statistics.server.cpu_seconds:
                return statistics
            time.sleep(0.05)
        raise RuntimeError("the service sends no statistics")

    def _report(self, arrivals: list[tuple[int, float]]) -> ClientReport:
        started = self._session.wait_segment_started("bench")
        now, before = self._statistics(), self._before
        server, then = now.server, before.server
        report = ClientReport(
            num_missed=now.counters.num_missed - before.counters.num_missed,
            num_torn=now.counters.num_torn - before.counters.num_torn,
            frames=server.frames_published - then.frames_published,
            late=server.frames_late - then.frames_late,
            skipped=server.frames_dropped - then.frames_dropped,
            cpu_secs=server.cpu_seconds - then.cpu_seconds,
            render_ms_p50=server.render.p50_millis,
        )
        shifts = self._gaps(report)
        for pts, arrived in arrivals:
            in_segment = pts - started.pts_nanos
            shift = sum(nanos for at, nanos in shifts if pts >= at)
            chunk = (in_segment - shift) // (CHUNK_MILLIS * 1_000_000)
            if in_segment >= WARM_UP_SECS * 1e9 and chunk < len(self._pushed_at):
                report.latencies_ms.append((arrived - self._pushed_at[chunk]) * 1e3)
        return report

    def _gaps(self, report: ClientReport) -> list[tuple[int, int]]:
        """Read the notices of late audio: behind each gap samples stand later by its length."""
        from avatar_client.gen.avatar.v1 import event_pb2

        shifts = []
        while (event := self._session.next_event()) is not None:
            is_notice = isinstance(event, event_pb2.Notice)
            if is_notice and event.kind == event_pb2.NOTICE_KIND_LATE_AUDIO:
                shifts.append((event.pts_nanos, event.count * 62_500))
                report.gap_samples += event.count
        return shifts
