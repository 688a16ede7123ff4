"""`avatar bench service`: a real service, real clients, speech in real time, and what it took.

Every client is a process of its own, reads frames from shared memory and pushes 20 ms of speech
every 20 ms. Latency: from pushing the chunk that holds a frame's sample until that frame's pixels
lie in the client's hands.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.bench_client import RATE_HZ, WARM_UP_SECS, ClientReport, run_client
from avatar_service.session.service_process import ServiceProcess
from avatar_service.signals import Float32Array

SETTLE_SECS: Final = 2.5
"""Between the last session's opening and the first sample: what was built is no longer counted."""
FRAME_RATE_HZ: Final = 40
MAX_SESSIONS: Final = 256
NUM_TRIALS: Final = 2
"""A number of sessions may be tried again: other work on the machine makes frames late too."""


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
        latency_ms_p50, latency_ms_p99, late_frames, frames_dropped, cpu_ms_per_frame, sessions,
        memory_mb (of the service, shared memory included), memory_mb_per_session and more, by
        name.

    Raises:
        AvatarError: CAPACITY_EXHAUSTED where the service refuses one of the sessions.
    """
    voice = _noise_speech() if speech is None else speech
    with (
        tempfile.TemporaryDirectory(prefix="avatar-bench-") as home,
        ServiceProcess({"home": home}) as service,
    ):
        avatar_id = "" if photo is None else _create_avatar(service.address, photo)
        idle_mb = _memory_mb(service.pid)
        clients = _Clients(sessions, (service.address, avatar_id, size_px, voice, seconds))
        try:
            clients.start_at(time.monotonic() + SETTLE_SECS)
            time.sleep(SETTLE_SECS + seconds / 2)
            busy_mb = _memory_mb(service.pid)
            reports = clients.reports()
        finally:
            clients.close()
    figures = _figures(reports, seconds)
    if idle_mb is not None and busy_mb is not None:
        figures["memory_mb"] = busy_mb
        figures["memory_mb_per_session"] = (busy_mb - idle_mb) / sessions
    return figures


def find_max_sessions(
    *,
    photo: bytes | None = None,
    seconds: float = 8.0,
    size_px: int = 512,
    most: int = MAX_SESSIONS,
    progress: Callable[[dict[str, float]], None] = lambda _: None,
    measure: Callable[..., dict[str, float]] = bench_service,
) -> tuple[int, list[dict[str, float]]]:
    """Find the largest number of sessions without a late or dropped frame.

    Doubles the number until one fails, then halves the interval.

    Args:
        photo: portrait photo; None measures latent-only sessions.
        seconds: of speech in each run.
        size_px: of the frames.
        most: no more than these are tried.
        progress: called with the figures of each run.
        measure: another measurement, for tests.

    Returns:
        The number, 0 where one session alone is late; and the best run's figures of each number
        tried, in rising order. A number that the service refuses counts as failed.
    """
    curve: dict[int, dict[str, float]] = {}

    def holds(count: int) -> bool:
        for _ in range(NUM_TRIALS):
            try:
                figures = measure(photo=photo, sessions=count, seconds=seconds, size_px=size_px)
            except AvatarError as error:
                if error.reason is not Reason.CAPACITY_EXHAUSTED:
                    raise
                return False
            progress(figures)
            if count not in curve or _num_faults(figures) < _num_faults(curve[count]):
                curve[count] = figures
            if not _num_faults(figures):
                return True
        return False

    good, bad, count = 0, most + 1, 1
    while bad - good > 1:
        if holds(count):
            good = count
        else:
            bad = count
        count = min(2 * good, most) if bad > most else (good + bad) // 2
    return good, [curve[number] for number in sorted(curve)]


def _num_faults(figures: dict[str, float]) -> float:
    return figures["late_frames"] + figures["frames_dropped"]


class _Clients:
    """The client processes, all of whose sessions are open once this is made."""

    def __init__(self, count: int, arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes, self._processes = [], []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=run_client, args=(theirs, *arguments))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        refusals = [refusal for refusal in self._receive() if refusal is not None]
        if refusals:
            self.start_at(None)
            self.close()
            raise AvatarError(
                Reason.CAPACITY_EXHAUSTED,
                f"the service refused {len(refusals)} of {count} sessions: {refusals[0]}",
            )

    def start_at(self, mono_secs: float | None) -> None:
        """Let all speak from this time on; None: send them home."""
        for pipe in self._pipes:
            with contextlib.suppress(BrokenPipeError):  # it was refused and has gone
                pipe.send(mono_secs)

    def reports(self) -> list[ClientReport]:
        """Wait for the end of all."""
        return self._receive()

    def close(self) -> None:
        """Wait for the end of all."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def _receive(self) -> list[Any]:
        received = []
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            try:
                received.append(pipe.recv())
            except EOFError:
                process.join()
                raise RuntimeError(f"a client ended with code {process.exitcode}") from None
        return received


def _figures(reports: list[ClientReport], seconds: float) -> dict[str, float]:
    latencies = np.concatenate([np.asarray(report.latencies_ms) for report in reports])
    # All measured the same process, each during its own frames.
    cpu_secs = np.mean([report.cpu_secs / max(report.frames, 1) for report in reports])
    return {
        "sessions": float(len(reports)),
        "latency_ms_p50": float(np.percentile(latencies, 50)),
        "latency_ms_p95": float(np.percentile(latencies, 95)),
        "latency_ms_p99": float(np.percentile(latencies, 99)),
        "latency_ms_max": float(latencies.max()),
        "late_frames": float(sum(report.late for report in reports)),
        "frames_dropped": float(sum(r.skipped + r.num_missed for r in reports)),
        "frames_torn": float(sum(report.num_torn for report in reports)),
        "frames": float(sum(report.frames for report in reports)),
        "fps_mean": len(latencies) / (seconds - WARM_UP_SECS) / len(reports),
        "cpu_ms_per_frame": float(cpu_secs) * 1e3 / len(reports),
        "cpu_cores": float(cpu_secs) * FRAME_RATE_HZ,
        "render_ms_p50": float(np.median([report.render_ms_p50 for report in reports])),
        "audio_gap_ms": sum(report.gap_samples for report in reports) / RATE_HZ * 1e3,
    }


def _memory_mb(pid: int) -> float | None:
    """Return the resident memory of a process in MiB (proc(5), VmRSS); None beside Linux."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None


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
