"""What the stream has told so far: events in order, and the facts that calls wait for."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, TypeVar

from avatar_client.clock import SessionClock
from avatar_client.errors import AvatarClientError
from avatar_client.frames import FrameSource
from avatar_client.gen.avatar.v1 import audio_pb2, avatar_service_pb2, event_pb2
from avatar_client.grpc_source import GrpcSource

Event = (
    event_pb2.SegmentStarted
    | event_pb2.SegmentEnded
    | event_pb2.ControlApplied
    | event_pb2.Interrupted
    | event_pb2.Notice
    | audio_pb2.AudioEcho
)
"""Messages of avatar.v1, specified in event.proto and audio.proto."""

_Segment = TypeVar("_Segment", event_pb2.SegmentStarted, event_pb2.SegmentEnded)

MAX_EVENTS: Final = 4096
MAX_SEGMENTS: Final = 256


class Inbox:
    """Filled by the stream's thread, read by any other."""

    def __init__(self, source: FrameSource, clock: SessionClock, epoch: int) -> None:
        self._source = source
        self._clock = clock
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._started: OrderedDict[str, event_pb2.SegmentStarted] = OrderedDict()
        self._ended: OrderedDict[str, event_pb2.SegmentEnded] = OrderedDict()
        self.epoch = epoch
        self.num_opened = 0
        self.num_interrupts = 0
        self.num_events_lost = 0
        self.last_interrupt: event_pb2.Interrupted | None = None
        self.statistics: event_pb2.Statistics | None = None
        self.has_ended = False
        self.fault: AvatarClientError | None = None

    def accept(self, response: avatar_service_pb2.AnimateResponse) -> None:
        """Take a message.

        Raises:
            ValueError: a frame or latent that cannot be decoded.
        """
        kind = response.WhichOneof("payload")
        if kind == "frame":
            if isinstance(self._source, GrpcSource) and response.frame.data:
                self._source.accept_frame(response.frame)
        elif kind == "motion":
            if isinstance(self._source, GrpcSource):
                self._source.accept_motion(response.motion)
        elif kind == "opened":
            self._accept_opened(response.opened)
        elif kind == "statistics":
            self._clock.observe(response.statistics.pts_nanos)
            with self._changed:
                self.statistics = response.statistics
                self._changed.notify_all()
        elif kind == "segment_started":
            self._remember(self._started, response.segment_started)
            self._tell(response.segment_started)
        elif kind == "segment_ended":
            self._remember(self._ended, response.segment_ended)
            self._tell(response.segment_ended)
        elif kind == "interrupted":
            self._accept_interrupted(response.interrupted)
        elif kind == "control_applied":
            self._tell(response.control_applied)
        elif kind == "notice":
            self._tell(response.notice)
        elif kind == "audio":
            self._tell(response.audio)

    def finish(self, fault: AvatarClientError | None) -> None:
        """The stream is over."""
        with self._changed:
            self.has_ended = True
            self.fault = fault
            self._changed.notify_all()
        if isinstance(self._source, GrpcSource):
            self._source.close()

    def wait(self, is_there: Callable[[], bool], timeout_secs: float) -> bool:
        """Wait until something is there or the stream is over; tell whether it is there."""
        with self._changed:
            self._changed.wait_for(lambda: is_there() or self.has_ended, timeout_secs)
            return is_there()

    def started(self, segment_id: str) -> event_pb2.SegmentStarted | None:
        """Return where a segment began, once that is known."""
        return self._started.get(segment_id)

    def ended(self, segment_id: str) -> event_pb2.SegmentEnded | None:
        """Return where a segment ended, once all of it is out."""
        return self._ended.get(segment_id)

    def take_event(self, timeout_secs: float) -> Event | None:
        """Return the oldest event not taken yet."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self.has_ended, timeout_secs)
            return self._events.popleft() if self._events else None

    def _accept_opened(self, opened: event_pb2.StreamOpened) -> None:
        self._clock.observe(opened.session.pts_nanos)
        with self._changed:
            self.epoch = max(self.epoch, opened.session.epoch)
            self.num_opened += 1
            self._changed.notify_all()

    def _accept_interrupted(self, interrupted: event_pb2.Interrupted) -> None:
        self._source.raise_epoch(interrupted.epoch, interrupted.valid_through_nanos)
        with self._changed:
            self.epoch = max(self.epoch, interrupted.epoch)
            self.num_interrupts += 1
            self.last_interrupt = interrupted
        self._tell(interrupted)

    def _remember(self, segments: OrderedDict[str, _Segment], segment: _Segment) -> None:
        with self._changed:
            segments[segment.segment_id] = segment
            if len(segments) > MAX_SEGMENTS:
                segments.popitem(last=False)

    def _tell(self, event: Event) -> None:
        with self._changed:
            self._events.append(event)
            if len(self._events) > MAX_EVENTS:
                self._events.popleft()
                self.num_events_lost += 1
            self._changed.notify_all()
