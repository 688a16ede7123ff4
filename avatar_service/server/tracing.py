"""OpenTelemetry traces (extra [telemetry]): one span a request, one a session, one a segment.

Off unless traces.endpoint names a collector. Spans hold figures and the short session id, never
names that a client chose, audio or identity. No span is made for a frame.
"""

from __future__ import annotations

import time
from typing import Any, Final

from avatar_service import __version__
from avatar_service.errors import AvatarError, Reason
from avatar_service.session import events
from avatar_service.session.managed_session import ManagedSession, short_id
from avatar_service.session.subscriber import Subscriber, Wanted
from avatar_service.signals import MotionFrame

SERVICE_NAME: Final = "avatar-service"


class Tracing:
    """Makes spans and sends them.

    Args:
        endpoint: of an OTLP/gRPC collector, "http://127.0.0.1:4317"; https speaks TLS.
        exporter: another exporter, for tests.

    Raises:
        AvatarError: INVALID_FIELD where the extra is not installed.
    """

    def __init__(self, endpoint: str, *, exporter: Any = None) -> None:
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            if exporter is None:
                from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

                exporter = OTLPSpanExporter(
                    endpoint=endpoint, insecure=endpoint.startswith("http://")
                )
        except ImportError as error:
            raise AvatarError(
                Reason.INVALID_FIELD,
                "traces.endpoint needs OpenTelemetry: pip install 'avatar-service[telemetry]'",
                field="traces.endpoint",
            ) from error
        resource = Resource.create({"service.name": SERVICE_NAME, "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("avatar_service")
        self._propagator = TraceContextTextMapPropagator()

    def request(self, method: str, request_id: str, metadata: Any) -> Any:
        """Begin the span of a call; a client's `traceparent` is its parent."""
        carrier = {key: value for key, value in metadata or () if isinstance(value, str)}
        return self._tracer.start_span(
            method,
            context=self._propagator.extract(carrier),
            attributes={"rpc.system": "grpc", "rpc.method": method, "request.id": request_id},
        )

    def follow(self, managed: ManagedSession) -> None:
        """Make the spans of a session that begins, until it ends."""
        managed.session.fanout.add(SessionTrace(self._tracer, managed))

    def close(self) -> None:
        """Send what waits and stop."""
        self._provider.shutdown()


class SessionTrace(Subscriber):
    """A reader of a session's events that makes spans of them."""

    def __init__(self, tracer: Any, managed: ManagedSession) -> None:
        super().__init__(wanted=Wanted.MOTION, max_frames=1)
        from opentelemetry.trace import set_span_in_context

        self._tracer = tracer
        self._managed = managed
        waited = time.monotonic_ns() - managed.asked_at_nanos
        self._asked_at = time.time_ns() - waited
        settings = managed.session.settings
        self._span = tracer.start_span(
            "session",
            start_time=self._asked_at,
            attributes={
                "avatar.session": short_id(managed),
                "avatar.frame_rate_hz": float(settings.rate),
                "avatar.size_px": settings.size_px,
                "avatar.pacing": settings.pacing.value,
            },
        )
        self._within = set_span_in_context(self._span)
        self._segments: dict[str, Any] = {}

    def put(self, item: events.StreamItem) -> None:
        """Make a span or an event of what is told; frames pass by after the first."""
        match item:
            case MotionFrame():
                self.wanted = Wanted.NONE
                first = self._tracer.start_span(
                    "first frame", context=self._within, start_time=self._asked_at
                )
                first.end()
            case events.SegmentStarted():
                self._segments[item.segment_id] = self._tracer.start_span(
                    "segment",
                    context=self._within,
                    attributes={"avatar.role": item.role.value, "avatar.epoch": item.epoch},
                )
            case events.SegmentEnded():
                span = self._segments.pop(item.segment_id, None)
                if span is not None:
                    span.set_attribute("avatar.interrupted", item.is_cut_short)
                    span.end()
            case events.Interrupted():
                self._span.add_event("interrupted", {"avatar.epoch": item.epoch})
            case events.FramesLate() | events.FramesSkipped():
                self._span.add_event(type(item).__name__, {"avatar.frames": item.num_frames})
            case events.AudioLate():
                self._span.add_event("AudioLate", {"avatar.gap_ms": item.gap_nanos / 1e6})
            case _:
                pass

    def close(self) -> None:
        """End all spans."""
        for span in self._segments.values():
            span.end()
        self._segments.clear()
        session = self._managed.session
        self._span.set_attributes(
            {
                "avatar.frames": session.stats.published,
                "avatar.frames_late": session.stats.late,
                "avatar.frames_dropped": session.stats.skipped,
                "avatar.speech_secs": session.stats.speech_secs,
                "avatar.end_reason": session.end_reason.value if session.end_reason else "CLOSED",
            }
        )
        self._span.end()
