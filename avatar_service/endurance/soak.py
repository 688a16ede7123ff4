"""`avatar bench soak`: a service that is used, abused and watched for long.

One client stays (the anchor); others come, speak, barge in, leave without a word, are killed, and
one in a hundred stalls. Meanwhile memory and descriptors are sampled; at the end everybody leaves
and what remains is counted.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.endurance.anchor import AnchorReport, jaw_shifts_ms, run_anchor
from avatar_service.endurance.slopes import Slope, slope_of
from avatar_service.endurance.visitor import STALL_MARK, TRANSPORTS, run_visitor
from avatar_service.session.service_process import ServiceProcess
from avatar_service.signals import Float32Array

SAMPLE_SECS: Final = 5.0
KILL_EVERY_SECS: Final = 30.0
"""Mean time between two visitors killed in whatever they are doing."""
STALL_SECS: Final = 20.0
"""A stalled visitor is killed after this, or goes on: one of two by chance."""
IDLE_TIMEOUT_SECS: Final = 5.0
"""Of the service, so that what killed visitors leave is gone soon."""
POLL_SECS: Final = 0.1
SPARE_SHARE: Final = 0.2
"""With this much of the machine idle, a late frame is the service's own fault."""
FOLDER: Final = Path("/dev/shm")
SETTLE_SECS: Final = IDLE_TIMEOUT_SECS + 5.0


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """What is to be done.

    Attributes:
        minutes: how long.
        visitors: clients besides the anchor, at once.
        seed: of everything drawn by chance (what clients do; not when threads run).
        stall_share: share of visits that stall.
        size_px: of the anchor's frames.
    """

    minutes: float
    visitors: int = 2
    seed: int = 1
    stall_share: float = 0.01
    size_px: int = 512


@dataclass(slots=True)
class _Samples:
    at_secs: list[float] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)
    open_files: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    idle_share: list[float] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)


def run_soak(
    plan: SoakPlan,
    *,
    photo: bytes | None,
    clip: Float32Array,
    progress: Callable[[float, str], None] = lambda _share, _text: None,
) -> dict[str, object]:
    """Run a soak and return its figures by name.

    Args:
        plan: what is to be done.
        photo: portrait photo; None: latents alone.
        clip: (num_samples,) float32 at 16 kHz, what is said.
        progress: called with the share that is done and a line of text.

    Raises:
        RuntimeError: the service or the anchor died.
    """
    with tempfile.TemporaryDirectory(prefix="avatar-soak-") as home:
        options = {"home": home, "limits.idle_timeout_secs": f"{IDLE_TIMEOUT_SECS:g}"}
        with ServiceProcess(options) as service:
            return _Soak(plan, service, photo, clip, progress).run()


