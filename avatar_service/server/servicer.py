"""The RPCs of avatar.v1; each checks, calls the domain, and writes the answer down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from typing import Any, Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import (
    avatar_pb2,
    avatar_service_pb2_grpc,
    capability_pb2,
)
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.motion.generators import MOTION_MODELS
from avatar_service.motion.styles import STYLES
from avatar_service.server.access import CALLER, Scope, check_owner
from avatar_service.server.animate import AnimateStream
from avatar_service.server.avatar_store import AvatarStore, StoredAvatar
from avatar_service.server.messages import (
    CROPS,
    FRAME_SIZES_PX,
    avatar_message,
    consent_of,
    invalid,
    session_message,
    session_request,
    statistics_message,
)
from avatar_service.server.operation_messages import sessions_message
from avatar_service.server.photo_upload import receive_photo
from avatar_service.server.tracing import Tracing
from avatar_service.session.admission import Reservation
from avatar_service.session.managed_session import ManagedSession
from avatar_service.session.manager import SessionManager
from avatar_service.session.session_request import SessionRequest
from avatar_service.transports.grpc_messages import motion_schema_message

API_VERSION: Final = "1.0"
"""Revision history: 1.0 the first."""
MAX_CLIENT_CHARS: Final = 100
MAX_FITS_AT_ONCE: Final = 4
"""Photos that wait for the fit worker; further ones wait for their turn."""
MAX_BUILDS_AT_ONCE: Final = 16
"""Sessions that are being made. After an update each avatar's first one waits for a new fit, up to
minutes: looking after the others, and ending them, must find free threads meanwhile."""
MAX_LISTS_AT_ONCE: Final = 2
"""A list reads every avatar's folder: it must not keep the threads from other calls."""
MAX_UPLOADS_AT_ONCE: Final = 16
"""Bounds the memory that photos on their way can take."""
MAX_FRAME_RATE: Final = 120
MAX_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What GetServerInfo tells beside the state.

    Attributes:
        max_photo_px: largest photo, width times height.
        capabilities: values of capability_pb2.Capability.
    """

    device: str
    default_rate: Fraction
    default_playout_nanos: int
    default_motion_model: str
    max_message_bytes: int
    max_photo_bytes: int
    max_photo_px: int
    max_avatars: int
    max_observers: int
    max_audio_ahead_secs: float
    idle_timeout_secs: float
    stream_frames: int
    capabilities: tuple[capability_pb2.Capability.ValueType, ...]


class AvatarServicer(avatar_service_pb2_grpc.AvatarServiceServicer):
    """The service's face; runs on one event loop and never blocks it."""

    def __init__(
        self,
        manager: SessionManager,
        avatars: AvatarStore,
        facts: ServiceFacts,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing
        self._manager = manager
        self._avatars = avatars
        self._facts = facts
        self._fits = asyncio.Semaphore(MAX_FITS_AT_ONCE)
        self._builds = asyncio.Semaphore(MAX_BUILDS_AT_ONCE)
        self._lists = asyncio.Semaphore(MAX_LISTS_AT_ONCE)
        self._num_uploads = 0
        self._started_nanos = time.monotonic_ns()

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: Any
    ) -> pb.GetServerInfoResponse:
        """Tell versions, capabilities, limits and schemas."""
        _check_version(request)
        facts = self._facts
        rate = facts.default_rate
        return pb.GetServerInfoResponse(
            api_version=API_VERSION,
            product_version=version("avatar-service"),
            capabilities=facts.capabilities,
            limits=capability_pb2.Limits(
                max_message_bytes=facts.max_message_bytes,
                max_photo_bytes=facts.max_photo_bytes,
                max_photo_px=facts.max_photo_px,
                max_sessions=self._manager.capacity.max_sessions_of(rate, 512**2),
                max_avatars=facts.max_avatars,
                max_observers=facts.max_observers,
                max_audio_ahead_millis=round(facts.max_audio_ahead_secs * 1e3),
                idle_timeout_secs=max(1, round(facts.idle_timeout_secs)),
                frame_sizes_px=FRAME_SIZES_PX,
                max_frame_rate_hz=MAX_FRAME_RATE,
            ),
            motion_schemas=[motion_schema_message()],
            speaking_styles=list(STYLES),
            motion_models=list(MOTION_MODELS),
            device=facts.device,
            num_sessions=self._manager.num_sessions,
        )

    async def CreateAvatar(
        self, request_iterator: AsyncIterator[pb.CreateAvatarRequest], context: Any
    ) -> pb.CreateAvatarResponse:
        """Make an avatar from a photo."""
        if self._num_uploads >= MAX_UPLOADS_AT_ONCE:
            raise AvatarError(
                Reason.QUOTA_EXCEEDED, f"{MAX_UPLOADS_AT_ONCE} photos are on their way; wait"
            )
        self._num_uploads += 1
        try:
            return await self._create_avatar(request_iterator)
        finally:
            self._num_uploads -= 1

    async def _create_avatar(
        self, parts: AsyncIterator[pb.CreateAvatarRequest]
    ) -> pb.CreateAvatarResponse:
        header, photo = await receive_photo(parts, max_bytes=self._facts.max_photo_bytes)
        async with self._fits:
            avatar = await asyncio.to_thread(
                self._avatars.create,
                photo,
                crop=CROPS[header.crop],
                display_name=header.display_name,
                consent=consent_of(header),
                owner=CALLER.get().name,
            )
        return pb.CreateAvatarResponse(avatar=avatar_message(avatar))

    async def GetAvatar(self, request: pb.GetAvatarRequest, context: Any) -> pb.GetAvatarResponse:
        """Tell about one avatar."""
        avatar = await asyncio.to_thread(self._avatars.get, request.avatar_id)
        return pb.GetAvatarResponse(avatar=_told(avatar))

    async def ListAvatars(
        self, request: pb.ListAvatarsRequest, context: Any
    ) -> pb.ListAvatarsResponse:
        """List the avatars, newest first; a page token is the last id of the page before."""
        if request.page_size > MAX_PAGE:
            raise invalid("page_size", f"is {request.page_size}; {MAX_PAGE} at most")
        async with self._lists:
            avatars = await asyncio.to_thread(self._avatars.list_all)
        start = 0
        if request.page_token:
            ids = [avatar.avatar_id for avatar in avatars]
            if request.page_token not in ids:
                raise invalid("page_token", "is not of a page of this list; start anew")
            start = ids.index(request.page_token) + 1
        page = avatars[start : start + (request.page_size or 100)]
        is_last = start + len(page) >= len(avatars)
        return pb.ListAvatarsResponse(
            avatars=[_told(avatar) for avatar in page],
            next_page_token="" if is_last else page[-1].avatar_id,
        )

    async def DeleteAvatar(
        self, request: pb.DeleteAvatarRequest, context: Any
    ) -> pb.DeleteAvatarResponse:
        """Erase an avatar with its photo and everything derived from it."""
        await asyncio.to_thread(self._avatars.get, request.avatar_id)
        using = self._manager.uses_of(request.avatar_id)
        if using and not request.end_sessions:
            raise AvatarError(
                Reason.AVATAR_IN_USE,
                f"{len(using)} sessions show this avatar; end them or set end_sessions",
            )
        for managed in using:
            await self._close(managed, "the avatar was deleted", Reason.SESSION_CLOSED)
        await asyncio.to_thread(self._avatars.delete, request.avatar_id)
        return pb.DeleteAvatarResponse(num_sessions_ended=len(using))

    async def CreateSession(
        self, request: pb.CreateSessionRequest, context: Any
    ) -> pb.CreateSessionResponse:
        """Open a session."""
        wanted = session_request(
            request,
            default_rate=self._facts.default_rate,
            default_playout_nanos=self._facts.default_playout_nanos,
            default_motion_model=self._facts.default_motion_model,
        )
        wanted = replace(wanted, owner=CALLER.get().name)
        if wanted.avatar_id:
            await asyncio.to_thread(self._avatars.check_may_show, wanted.avatar_id)
        reservation = self._manager.reserve(wanted)
        managed = await self._build(wanted, reservation)
        try:
            self._manager.start(managed)
        except AvatarError:
            await asyncio.to_thread(self._manager.discard, managed)
            raise
        if self._tracing is not None:
            self._tracing.follow(managed)
        return pb.CreateSessionResponse(session=session_message(managed))

    async def GetSession(
        self, request: pb.GetSessionRequest, context: Any
    ) -> pb.GetSessionResponse:
        """Tell about one session."""
        managed = self._manager.get(request.session_id)
        return pb.GetSessionResponse(session=session_message(managed))

    async def CloseSession(
        self, request: pb.CloseSessionRequest, context: Any
    ) -> pb.CloseSessionResponse:
        """End a session."""
        managed = self._manager.get(request.session_id)
        check_owner(managed.request.owner, role="close a session")
        await self._close(managed, "the session was closed", None)
        return pb.CloseSessionResponse(statistics=statistics_message(managed))

    async def ListSessions(
        self, request: pb.ListSessionsRequest, context: Any
    ) -> pb.ListSessionsResponse:
        """Tell about all sessions."""
        return await asyncio.to_thread(sessions_message, self._manager, self._started_nanos)

    async def Animate(
        self, request_iterator: AsyncIterator[pb.AnimateRequest], context: Any
    ) -> AsyncIterator[pb.AnimateResponse]:
        """Join a session."""
        stream = AnimateStream(self._manager, max_frames=self._facts.stream_frames)
        async with aclosing(stream.run(request_iterator)) as responses:
            async for response in responses:
                yield response

    async def _build(self, wanted: SessionRequest, reservation: Reservation) -> ManagedSession:
        """Build on a worker thread; what a caller no longer waits for is taken apart."""
        try:
            await self._builds.acquire()
        except BaseException:  # the caller has lost patience
            self._manager.capacity.release(reservation)
            raise
        building = asyncio.create_task(asyncio.to_thread(self._manager.build, wanted, reservation))
        building.add_done_callback(lambda _: self._builds.release())
        try:
            return await asyncio.shield(building)
        except asyncio.CancelledError:
            building.add_done_callback(self._discard)
            raise

    def _discard(self, building: asyncio.Task[ManagedSession]) -> None:
        if not building.cancelled() and building.exception() is None:
            self._manager.discard(building.result())

    async def _close(self, managed: ManagedSession, message: str, reason: Reason | None) -> None:
        # Waits for the tick in progress: not on the event loop.
        await asyncio.to_thread(self._manager.close, managed, message, reason)


