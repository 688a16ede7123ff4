"""The Animate stream: one coroutine takes the client's messages in, one sends the session's out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import event_pb2
from avatar_service.server.access import check_owner
from avatar_service.server.controls_message import apply_controls
from avatar_service.server.messages import (
    invalid,
    outputs_of,
    pcm_of,
    phones_of,
    role_of,
    session_message,
)
from avatar_service.server.stream_items import item_message
from avatar_service.session.events import StatisticsDue, TransportLost
from avatar_service.session.managed_session import ManagedSession
from avatar_service.session.manager import SessionManager
from avatar_service.session.session_request import OutputKind, TransportKind
from avatar_service.session.settings import Pacing
from avatar_service.session.subscriber import Subscriber, Wanted

log = logging.getLogger(__name__)

OPEN_TIMEOUT_SECS: Final = 10.0
"""A stream whose first message does not come is ended."""
MIN_STATISTICS_MILLIS: Final = 100
MAX_CONTROLS_AHEAD_NANOS: Final = 60_000_000_000
BURST_AHEAD_NANOS: Final = 10_000_000_000
"""BURST: this much speech waits at most; beyond it the client's stream is not read."""
POLL_SECS: Final = 0.01
READ_SECS: Final = 1.0
"""So long a client may take to half-close behind SessionEnded; those of long ago do not know it."""
AHEAD_SHARED_NANOS: Final = 5_000_000_000
"""A session with less speech waiting is not counted against its client's quota at each chunk."""

_WANTED: Final = {
    OutputKind.FRAMES: Wanted.FRAMES,
    OutputKind.MOTION: Wanted.MOTION,
    OutputKind.AUDIO: Wanted.AUDIO,
}