class _Soak:
    def __init__(
        self,
        plan: SoakPlan,
        service: ServiceProcess,
        photo: bytes | None,
        clip: Float32Array,
        progress: Callable[[float, str], None],
    ) -> None:
        from avatar_client import Consent, connect

        self._plan = plan
        self._service = service
        self._clip = clip
        self._progress = progress
        self._rng = np.random.default_rng(plan.seed)
        self._client = connect(service.address)
        self._avatar_id = ""
        if photo is not None:
            consent = Consent(subject="soak portrait", basis="given to the soak command")
            self._avatar_id = self._client.create_avatar(photo, consent=consent).avatar_id
        self._context = multiprocessing.get_context("spawn")
        self._samples = _Samples()
        self._idle = _IdleMeter()
        self._outcomes: Counter[str] = Counter()
        self._num_started = 0
        self._visitors: list[_Visitor] = []

    def run(self) -> dict[str, object]:
        self._warm_up()
        files_before = _open_files(self._service.pid)
        ours, theirs = self._context.Pipe()
        arguments = (self._service.address, self._avatar_id, self._plan.size_px, self._clip)
        anchor = self._context.Process(target=run_anchor, args=(theirs, *arguments))
        anchor.start()
        theirs.close()
        _receive(ours, "the anchor")
        try:
            self._let_visitors_come()
            ours.send(None)
            report: AnchorReport = _receive(ours, "the anchor")
            anchor.join()
        finally:
            for visitor in self._visitors:
                visitor.end()
            if anchor.is_alive():
                anchor.kill()
        self._progress(1.0, "everybody has left; what remains is counted")
        time.sleep(SETTLE_SECS)
        figures = self._client.list_sessions()
        left_files = _open_files(self._service.pid) - files_before
        self._client.close()
        return self._figures(report, figures, left_files)

    def _warm_up(self) -> None:
        """Use every transport once: what is opened once for all sessions is no leak."""
        for transport in TRANSPORTS:
            with self._client.open_session(transport=transport) as session:
                session.next_frame()
        time.sleep(1.0)

    def _let_visitors_come(self) -> None:
        self._visitors = [self._new_visitor() for _ in range(self._plan.visitors)]
        began = time.monotonic()
        end = began + self._plan.minutes * 60
        next_sample, next_kill = began, began + self._rng.exponential(KILL_EVERY_SECS)
        while (now := time.monotonic()) < end:
            if self._service.process.poll() is not None:
                raise RuntimeError(
                    "the service died: " + " / ".join(list(self._service.lines)[-3:])
                )
            for index, visitor in enumerate(self._visitors):
                visitor.read(self._outcomes, must_go_on=bool(self._rng.integers(2)))
                if not visitor.is_alive:
                    self._visitors[index] = self._new_visitor()
            if now >= next_kill and self._visitors:
                next_kill = now + self._rng.exponential(KILL_EVERY_SECS)
                self._outcomes["killed"] += 1
                self._visitors[int(self._rng.integers(len(self._visitors)))].kill()
            if now >= next_sample:
                next_sample += SAMPLE_SECS
                self._sample(now - began)
                self._progress((now - began) / (end - began), self._line())
            time.sleep(POLL_SECS)

    def _new_visitor(self) -> _Visitor:
        self._num_started += 1
        seed = self._plan.seed * 1_000_003 + self._num_started
        arguments = (self._service.address, self._avatar_id, self._clip, seed)
        return _Visitor(self._context, (*arguments, self._plan.stall_share))

    def _sample(self, at_secs: float) -> None:
        samples, pid = self._samples, self._service.pid
        status = Path(f"/proc/{pid}/status").read_text()
        values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        samples.at_secs.append(at_secs)
        samples.resident_mb.append(int(values["VmRSS"].split()[0]) / 1024)
        samples.threads.append(int(values["Threads"]))
        samples.open_files.append(_open_files(pid))
        samples.idle_share.append(self._idle.take_share())
        service = self._client.list_sessions().service
        samples.published.append(service.frames_published)
        samples.late.append(service.frames_late)

    def _line(self) -> str:
        samples = self._samples
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self._outcomes.items()))
        return f"{samples.resident_mb[-1]:.0f} MiB, {samples.open_files[-1]:.0f} files; {counts}"

    def _figures(self, report: AnchorReport, told: Any, left_files: int) -> dict[str, object]:
        service = told.service
        published = max(service.frames_published, 1)
        rings = [path for path in FOLDER.glob("avatar-ring-*") if _is_of(path, self._service.pid)]
        return {
            "minutes": self._plan.minutes,
            "visitors": self._plan.visitors,
            "seed": self._plan.seed,
            "visits": dict(sorted(self._outcomes.items())),
            "sessions_opened": service.sessions_opened,
            "sessions_ended": dict(sorted(service.sessions_closed.items())),
            "frames_published": service.frames_published,
            "frames_late": service.frames_late,
            "frames_late_share": service.frames_late / published,
            "frames_late_share_machine_idle": _late_share_when_idle(self._samples),
            "machine_idle_share": float(np.mean(self._samples.idle_share or [0.0])),
            "frames_dropped_busy": service.frames_dropped,
            "frames_dropped_slow_reader": service.frames_dropped_by_streams,
            "service_cpu_secs": service.cpu_seconds,
            "memory_mb": _slope_figures(self._samples, self._samples.resident_mb),
            "open_files": _slope_figures(self._samples, self._samples.open_files),
            "threads": _slope_figures(self._samples, self._samples.threads),
            "anchor": _anchor_figures(report),
            "left_at_the_end": {
                "sessions": len(told.sessions),
                "rings": len(rings),
                "open_files": left_files,
            },
        }


