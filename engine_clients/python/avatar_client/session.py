"""A session: speech and controls in, frames and latents by audio time out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypedDict, Unpack

import grpc

from avatar_client.audio import ROLES, AudioRole, Samples, chunks_from
from avatar_client.backoff import BackOff
from avatar_client.clock import SessionClock
from avatar_client.controls import ControlValues, controls_message
from avatar_client.errors import (
    NotFoundError,
    PreconditionError,
    TimeoutExceededError,
    UnavailableError,
    from_rpc,
)
from avatar_client.frames import Frame, FrameSource, UInt8Array
from avatar_client.gen.avatar.v1 import (
    audio_pb2,
    avatar_service_pb2,
    avatar_service_pb2_grpc,
    control_pb2,
    event_pb2,
    session_pb2,
)
from avatar_client.inbox import Event, Inbox
from avatar_client.motion import Motion, MotionNames
from avatar_client.sources import TransportName, choose_source, inline_outputs
from avatar_client.statistics import ClientStatistics
from avatar_client.stream import AnimateStream, Metadata

POLL_SECS: Final = 0.1
STATISTICS_INTERVAL_MILLIS: Final = 1000
SILENCE_SECS: Final = 10.0
"""Without these figures a service has hung: it is left and tried again."""
MILLI: Final = 1_000_000
_CLOSES_BY_ITSELF: Final = (
    NotFoundError,
    PreconditionError,
    TimeoutExceededError,
    UnavailableError,
)


class _Payload(TypedDict, total=False):
    audio: audio_pb2.AudioChunk
    phones: audio_pb2.KnownPhones
    segment_end: audio_pb2.SegmentEnd
    control: control_pb2.ControlChange
    interrupt: event_pb2.Interrupt
    playback: event_pb2.PlaybackAck


class Session:
    """One stream into a session; made by Client.open_session and Client.join_session.

    Sending never waits for the network. Thread-safe, but for reading: frames are taken by one
    thread at a time. A fault that ended the stream is raised by every later call.
    """

    def __init__(
        self,
        stub: avatar_service_pb2_grpc.AvatarServiceStub,
        metadata: Metadata,
        info: session_pb2.Session,
        role: event_pb2.StreamRole.ValueType,
        *,
        prefer: TransportName | None,
        server_host: str,
        back_off: BackOff,
        timeout_secs: float,
        owns_session: bool,
    ) -> None:
        self.info = info
        """The session as the server described it, with its effective values."""
        self.motion_names = MotionNames(info.motion_schema)
        self.clock = SessionClock()
        self._stub = stub
        self._metadata = metadata
        self._owns_session = owns_session
        self._timeout_secs = timeout_secs
        self._lock = threading.Lock()
        self._num_segments = 0
        self._num_interrupts = 0
        self._last_change_id = 0
        self._open_segments: dict[AudioRole, str] = {}
        self.source: FrameSource = choose_source(info, prefer=prefer, server_host=server_host)
        """Where frames come from."""
        self._inbox = Inbox(self.source, self.clock, info.epoch)
        self._stream = AnimateStream(
            stub,
            metadata,
            event_pb2.OpenStream(
                session_id=info.session_id,
                role=role,
                inline_outputs=event_pb2.OutputSelection(outputs=inline_outputs(info, self.source)),
                statistics_interval_millis=STATISTICS_INTERVAL_MILLIS,
            ),
            on_message=self._inbox.accept,
            on_end=self._inbox.finish,
            back_off=back_off,
            opening_secs=timeout_secs,
            silence_secs=SILENCE_SECS,
        )
        try:
            self._wait_for_opening()
        except BaseException:
            self.close()
            raise

    @property
    def session_id(self) -> str:
        """Name of the session, for observers to join."""
        return self.info.session_id

    @property
    def epoch(self) -> int:
        """Barge-in counter."""
        return self._inbox.epoch

    @property
    def is_open(self) -> bool:
        """Whether the stream is there or will be again."""
        return not self._inbox.has_ended

    # Sending.

    def push_audio(
        self,
        samples: Samples,
        *,
        sample_rate_hz: int,
        channels: int | None = None,
        role: AudioRole = "speak",
        segment_id: str | None = None,
    ) -> str:
        """Send speech; never waits.

        Args:
            samples: float array in [-1, 1] or int16 array, (num_samples,) or (num_samples,
                channels); or bytes of little-endian 16 bit integers, interleaved.
            sample_rate_hz: 8000 to 48000.
            channels: of bytes, 1 where not given; an array tells it by its shape.
            role: whose voice it is.
            segment_id: name for a new segment; None goes on with the open one, or begins one.

        Returns:
            Name of the segment.

        Raises:
            ValueError: samples of another shape or type, or not finite.
            ExhaustedError: the connection does not take them.
        """
        self._check_open()
        name = self._segment_for(role, segment_id)
        for chunk in chunks_from(
            samples,
            sample_rate_hz=sample_rate_hz,
            channels=channels,
            role=role,
            segment_id=name,
        ):
            self._send(audio=chunk)
        return name

    def push_phones(
        self,
        phones: Iterable[tuple[str, int, int]],
        *,
        alphabet: audio_pb2.PhoneAlphabet.ValueType = audio_pb2.PHONE_ALPHABET_ARPABET,
        segment_id: str | None = None,
    ) -> str:
        """Send known phones (symbol, start, end in nanoseconds from the segment's first sample).

        Returns:
            Name of the segment, the open one or one that `push_audio` goes on with.
        """
        self._check_open()
        name = self._segment_for("speak", segment_id)
        messages = [audio_pb2.Phone(symbol=s, start_nanos=a, end_nanos=b) for s, a, b in phones]
        self._send(
            phones=audio_pb2.KnownPhones(segment_id=name, alphabet=alphabet, phones=messages)
        )
        return name

    def end_segment(self, role: AudioRole = "speak") -> None:
        """Say that the open segment is complete; without one nothing happens."""
        self._check_open()
        with self._lock:
            name = self._open_segments.pop(role, None)
        if name is not None:
            self._send(segment_end=audio_pb2.SegmentEnd(role=ROLES[role], segment_id=name))

    def set_controls(
        self, *, effective_pts_nanos: int = 0, **controls: Unpack[ControlValues]
    ) -> int:
        """Change controls; what is not given stays. See ControlValues.

        Args:
            effective_pts_nanos: session time; 0: as early as possible.
            **controls: what changes.

        Returns:
            Id that ControlApplied.change_id repeats.
        """
        self._check_open()
        message = controls_message(controls)
        with self._lock:
            self._last_change_id += 1
            change_id = self._last_change_id
        self._send(
            control=control_pb2.ControlChange(
                change_id=change_id, effective_pts_nanos=effective_pts_nanos, controls=message
            )
        )
        return change_id

    def interrupt(
        self, *, heard_pts_nanos: int | None = None, timeout_secs: float = 2.0
    ) -> event_pb2.Interrupted | None:
        """Barge in: drop the speech that is not yet out. Frames of older epochs no longer come.

        Args:
            heard_pts_nanos: session time of the last sample heard, where it is known.
            timeout_secs: longest wait for the answer; 0: do not wait.

        Raises:
            TimeoutExceededError: no answer in time; the interrupt may still take effect.
        """
        self._check_open()
        with self._lock:
            self._open_segments.clear()
            self._num_interrupts = max(self._num_interrupts, self._inbox.num_interrupts) + 1
            number = self._num_interrupts
        self._send(interrupt=event_pb2.Interrupt(heard_pts_nanos=heard_pts_nanos))
        if timeout_secs <= 0:
            return None
        if self._inbox.wait(lambda: self._inbox.num_interrupts >= number, timeout_secs):
            return self._inbox.last_interrupt
        self._check_open()
        raise TimeoutExceededError("TIMEOUT", f"no answer to the interrupt in {timeout_secs:g} s")

    def acknowledge(self, pts_nanos: int) -> None:
        """Tell which sample is being heard now; about every 250 ms while audio plays."""
        self._check_open()
        self._send(playback=event_pb2.PlaybackAck(pts_nanos=pts_nanos))

    # Time.

    def playhead_nanos(self) -> int:
        """Return the session time to show now: the server's, less the playout delay.

        A client that plays the audio knows better: the pts of the sample being heard, which is
        SegmentStarted.pts_nanos and the samples played since.
        """
        return self.clock.pts_nanos() - self.info.playout_delay_millis * MILLI

    def wait_segment_started(
        self, segment_id: str, timeout_secs: float = 5.0
    ) -> event_pb2.SegmentStarted:
        """Return when and where a segment began. Raises TimeoutExceededError."""
        self._inbox.wait(lambda: self._inbox.started(segment_id) is not None, timeout_secs)
        started = self._inbox.started(segment_id)
        if started is not None:
            return started
        self._check_open()
        raise TimeoutExceededError("TIMEOUT", f"segment {segment_id} did not begin in time")

    # Reading.

    def frame_due(
        self, pts_nanos: int | None = None, *, out: UInt8Array | None = None
    ) -> Frame | None:
        """Return the newest frame not after a session time (default: the playhead).

        `out` (height, width, 4) uint8 takes the pixels instead of a new array.
        """
        self._check_fault()
        return self.source.due(self.playhead_nanos() if pts_nanos is None else pts_nanos, out=out)

    def motion_due(self, pts_nanos: int | None = None) -> Motion | None:
        """Return the latent of the frame that is due, without its pixels."""
        self._check_fault()
        return self.source.motion_due(self.playhead_nanos() if pts_nanos is None else pts_nanos)

    def next_frame(self, timeout_secs: float = 1.0) -> Frame | None:
        """Return the next frame in order, waiting for it; None: none came."""
        frame = self._take(timeout_secs)
        if frame is None:
            self._check_fault()
        return frame

    def _take(self, timeout_secs: float) -> Frame | None:
        frame = self.source.next(timeout_secs)
        if frame is None and not self.source.is_alive:
            # Whoever wrote has gone; the stream reconnects or ends with a fault. Wait for that.
            self._inbox.wait(lambda: self._inbox.has_ended, timeout_secs)
        return frame

    def frames(self, *, through_segment: str | None = None) -> Iterator[Frame]:
        """Yield the frames in order until the session ends; its fault, if any, is raised.

        Args:
            through_segment: end behind the last frame of this segment instead.
        """
        while True:
            # Both before the take: what is told comes behind the frames that it tells of.
            has_ended = self._inbox.has_ended
            ended = None if through_segment is None else self._inbox.ended(through_segment)
            frame = self._take(POLL_SECS)
            if frame is None:
                if ended is not None:
                    return
                if has_ended:
                    self._check_fault()
                    return
                continue
            if ended is not None and frame.pts_nanos >= ended.pts_nanos:
                return
            yield frame

    def next_event(self, timeout_secs: float = 0.0) -> Event | None:
        """Return the next event, waiting for it; None: none came."""
        event = self._inbox.take_event(timeout_secs)
        if event is None:
            self._check_fault()
        return event

    def statistics(self) -> ClientStatistics:
        """Return the figures of both sides."""
        return ClientStatistics(
            transport=self.source.name,
            counters=replace(self.source.counters),
            num_reconnects=self._stream.num_reconnects,
            num_events_lost=self._inbox.num_events_lost,
            server=self._inbox.statistics,
        )

    # Ending.

    def finish(self) -> None:
        """Say that nothing more will be sent; open segments end, and then the stream."""
        self._stream.half_close()

    def close(self) -> None:
        """Leave; the one who opened the session also ends it. Idempotent."""
        with self._lock:
            ends_session, self._owns_session = self._owns_session, False
        # The source first: the stream's thread may be waiting for room in it.
        self.source.close()
        self._stream.close()
        if not ends_session:
            return
        request = avatar_service_pb2.CloseSessionRequest(session_id=self.session_id)
        try:
            self._stub.CloseSession(request, metadata=self._metadata, timeout=self._timeout_secs)
        except grpc.RpcError as error:
            fault = from_rpc(error)
            # It has ended already, or it will: with the service, or for want of a controller.
            if not isinstance(fault, _CLOSES_BY_ITSELF):
                raise fault from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _wait_for_opening(self) -> None:
        if not self._inbox.wait(lambda: self._inbox.num_opened > 0, self._timeout_secs):
            self._check_open()
            raise TimeoutExceededError("TIMEOUT", "the session's stream did not open in time")

    def _segment_for(self, role: AudioRole, segment_id: str | None) -> str:
        """Return the segment that audio belongs to, beginning one where none is open."""
        with self._lock:
            name = segment_id or self._open_segments.get(role)
            if name is None:
                self._num_segments += 1
                name = f"{role}-{self._num_segments}"
            self._open_segments[role] = name
            return name

    def _send(self, **payload: Unpack[_Payload]) -> None:
        self._stream.send(avatar_service_pb2.AnimateRequest(**payload))

    def _check_fault(self) -> None:
        if self._inbox.fault is not None:
            raise self._inbox.fault

    def _check_open(self) -> None:
        self._check_fault()
        if self._inbox.has_ended:
            raise PreconditionError("SESSION_CLOSED", "the session's stream has ended")
