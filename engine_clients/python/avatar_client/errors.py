"""Faults as typed exceptions, with the service's reason and whether a retry can help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

DOMAIN: Final = "avatar.v1"
_DETAILS_KEY: Final = "grpc-status-details-bin"


class AvatarClientError(Exception):
    """A call that failed.

    Attributes:
        reason: row of the service's error table ("NO_FACE"), see avatar.v1.ErrorReason; a fault
            that never reached the service has a reason of this package: "UNREACHABLE", "TIMEOUT",
            "STREAM_LOST", "BAD_RING", "SEND_QUEUE_FULL", "UNKNOWN".
        message: one line for a person.
        retry_secs: after this time a retry can help; None: it cannot.
        field: name of the field to blame, where one is.
        metadata: further facts.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        retry_secs: float | None = None,
        field: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_secs = retry_secs
        self.field = field
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})"


class InvalidRequestError(AvatarClientError):
    """What was asked for is wrong: a field, the photo, the audio (INVALID_ARGUMENT)."""


class NotFoundError(AvatarClientError):
    """No such avatar or session (NOT_FOUND)."""


class PreconditionError(AvatarClientError):
    """Not possible in the present state: consent, a second controller (FAILED_PRECONDITION)."""


class ExhaustedError(AvatarClientError):
    """A limit is reached; a retry can help (RESOURCE_EXHAUSTED)."""


class UnavailableError(AvatarClientError):
    """The service is not there, starting or draining; a retry can help (UNAVAILABLE)."""


class AbortedError(AvatarClientError):
    """The session ended by a fault that is not its own; open another one (ABORTED)."""


class NotSupportedError(AvatarClientError):
    """The server does not offer this (UNIMPLEMENTED)."""


class AccessError(AvatarClientError):
    """The token is missing or does not cover the call (UNAUTHENTICATED, PERMISSION_DENIED)."""


class TimeoutExceededError(AvatarClientError):
    """The answer did not come in time (DEADLINE_EXCEEDED)."""


class InternalError(AvatarClientError):
    """A fault of the service (INTERNAL); metadata["request_id"] finds it in the server's log."""


class RingError(AvatarClientError):
    """The shared-memory ring cannot be used: missing, foreign, damaged or of another version."""


class TornFrameError(AvatarClientError):
    """A borrowed picture was overwritten while it was being used."""


_BY_CODE: Final[Mapping[grpc.StatusCode, type[AvatarClientError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    # Not by this side, which asks for no status then: by a server that had not begun on the call.
    grpc.StatusCode.CANCELLED: UnavailableError,
    grpc.StatusCode.ABORTED: AbortedError,
    grpc.StatusCode.UNIMPLEMENTED: NotSupportedError,
    grpc.StatusCode.UNAUTHENTICATED: AccessError,
    grpc.StatusCode.PERMISSION_DENIED: AccessError,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimeoutExceededError,
    grpc.StatusCode.INTERNAL: InternalError,
}
_REASONS: Final = {
    grpc.StatusCode.UNAVAILABLE: "UNREACHABLE",
    grpc.StatusCode.CANCELLED: "UNREACHABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "TIMEOUT",
}
UNREACHABLE_RETRY_SECS: Final = 1.0


def from_rpc(error: grpc.RpcError) -> AvatarClientError:
    """Turn a failed call of grpcio into the exception of its status code, with its details."""
    if not isinstance(error, grpc.Call):
        return AvatarClientError("UNKNOWN", str(error))
    code = error.code()
    reason = _REASONS.get(code, "UNKNOWN")
    retry_secs = UNREACHABLE_RETRY_SECS if reason == "UNREACHABLE" else None
    metadata: dict[str, str] = {}
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            reason, retry_secs, metadata = _read_details(value, reason, retry_secs)
    return _BY_CODE.get(code, AvatarClientError)(
        reason,
        _text_of(error, code),
        retry_secs=retry_secs,
        field=metadata.pop("field", None),
        metadata=metadata,
    )


def _text_of(error: grpc.Call, code: grpc.StatusCode) -> str:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "the service did not answer in time; it may be busy, or the time-out too short"
    return error.details() or code.name


def _read_details(
    data: bytes, reason: str, retry_secs: float | None
) -> tuple[str, float | None, dict[str, str]]:
    metadata: dict[str, str] = {}
    retry_in_status: float | None = None
    for detail in status_pb2.Status.FromString(data).details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            reason, retry_secs = info.reason, None
            metadata = dict(info.metadata)
        elif detail.Unpack(retry):
            retry_in_status = retry.retry_delay.ToNanoseconds() / 1e9
    return reason, retry_in_status if retry_in_status is not None else retry_secs, metadata