def _told(avatar: StoredAvatar) -> avatar_pb2.Avatar:
    """Write an avatar down; who the person is and by what right is told to administrators alone."""
    message = avatar_message(avatar)
    if Scope.ADMIN not in CALLER.get().scopes:
        message.ClearField("consent")
    return message


def _check_version(request: pb.GetServerInfoRequest) -> None:
    if len(request.client) > MAX_CLIENT_CHARS:
        raise invalid("client", f"is longer than {MAX_CLIENT_CHARS} characters")
    if not request.api_version:
        return
    major, _, minor = request.api_version.partition(".")
    if not (major.isdecimal() and (minor or "0").isdecimal()):
        raise invalid("api_version", "is no MAJOR.MINOR such as 1.0")
    if int(major) != int(API_VERSION.partition(".")[0]):
        raise AvatarError(
            Reason.PROTOCOL_MISMATCH,
            f"the client speaks version {major}, this service {API_VERSION}",
            metadata={"server": API_VERSION, "client": request.api_version},
        )


def offered_capabilities(
    *, has_shm: bool, has_zmq: bool, has_tcp: bool
) -> tuple[capability_pb2.Capability.ValueType, ...]:
    """Return what this build and configuration can do."""
    found = [
        capability_pb2.CAPABILITY_TRANSPORT_GRPC,
        capability_pb2.CAPABILITY_ENCODING_JPEG,
        capability_pb2.CAPABILITY_ENCODING_H264,
        capability_pb2.CAPABILITY_LATENT_ONLY,
        capability_pb2.CAPABILITY_AUDIO_ECHO,
        capability_pb2.CAPABILITY_LISTENING,
        capability_pb2.CAPABILITY_BURST,
        capability_pb2.CAPABILITY_KNOWN_PHONES,
        capability_pb2.CAPABILITY_LIVE_OUTPUTS,
    ]
    if has_shm:
        found.append(capability_pb2.CAPABILITY_TRANSPORT_SHM)
    if has_zmq:
        found.append(capability_pb2.CAPABILITY_TRANSPORT_ZMQ_IPC)
    if has_tcp:
        found.append(capability_pb2.CAPABILITY_TRANSPORT_ZMQ_TCP)
    return tuple(found)
