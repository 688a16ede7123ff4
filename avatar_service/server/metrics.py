"""Prometheus metrics: read from what the sessions count anyway, only when they are scraped.

They are served on a port of their own, on loopback: http://127.0.0.1:PORT/metrics.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import HTTPServer
from typing import Any, Final

import prometheus_client
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from avatar_service import __version__
from avatar_service.errors import AvatarError, Reason
from avatar_service.server.gpu_usage import GpuUsage
from avatar_service.session.managed_session import SessionState
from avatar_service.session.manager import SessionManager
from avatar_service.session.tally import Distribution, TallyReading

HOST: Final = "127.0.0.1"
REQUEST_BOUNDS_SECS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
LIVE_STATES: Final = (SessionState.READY, SessionState.ACTIVE, SessionState.WAITING)


class ServiceCollector(Collector):
    """Turns the service's figures into metric families at each scrape.

    Args:
        gpu: reads the device that renders.
    """

    def __init__(self, manager: SessionManager, gpu: GpuUsage) -> None:
        self._manager = manager
        self._gpu = gpu

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        reading = self._manager.read_tally()
        yield from self._sessions(reading)
        yield from _frames(reading)
        yield from self._queues()
        yield from self._capacity()
        yield from self._gpu_families()

    def _sessions(self, reading: TallyReading) -> Iterator[Metric]:
        sessions = self._manager.sessions
        now = GaugeMetricFamily("avatar_sessions", "Sessions that run now.", labels=["state"])
        for state in LIVE_STATES:
            now.add_metric([state.value], sum(one.state is state for one in sessions))
        yield now
        observers = sum(one.num_observers for one in sessions)
        yield GaugeMetricFamily("avatar_observers", "Streams that observe a session.", observers)
        yield CounterMetricFamily("avatar_sessions_opened", "Sessions ever opened.", reading.opened)
        closed = CounterMetricFamily(
            "avatar_sessions_closed", "Sessions ever ended, by reason.", labels=["reason"]
        )
        for reason, count in reading.closed.items():
            closed.add_metric([reason], count)
        yield closed
        yield _histogram(
            "avatar_first_frame_seconds",
            "From the request for a session to its first frame.",
            reading.first_frame_ms,
        )

    def _queues(self) -> Iterator[Metric]:
        sessions = self._manager.sessions
        ahead = [one.session.audio_ahead_nanos / 1e9 for one in sessions]
        yield GaugeMetricFamily(
            "avatar_audio_ahead_seconds", "Speech that waits, all sessions together.", sum(ahead)
        )
        waiting = sum(one.session.fanout.num_waiting for one in sessions)
        yield GaugeMetricFamily(
            "avatar_stream_queue_items", "Items that wait for readers of streams.", waiting
        )
        yield GaugeMetricFamily(
            "avatar_scheduler_busy_sessions",
            "Sessions whose frame is being made at this moment.",
            self._manager.scheduler.num_busy,
        )

    def _capacity(self) -> Iterator[Metric]:
        capacity = self._manager.capacity
        cores = GaugeMetricFamily(
            "avatar_capacity_cores",
            "Cores by the admission's measurement: what open sessions fill, what they may fill.",
            labels=["kind"],
        )
        cores.add_metric(["used"], capacity.used_cores)
        cores.add_metric(["limit"], capacity.limit_cores)
        yield cores
        yield GaugeMetricFamily(
            "avatar_capacity_motion_thread_ratio",
            "Share of the motion thread's time that open sessions fill, by the same measurement.",
            capacity.used_motion,
        )
        yield GaugeMetricFamily(
            "avatar_draining", "1 while new sessions are refused.", float(self._manager.is_draining)
        )
        info = GaugeMetricFamily("avatar_build_info", "Always 1.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info

    def _gpu_families(self) -> Iterator[Metric]:
        busy = GaugeMetricFamily(
            "avatar_gpu_busy_ratio", "Share of time in which a kernel ran.", labels=["device"]
        )
        memory = GaugeMetricFamily(
            "avatar_gpu_memory_bytes", "Memory of the GPU.", labels=["device", "kind"]
        )
        reading = self._gpu.read()
        if reading is not None:
            busy.add_metric([reading.device], reading.busy_share)
            memory.add_metric([reading.device, "used"], reading.memory_used_bytes)
            memory.add_metric([reading.device, "total"], reading.memory_total_bytes)
        yield busy
        yield memory


def _frames(reading: TallyReading) -> Iterator[Metric]:
    totals = reading.totals
    yield CounterMetricFamily(
        "avatar_frames_published", "Frames that went out (latents without pictures too).",
        totals.published,
    )  # fmt: skip
    yield CounterMetricFamily(
        "avatar_frames_late", "Published frames not readable at pts + playout delay.", totals.late
    )
    dropped = CounterMetricFamily(
        "avatar_frames_dropped",
        "Frames left out because the machine was busy, or lost by a slow reader.",
        labels=["cause"],
    )
    dropped.add_metric(["busy"], totals.skipped)
    dropped.add_metric(["slow_reader"], totals.dropped_by_streams)
    yield dropped
    yield CounterMetricFamily(
        "avatar_audio_gaps", "Times that an open segment ran out of samples.", totals.audio_gaps
    )
    yield CounterMetricFamily("avatar_speech_seconds", "Speech consumed.", totals.speech_secs)
    yield CounterMetricFamily(
        "avatar_render_cpu_seconds", "CPU time of rendering.", totals.render_cpu_secs
    )
    yield _histogram(
        "avatar_frame_latency_seconds",
        "From session time reaching a frame's pts to its publication.",
        reading.latency_ms,
    )
    yield _histogram(
        "avatar_frame_render_seconds", "Wall time of rendering one frame.", reading.render_ms
    )


def _histogram(name: str, text: str, figures: Distribution) -> HistogramMetricFamily:
    """Write a distribution of milliseconds down in seconds, Prometheus' base unit."""
    buckets, count = [], 0
    for bound, number in zip((*figures.bounds, None), figures.counts.tolist(), strict=True):
        count += number
        buckets.append(("+Inf" if bound is None else repr(bound / 1e3), float(count)))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=figures.total / 1e3)