class AnimateStream:
    """One call of Animate.

    Args:
        max_frames: latents or frames that may wait for this reader.
    """

    def __init__(self, manager: SessionManager, *, max_frames: int) -> None:
        self._manager = manager
        self._max_frames = max_frames

    async def run(
        self, requests: AsyncIterator[pb.AnimateRequest]
    ) -> AsyncGenerator[pb.AnimateResponse, None]:
        """Serve the call. Raises AvatarError where it ends with a fault."""
        opening = await _first(requests)
        managed = self._manager.get(opening.session_id)
        is_controller = opening.role == event_pb2.STREAM_ROLE_CONTROLLER
        if is_controller:
            check_owner(managed.request.owner, role="control a session")
        subscriber = self._subscribe(opening, managed, is_controller=is_controller)
        if is_controller:
            self._manager.attach_controller(managed)
        else:
            self._manager.attach_observer(managed)
        for message in managed.lost_transports.values():
            subscriber.put(TransportLost(message))
        managed.session.fanout.add(subscriber)
        faults: list[Exception] = []
        taking_in = asyncio.create_task(
            self._take_in(requests, managed, subscriber, faults, is_controller=is_controller)
        )
        ticking = asyncio.create_task(
            _tick_statistics(subscriber, opening.statistics_interval_millis)
        )
        try:
            if managed.session.is_closed:  # closed while the stream was being set up
                raise AvatarError(Reason.SESSION_CLOSED, "the session is closed")
            opened = event_pb2.StreamOpened(session=session_message(managed), role=opening.role)
            yield pb.AnimateResponse(opened=opened)
            while (item := await subscriber.take()) is not None:
                yield item_message(item, managed, subscriber)
            if faults:
                raise faults[0]
            if managed.session.end_reason is not None:
                # Not before the client has read all: see SessionEnded in event.proto.
                await asyncio.wait({taking_in}, timeout=READ_SECS)
                raise AvatarError(managed.session.end_reason, managed.session.end_message)
        finally:
            managed.session.fanout.remove(subscriber)
            self._manager.detach(managed, was_controller=is_controller)
            for task in (taking_in, ticking):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def _subscribe(
        self, opening: event_pb2.OpenStream, managed: ManagedSession, *, is_controller: bool
    ) -> Subscriber:
        has_inline = TransportKind.GRPC in managed.request.transports
        kinds = managed.request.outputs
        if opening.HasField("inline_outputs"):
            chosen = outputs_of(opening.inline_outputs)
            for kind in chosen - kinds:
                raise AvatarError(
                    Reason.TRANSPORT_NOT_SUPPORTED,
                    f"inline_outputs: the session does not produce {kind.value}",
                    field="inline_outputs",
                )
            if not has_inline and chosen - {OutputKind.AUDIO}:
                raise AvatarError(
                    Reason.TRANSPORT_NOT_SUPPORTED,
                    "inline_outputs: the session was opened without TRANSPORT_GRPC",
                    field="inline_outputs",
                )
            kinds = chosen
        elif not has_inline:
            kinds = kinds & {OutputKind.AUDIO}
        wanted = Wanted.ANNOUNCEMENTS if opening.announce_frames else Wanted.NONE
        for kind in kinds:
            wanted |= _WANTED[kind]
        return Subscriber(
            wanted=wanted,
            max_frames=self._max_frames,
            is_lossless=is_controller and managed.request.pacing is Pacing.BURST,
            loop=asyncio.get_running_loop(),
            on_room=self._manager.scheduler.wake
            if managed.request.pacing is Pacing.BURST
            else None,
        )

    async def _take_in(
        self,
        requests: AsyncIterator[pb.AnimateRequest],
        managed: ManagedSession,
        subscriber: Subscriber,
        faults: list[Exception],
        *,
        is_controller: bool,
    ) -> None:
        """Read the client's messages to their end; a fault ends the stream."""
        try:
            async for request in requests:
                if not is_controller:
                    raise AvatarError(
                        Reason.PERMISSION_DENIED, "an observer sends nothing after OpenStream"
                    )
                try:
                    await self._apply(request, managed)
                except AvatarError:
                    if not managed.session.is_closed:  # else it came too late, whatever it was
                        raise
            if is_controller:
                await self._finish(managed)
                subscriber.close()
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            faults.append(fault)
            subscriber.close()

    async def _apply(self, request: pb.AnimateRequest, managed: ManagedSession) -> None:
        session = managed.session
        kind = request.WhichOneof("payload")
        if kind == "audio":
            if session.settings.pacing is Pacing.BURST:
                await _until(lambda: session.audio_ahead_nanos < BURST_AHEAD_NANOS)
            session.push_audio(pcm_of(request.audio))
            if session.audio_ahead_nanos > AHEAD_SHARED_NANOS:
                self._manager.check_audio_ahead(managed.request.owner)
        elif kind == "segment_end":
            end = request.segment_end
            session.end_segment(role_of(end.role), end.segment_id)
        elif kind == "interrupt":
            session.interrupt()
        elif kind == "control":
            change = request.control
            ahead = change.effective_pts_nanos - session.pts_nanos
            if change.effective_pts_nanos < 0 or ahead > MAX_CONTROLS_AHEAD_NANOS:
                raise invalid("control.effective_pts_nanos", "is not 0 to 60 s ahead")
            controls = apply_controls(session.controls, change.controls)
            session.set_controls(controls, change.effective_pts_nanos, change.change_id)
        elif kind == "playback":
            session.acknowledge(request.playback.pts_nanos)
        elif kind == "phones":
            session.push_phones(phones_of(request.phones))
        elif kind == "open":
            raise invalid("open", "is allowed once, as the first message")
        else:
            raise invalid("payload", "is missing")
        if session.settings.pacing is Pacing.BURST:
            self._manager.scheduler.wake()

    async def _finish(self, managed: ManagedSession) -> None:
        """The controller has half-closed: end what is open and wait until everything is out."""
        session = managed.session
        session.end_all_segments()
        self._manager.scheduler.wake()
        await _until(lambda: session.is_closed or not session.has_work)


async def _first(requests: AsyncIterator[pb.AnimateRequest]) -> event_pb2.OpenStream:
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_SECS):
            request = await anext(requests)
    except StopAsyncIteration:
        raise invalid("open", "is missing; it is the first message of a stream") from None
    except TimeoutError:
        raise invalid("open", f"did not come within {OPEN_TIMEOUT_SECS:g} s") from None
    if request.WhichOneof("payload") != "open":
        raise invalid("open", "is missing; it is the first message of a stream")
    opening = request.open
    if opening.role not in (
        event_pb2.STREAM_ROLE_CONTROLLER,
        event_pb2.STREAM_ROLE_OBSERVER,
    ):
        raise AvatarError(
            Reason.UNSPECIFIED_ENUM, "open.role is not set; CONTROLLER or OBSERVER", field="role"
        )
    if 0 < opening.statistics_interval_millis < MIN_STATISTICS_MILLIS:
        raise invalid("open.statistics_interval_millis", f"is below {MIN_STATISTICS_MILLIS}")
    return opening


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  the condition changes on the scheduler's thread
        await asyncio.sleep(POLL_SECS)


async def _tick_statistics(subscriber: Subscriber, interval_millis: int) -> None:
    if not interval_millis:
        return
    while True:
        await asyncio.sleep(interval_millis / 1e3)
        subscriber.put(StatisticsDue())
