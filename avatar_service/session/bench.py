"""`avatar bench service`: a real service, real clients, speech in real time, and what it took.

Every client is a process of its own, reads frames from shared memory and pushes 20 ms of speech
every 20 ms. Latency: from pushing the chunk that holds a frame's sample until that frame's pixels
lie in the client's hands.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from avatar_service.session.service_process import ServiceProcess
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
        frames, late, skipped: the service's figures of the session.
        cpu_secs: of the whole service during `span_secs`.
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
    span_secs: float = 0.0
    render_ms_p50: float = 0.0


def bench_service(
    *,
    photo: bytes | None = None,
    sessions: int = 1,
    seconds: float = 60.0,
    size_px: int = 512,
    speech: Float32Array | None = None,
) -> dict[str, float]:
    """Stream speech through a service and measure.

    Args:
        photo: portrait photo; None measures latent-only sessions.
        sessions: clients at once.
        seconds: of speech for each, more than one.
        size_px: of the frames.
        speech: (num_samples,) float32, 16 kHz, repeated as needed; None: modulated noise, which
            costs the same.

    Returns:
        latency_ms_p50, latency_ms_p99, late_frames, frames_dropped, cpu_ms_per_frame, sessions
        and more, by name.
    """
    voice = _noise_speech() if speech is None else speech
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="avatar-bench-") as home,
        ServiceProcess({"home": home}) as service,
    ):
        avatar_id = "" if photo is None else _create_avatar(service.address, photo)
        pipes, clients = [], []
        start_at = time.monotonic() + 3.0 + 1.0 * sessions
        for _ in range(sessions):
            ours, theirs = context.Pipe(duplex=False)
            client = context.Process(
                target=_run_client,
                args=(theirs, service.address, avatar_id, size_px, voice, seconds, start_at),
            )
            client.start()
            theirs.close()
            pipes.append(ours)
            clients.append(client)
        reports: list[ClientReport] = []
        for ours, client in zip(pipes, clients, strict=True):
            try:
                reports.append(ours.recv())
            except EOFError:
                client.join()
                raise RuntimeError(f"a client ended with code {client.exitcode}") from None
            client.join()
    return _figures(reports, seconds)


def _figures(reports: list[ClientReport], seconds: float) -> dict[str, float]:
    latencies = np.concatenate([np.asarray(report.latencies_ms) for report in reports])
    frames = sum(report.frames for report in reports)
    cpu_secs = max(report.cpu_secs for report in reports)  # all measure the same process
    return {
        "latency_ms_p50": float(np.percentile(latencies, 50)),
        "latency_ms_p95": float(np.percentile(latencies, 95)),
        "latency_ms_p99": float(np.percentile(latencies, 99)),
        "latency_ms_max": float(latencies.max()),
        "late_frames": float(sum(report.late for report in reports)),
        "frames_dropped": float(sum(r.skipped + r.num_missed for r in reports)),
        "frames_torn": float(sum(report.num_torn for report in reports)),
        "frames": float(frames),
        "fps_mean": len(latencies) / (seconds - WARM_UP_SECS) / len(reports),
        "cpu_ms_per_frame": cpu_secs * 1e3 / max(frames, 1),
        "cpu_cores": cpu_secs / max(report.span_secs for report in reports),
        "render_ms_p50": float(np.median([report.render_ms_p50 for report in reports])),
        "audio_gap_ms": sum(report.gap_samples for report in reports) / RATE_HZ * 1e3,
        "sessions": float(len(reports)),
    }


def _create_avatar(address: str, photo: bytes) -> str:
    from avatar_client import Consent, connect

    with connect(address) as client:
        consent = Consent(subject="benchmark portrait", basis="given to the benchmark command")
        return str(client.create_avatar(photo, consent=consent).avatar_id)


def _noise_speech() -> Float32Array:
    """Ten seconds of noise with the rhythm of syllables: four a second, pauses between."""
    rng = np.random.default_rng(1)
    at = np.arange(10 * RATE_HZ) / RATE_HZ
    envelope = np.maximum(np.sin(2 * np.pi * 4 * at), 0) * (np.sin(2 * np.pi * 0.3 * at) > -0.7)
    return (0.2 * envelope * rng.standard_normal(len(at))).astype(np.float32)


def _run_client(
    pipe: Any,
    address: str,
    avatar_id: str,
    size_px: int,
    voice: Float32Array,
    seconds: float,
    start_at: float,
) -> None:
    from avatar_client import connect

    with connect(address) as client:
        session = client.open_session(avatar_id, size_px=size_px, transport="shm")
        with session:
            report = _Listener(session, voice, seconds, start_at).listen()
    pipe.send(report)
    pipe.close()


class _Listener:
    """One client: a thread that speaks in real time and the reading of frames."""

    def __init__(self, session: Any, voice: Float32Array, seconds: float, start_at: float) -> None:
        self._session = session
        self._voice = voice
        self._num_chunks = round(seconds * 1000 / CHUNK_MILLIS)
        self._start_at = start_at
        self._pushed_at: list[float] = []
        self._has_spoken = threading.Event()
        self._began_at = 0.0
        self._missed_before = self._frames_before = 0

    def listen(self) -> ClientReport:
        """Speak, read all frames, and report."""
        speaking = threading.Thread(target=self._speak)
        speaking.start()
        arrivals: list[tuple[int, float]] = []
        cpu_start = self._cpu_secs()
        self._began_at = time.monotonic()
        self._session.next_frame()  # what was published before we came was not missed
        before = self._session.statistics()
        self._missed_before = before.counters.num_missed
        self._frames_before = before.server.frames_published
        while not self._has_spoken.is_set():
            frame = self._session.next_frame(0.1)
            if frame is not None:
                arrivals.append((frame.pts_nanos, time.monotonic()))
        speaking.join()
        return self._report(arrivals, cpu_start)

    def _speak(self) -> None:
        samples = RATE_HZ * CHUNK_MILLIS // 1000
        for k in range(self._num_chunks):
            wait = self._start_at + k * CHUNK_MILLIS / 1000 - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            at = np.arange(k * samples, (k + 1) * samples) % len(self._voice)
            self._pushed_at.append(time.monotonic())
            self._session.push_audio(self._voice[at], sample_rate_hz=RATE_HZ, segment_id="bench")
        self._session.end_segment()
        self._has_spoken.set()

    def _cpu_secs(self) -> float:
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            server = self._session.statistics().server
            if server is not None and server.cpu_seconds:
                return float(server.cpu_seconds)
            time.sleep(0.05)
        raise RuntimeError("the service sends no statistics")

    def _report(self, arrivals: list[tuple[int, float]], cpu_start: float) -> ClientReport:
        started = self._session.wait_segment_started("bench")
        statistics = self._session.statistics()
        report = ClientReport(
            num_missed=statistics.counters.num_missed - self._missed_before,
            num_torn=statistics.counters.num_torn,
            frames=statistics.server.frames_published - self._frames_before,
            late=statistics.server.frames_late,
            skipped=statistics.server.frames_dropped,
            cpu_secs=self._cpu_secs() - cpu_start,
            span_secs=time.monotonic() - self._began_at,
            render_ms_p50=statistics.server.render.p50_millis,
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
