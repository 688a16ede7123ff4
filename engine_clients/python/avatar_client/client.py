"""Connecting to the service: versions, avatars, sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Final, Literal, Self, TypeVar

import grpc

from avatar_client.backoff import BackOff
from avatar_client.consent import Consent
from avatar_client.controls import ControlValues, controls_message
from avatar_client.errors import (
    NotFoundError,
    NotSupportedError,
    PreconditionError,
    UnavailableError,
    from_rpc,
)
from avatar_client.gen.avatar.v1 import (
    avatar_pb2,
    avatar_service_pb2,
    avatar_service_pb2_grpc,
    capability_pb2,
    event_pb2,
    frame_pb2,
    session_pb2,
)
from avatar_client.live_outputs import LiveOutput
from avatar_client.session import Session
from avatar_client.sources import OUTPUTS, TRANSPORTS, TransportName, host_of, is_local
from avatar_client.stream import Metadata

API_VERSION: Final = "1.0"
CLIENT_NAME: Final = "python/0.1.0"
PHOTO_CHUNK_BYTES: Final = 64 << 10

OutputName = Literal["frames", "motion", "audio"]
CROPS: Final = {"face": avatar_pb2.CROP_POLICY_FACE, "keep": avatar_pb2.CROP_POLICY_KEEP}
PACINGS: Final = {"realtime": session_pb2.PACING_REALTIME, "burst": session_pb2.PACING_BURST}
ENCODINGS: Final = {
    "raw": frame_pb2.FRAME_ENCODING_RAW,
    "jpeg": frame_pb2.FRAME_ENCODING_JPEG,
    "h264": frame_pb2.FRAME_ENCODING_H264,
}
_NEEDED: Final[dict[str, tuple[capability_pb2.Capability.ValueType, ...]]] = {
    "shm": (capability_pb2.CAPABILITY_TRANSPORT_SHM,),
    "zmq": (
        capability_pb2.CAPABILITY_TRANSPORT_ZMQ_IPC,
        capability_pb2.CAPABILITY_TRANSPORT_ZMQ_TCP,
    ),
    "grpc": (capability_pb2.CAPABILITY_TRANSPORT_GRPC,),
}

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Client:
    """A connection to the service; made by `connect`. Thread-safe.

    Attributes:
        info: what the server said about itself.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        target: str,
        metadata: Metadata,
        *,
        timeout_secs: float,
        back_off: BackOff,
    ) -> None:
        self._channel = channel
        self._stub = avatar_service_pb2_grpc.AvatarServiceStub(channel)
        self._target = target
        self._metadata = metadata
        self._timeout_secs = timeout_secs
        self._back_off = back_off
        self.info = self._greet()

    def server_info(self) -> avatar_service_pb2.GetServerInfoResponse:
        """Ask again for versions, capabilities, limits and schemas."""
        request = avatar_service_pb2.GetServerInfoRequest(
            api_version=API_VERSION, client=CLIENT_NAME
        )
        return self._call(self._stub.GetServerInfo, request)

    def create_avatar(
        self,
        photo: bytes,
        consent: Consent,
        *,
        display_name: str = "",
        crop: Literal["face", "keep"] = "face",
        timeout_secs: float = 180.0,
    ) -> avatar_pb2.Avatar:
        """Make an avatar from the bytes of a photo file (JPEG, PNG, WebP).

        It takes a second or two; the first one on a machine also compiles the renderer.

        Raises:
            ValueError: no bytes (a path, say), another crop; nothing was sent.
            InvalidRequestError: no face and the like; the message tells what to do.
            PreconditionError: CONSENT_REQUIRED.
        """
        if not isinstance(photo, bytes | bytearray | memoryview):
            raise ValueError(
                f"photo: {type(photo).__name__}; the bytes of a photo file are expected, "
                "as of Path(...).read_bytes()"
            )
        if crop not in CROPS:
            raise ValueError(f"crop: {crop!r}; {' or '.join(CROPS)} is expected")
        photo = bytes(photo)
        header = avatar_pb2.AvatarHeader(
            consent=consent.message(),
            display_name=display_name,
            crop=CROPS[crop],
            photo_bytes=len(photo),
        )
        try:
            response = self._stub.CreateAvatar(
                _upload(header, photo), metadata=self._metadata, timeout=timeout_secs
            )
        except grpc.RpcError as error:
            raise from_rpc(error) from error
        return response.avatar

    def get_avatar(self, avatar_id: str) -> avatar_pb2.Avatar:
        """Return one avatar. Raises NotFoundError."""
        request = avatar_service_pb2.GetAvatarRequest(avatar_id=avatar_id)
        return self._call(self._stub.GetAvatar, request).avatar

    def list_avatars(self) -> Iterator[avatar_pb2.Avatar]:
        """Yield all avatars, newest first."""
        request = avatar_service_pb2.ListAvatarsRequest()
        while True:
            page = self._call(self._stub.ListAvatars, request)
            yield from page.avatars
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def delete_avatar(self, avatar_id: str, *, end_sessions: bool = False) -> int:
        """Delete an avatar and all that is derived from it; return how many sessions ended."""
        request = avatar_service_pb2.DeleteAvatarRequest(
            avatar_id=avatar_id, end_sessions=end_sessions
        )
        return self._call(self._stub.DeleteAvatar, request).num_sessions_ended

    def open_session(
        self,
        avatar_id: str = "",
        *,
        frame_rate: Fraction | int = 40,
        size_px: int = 512,
        outputs: Sequence[OutputName] = (),
        transport: TransportName | None = None,
        pacing: Literal["realtime", "burst"] = "realtime",
        encoding: Literal["raw", "jpeg", "h264"] = "raw",
        playout_delay_millis: int | None = None,
        controls: ControlValues | None = None,
        ring_slot_count: int = 0,
        live_outputs: Sequence[LiveOutput] = (),
    ) -> Session:
        """Open a session and join it as its controller.

        Args:
            avatar_id: whom to show; empty: latents only.
            frame_rate: frames per second, 1 to 120.
            size_px: edge of the square frame.
            outputs: empty: frames and motion, or motion where there is no avatar.
            transport: the one way to take; None: the best that works.
            pacing: "realtime", or "burst" for files.
            encoding: of frames inside gRPC.
            playout_delay_millis: None: the server's.
            controls: to begin with.
            ring_slot_count: slots of the shared-memory ring; 0: the server's.
            live_outputs: receivers of other software that the server drives; a server that has
                none of them refuses (NotSupportedError).

        Raises:
            AvatarClientError: of the type that fits.
        """
        rate = Fraction(frame_rate)
        if live_outputs and capability_pb2.CAPABILITY_LIVE_OUTPUTS not in self.info.capabilities:
            raise NotSupportedError(
                "TRANSPORT_NOT_SUPPORTED", "this server has no live outputs (Live Link, VMC)"
            )
        ways = [transport] if transport else self._ways()
        request = avatar_service_pb2.CreateSessionRequest(
            avatar_id=avatar_id,
            frame_rate=session_pb2.FrameRate(num=rate.numerator, den=rate.denominator),
            width_px=size_px if avatar_id else 0,
            outputs=[OUTPUTS[name] for name in outputs],
            transports=[TRANSPORTS[name] for name in ways],
            pacing=PACINGS[pacing],
            frame_encoding=ENCODINGS[encoding],
            playout_delay_millis=playout_delay_millis,
            controls=controls_message(controls or {}),
            ring_slot_count=ring_slot_count,
            live_outputs=[output.message() for output in live_outputs],
        )
        return self._open(request, transport)

    def join_session(self, session_id: str, *, transport: TransportName | None = None) -> Session:
        """Join a session as an observer."""
        info = self.get_session(session_id)
        return self._join(info, event_pb2.STREAM_ROLE_OBSERVER, transport, owns_session=False)

    def get_session(self, session_id: str) -> session_pb2.Session:
        """Return what the server says about a session. Raises NotFoundError."""
        request = avatar_service_pb2.GetSessionRequest(session_id=session_id)
        return self._call(self._stub.GetSession, request).session

    def list_sessions(self) -> avatar_service_pb2.ListSessionsResponse:
        """Return what an operator sees: all running sessions and the service's own figures."""
        request = avatar_service_pb2.ListSessionsRequest()
        return self._call(self._stub.ListSessions, request)

    def close(self) -> None:
        """Disconnect; sessions of this client end with it. Idempotent."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(
        self, request: avatar_service_pb2.CreateSessionRequest, transport: TransportName | None
    ) -> Session:
        """Open and join; again where the service hands over to another one meanwhile.

        Then the one that goes refuses (SHUTTING_DOWN), or has made the session and the one that
        comes, which the next call meets, does not know it.
        """
        deadline = time.monotonic() + self._timeout_secs
        num_tries = 0
        while True:
            try:
                info = self._call(self._stub.CreateSession, request).session
                try:
                    return self._join(
                        info, event_pb2.STREAM_ROLE_CONTROLLER, transport, owns_session=True
                    )
                except BaseException:
                    close = avatar_service_pb2.CloseSessionRequest(session_id=info.session_id)
                    self._stub.CloseSession.future(close, metadata=self._metadata, timeout=1.0)
                    raise
            except (UnavailableError, NotFoundError) as error:
                if error.reason == "AVATAR_NOT_FOUND":
                    raise
                num_tries += 1
                wait_secs = self._back_off.wait_secs(num_tries)
                if time.monotonic() + wait_secs > deadline:
                    raise
                time.sleep(wait_secs)

    def _join(
        self,
        info: session_pb2.Session,
        role: event_pb2.StreamRole.ValueType,
        transport: TransportName | None,
        *,
        owns_session: bool,
    ) -> Session:
        return Session(
            self._stub,
            self._metadata,
            info,
            role,
            prefer=transport,
            server_host=host_of(self._target),
            back_off=self._back_off,
            timeout_secs=self._timeout_secs,
            owns_session=owns_session,
        )

    def _ways(self) -> list[str]:
        """Return the transports to ask for: what the server has and this client could reach."""
        offered = set(self.info.capabilities)
        return [
            name
            for name, needed in _NEEDED.items()
            if offered.intersection(needed) and (name != "shm" or is_local(self._target))
        ]

    def _greet(self) -> avatar_service_pb2.GetServerInfoResponse:
        """Wait until the service answers, and check its version."""
        deadline = time.monotonic() + self._timeout_secs
        num_tries = 0
        while True:
            try:
                info = self.server_info()
                break
            except UnavailableError as error:
                num_tries += 1
                wait_secs = self._back_off.wait_secs(num_tries)
                if time.monotonic() + wait_secs > deadline:
                    raise UnavailableError(
                        error.reason,
                        f"no service answers at {self._target}: {error.message}",
                        retry_secs=error.retry_secs,
                    ) from error
                time.sleep(wait_secs)
        if info.api_version.partition(".")[0] != API_VERSION.partition(".")[0]:
            raise PreconditionError(
                "PROTOCOL_MISMATCH",
                f"the server speaks version {info.api_version}, this client {API_VERSION}",
                metadata={"server": info.api_version, "client": API_VERSION},
            )
        return info

    def _call(
        self, call: grpc.UnaryUnaryMultiCallable[_Request, _Response], request: _Request
    ) -> _Response:
        try:
            return call(request, metadata=self._metadata, timeout=self._timeout_secs)
        except grpc.RpcError as error:
            raise from_rpc(error) from error


def _upload(
    header: avatar_pb2.AvatarHeader, photo: bytes
) -> Iterator[avatar_service_pb2.CreateAvatarRequest]:
    yield avatar_service_pb2.CreateAvatarRequest(header=header)
    for start in range(0, len(photo), PHOTO_CHUNK_BYTES):
        chunk = photo[start : start + PHOTO_CHUNK_BYTES]
        yield avatar_service_pb2.CreateAvatarRequest(photo_chunk=chunk)