class ServiceMetrics:
    """The registry of one service, and the counters of its requests."""

    def __init__(self, manager: SessionManager, gpu: GpuUsage) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self.registry.register(ServiceCollector(manager, gpu))
        prometheus_client.ProcessCollector(registry=self.registry)
        self._requests = prometheus_client.Counter(
            "avatar_requests",
            "Calls that have ended, by method and outcome.",
            ["method", "code"],
            registry=self.registry,
        )
        self._request_secs = prometheus_client.Histogram(
            "avatar_request_seconds",
            "Time of a call; of Animate the whole stream.",
            ["method"],
            buckets=REQUEST_BOUNDS_SECS,
            registry=self.registry,
        )
        self._server: tuple[HTTPServer, threading.Thread] | None = None

    def count_request(self, method: str, code: str, secs: float) -> None:
        """Count a call that has ended."""
        self._requests.labels(method, code).inc()
        self._request_secs.labels(method).observe(secs)

    def serve(self, port: int) -> int:
        """Listen on loopback; return the port (0 takes a free one). INVALID_FIELD if taken."""
        try:
            started: Any = prometheus_client.start_http_server(
                port, addr=HOST, registry=self.registry
            )
        except OSError as error:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"metrics.port: cannot listen on {HOST}:{port}: {error.strerror}",
                field="metrics.port",
            ) from error
        self._server = started
        return int(started[0].server_port)

    def close(self) -> None:
        """Stop listening; idempotent."""
        if self._server is None:
            return
        server, thread = self._server
        self._server = None
        server.shutdown()
        server.server_close()
        thread.join()