class _IdleMeter:
    """The share of the machine's time that nobody used (proc(5), /proc/stat), since last asked."""

    def __init__(self) -> None:
        self._last = self._read()

    def take_share(self) -> float:
        idle, total = self._read()
        then_idle, then_total = self._last
        self._last = (idle, total)
        return (idle - then_idle) / max(total - then_total, 1)

    @staticmethod
    def _read() -> tuple[int, int]:
        fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return fields[3] + fields[4], sum(fields)


class _Visitor:
    """One visiting process and what it has said."""

    def __init__(self, context: Any, arguments: tuple[Any, ...]) -> None:
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=run_visitor, args=(theirs, *arguments))
        self._process.start()
        theirs.close()
        self._stalled_at: float | None = None

    @property
    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    def read(self, outcomes: Counter[str], *, must_go_on: bool) -> None:
        """Count what it has said; end its stall when it is time."""
        with contextlib.suppress(EOFError, OSError):
            while self._pipe.poll():
                said = self._pipe.recv()
                outcomes[said] += 1
                if said == STALL_MARK:
                    self._stalled_at = time.monotonic()
        if self._stalled_at is not None and time.monotonic() - self._stalled_at > STALL_SECS:
            self._stalled_at = None
            if must_go_on:
                os.kill(self._process.pid, signal.SIGCONT)
            else:
                outcomes["killed while stalled"] += 1
                self.kill()

    def kill(self) -> None:
        """End it without warning, as a crash would."""
        self._stalled_at = None  # nobody is left to wake
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def end(self) -> None:
        """Send it home; insist where it does not go."""
        if not self.is_alive:
            return
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        if self._stalled_at is not None:
            os.kill(self._process.pid, signal.SIGCONT)
        self._process.join(15.0)
        if self.is_alive:
            self.kill()


def _anchor_figures(report: AnchorReport) -> Mapping[str, object]:
    segments = report.segments
    if len(segments) < 2:
        return {"segments": len(segments), "faults": dict(Counter(report.faults))}
    count = max(1, len(segments) // 10)
    shifts = jaw_shifts_ms(segments)
    arrivals = [one.arrival_ms for one in segments]
    return {
        "segments": len(segments),
        "faults": dict(Counter(report.faults)),
        "frames_missed": segments[-1].num_missed,
        # Of the last tenth of the segments against the first tenth.
        "latents_against_audio_drift_ms": _change(shifts, count),
        "picture_against_time_drift_ms": _change(arrivals, count),
        "session_against_device_ms": float(
            np.median([one.clock_drift_ms for one in segments[-count:]])
        ),
    }


def _late_share_when_idle(samples: _Samples) -> float | None:
    """Return the share of late frames in the intervals in which the machine had time to spare."""
    published, late = np.diff(samples.published), np.diff(samples.late)
    spare = np.array(samples.idle_share[1:]) >= SPARE_SHARE
    return float(late[spare].sum() / published[spare].sum()) if spare.any() else None


def _change(values: list[float], count: int) -> float:
    return float(np.median(values[-count:]) - np.median(values[:count]))


def _slope_figures(samples: _Samples, values: list[float]) -> Mapping[str, object]:
    slope: Slope | None = slope_of(samples.at_secs, values)
    if slope is None:
        return {"samples": len(values)}
    return {
        "per_hour": slope.per_hour,
        "confidence_95": slope.confidence,
        "first": slope.first,
        "last": slope.last,
        "max": max(values),
        "flat": slope.is_flat,
    }


def _receive(pipe: Any, whose: str) -> Any:
    try:
        return pipe.recv()
    except EOFError:
        raise RuntimeError(f"{whose} died") from None


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _is_of(ring: Path, pid: int) -> bool:
    from avatar_service.transports.ring_layout import HEADER_DTYPE

    try:
        header = np.fromfile(ring, HEADER_DTYPE, 1)
    except OSError:
        return False
    return len(header) == 1 and int(header["writer_pid"][0]) == pid
