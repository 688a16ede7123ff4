"""Short names for requests, and reading of rich statuses."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from avatar_service.gen.avatar.v1 import (
    audio_pb2,
    avatar_pb2,
    event_pb2,
)
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb

CONSENT = avatar_pb2.ConsentStatement(subject="A. Person", basis="my own photo")
CONTROLLER = event_pb2.STREAM_ROLE_CONTROLLER
OBSERVER = event_pb2.STREAM_ROLE_OBSERVER


def details_of(error: grpc.RpcError) -> dict[str, object]:
    found: dict[str, object] = {}
    status = rpc_status.from_call(error)
    assert status is not None, "a rich status"
    for detail in status.details:
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.RetryInfo,
            error_details_pb2.BadRequest,
        ):
            if detail.Is(kind.DESCRIPTOR):
                message = kind()
                detail.Unpack(message)
                found[kind.__name__] = message
    return found


def reason_of(error: grpc.RpcError) -> str:
    info = details_of(error)["ErrorInfo"]
    assert info.domain == "avatar.v1"
    return info.reason


def refused(call) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as fault:
        call()
    return fault.value


def photo_parts(photo: bytes = b"photo", **header: object) -> Iterator[pb.CreateAvatarRequest]:
    fields = {"consent": CONSENT, **header}
    yield pb.CreateAvatarRequest(header=avatar_pb2.AvatarHeader(**fields))
    for start in range(0, len(photo), 65536):
        yield pb.CreateAvatarRequest(photo_chunk=photo[start : start + 65536])


def audio(millis: int = 20, **fields: object) -> pb.AnimateRequest:
    chunk = {
        "format": audio_pb2.AUDIO_FORMAT_PCM_S16LE,
        "sample_rate_hz": 16_000,
        "channels": 1,
        "data": b"\0\x40" * (16 * millis),
        **fields,
    }
    return pb.AnimateRequest(audio=audio_pb2.AudioChunk(**chunk))


def opening(session_id: str, role: int = CONTROLLER, **fields: object) -> pb.AnimateRequest:
    return pb.AnimateRequest(open=event_pb2.OpenStream(session_id=session_id, role=role, **fields))


class Stream:
    """One Animate call that a test talks over."""

    def __init__(self, stub, session_id: str, role: int = CONTROLLER, **fields: object) -> None:
        self._requests: queue.Queue = queue.Queue()
        self._requests.put(opening(session_id, role, **fields))
        self.call = stub.Animate(iter(self._requests.get, None), timeout=30)
        self.opened = next(self.call).opened

    def send(self, request: pb.AnimateRequest) -> None:
        self._requests.put(request)

    def half_close(self) -> None:
        self._requests.put(None)

    def until(self, kind: str) -> object:
        """Read up to the next message of a kind."""
        for response in self.call:
            if response.WhichOneof("payload") == kind:
                return getattr(response, kind)
        raise AssertionError(f"the stream ended without {kind}")

    def rest(self) -> list[pb.AnimateResponse]:
        """Read to the end; half-closes behind SessionEnded, as a client of today does."""
        responses = []
        for response in self.call:
            responses.append(response)
            if response.HasField("session_ended"):
                self.half_close()
        return responses

    def close(self) -> None:
        self.call.cancel()
        self.half_close()
