"""The one table of errors: reason, gRPC status code, whether a retry can help.

An AvatarError is handled exactly once: answered at the door (a gRPC status, or exit code 2 with
one line) or logged, never both. The message is one line: what is wrong, which value, what is
allowed. It never holds audio, pixels or identity.
The same reasons stand in protos/avatar/v1/error_reason.proto and in the README (contract test).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DOMAIN: Final = "avatar.v1"


class Reason(StrEnum):
    """Every fault the service tells apart."""

    INVALID_FIELD = "INVALID_FIELD"
    UNSPECIFIED_ENUM = "UNSPECIFIED_ENUM"
    INVALID_AUDIO = "INVALID_AUDIO"
    INVALID_IMAGE = "INVALID_IMAGE"
    INVALID_FILE = "INVALID_FILE"
    NO_FACE = "NO_FACE"
    FACE_TOO_SMALL = "FACE_TOO_SMALL"
    FACE_TURNED_AWAY = "FACE_TURNED_AWAY"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"
    AVATAR_NOT_FOUND = "AVATAR_NOT_FOUND"
    SESSION_NOT_FOUND = "SESSION_NOT_FOUND"
    SESSION_HAS_CONTROLLER = "SESSION_HAS_CONTROLLER"
    SESSION_CLOSED = "SESSION_CLOSED"
    AVATAR_IN_USE = "AVATAR_IN_USE"
    PROTOCOL_MISMATCH = "PROTOCOL_MISMATCH"
    TRANSPORT_NOT_SUPPORTED = "TRANSPORT_NOT_SUPPORTED"
    DEVICE_NOT_AVAILABLE = "DEVICE_NOT_AVAILABLE"
    DEVICE_FAILED = "DEVICE_FAILED"
    MODELS_NOT_AVAILABLE = "MODELS_NOT_AVAILABLE"
    CAPACITY_EXHAUSTED = "CAPACITY_EXHAUSTED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    AUDIO_TOO_FAR_AHEAD = "AUDIO_TOO_FAR_AHEAD"
    STORAGE_EXHAUSTED = "STORAGE_EXHAUSTED"
    WARMING_UP = "WARMING_UP"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    BUG = "BUG"


@dataclass(frozen=True, slots=True)
class Answer:
    """How one reason is answered.

    Attributes:
        code: name of the google.rpc.Code.
        retry_secs: hint for RetryInfo; None where a retry cannot help.
    """

    code: str
    retry_secs: float | None = None


ANSWERS: Final[Mapping[Reason, Answer]] = {
    Reason.INVALID_FIELD: Answer("INVALID_ARGUMENT"),
    Reason.UNSPECIFIED_ENUM: Answer("INVALID_ARGUMENT"),
    Reason.INVALID_AUDIO: Answer("INVALID_ARGUMENT"),
    Reason.INVALID_IMAGE: Answer("INVALID_ARGUMENT"),
    Reason.INVALID_FILE: Answer("INVALID_ARGUMENT"),
    Reason.NO_FACE: Answer("INVALID_ARGUMENT"),
    Reason.FACE_TOO_SMALL: Answer("INVALID_ARGUMENT"),
    Reason.FACE_TURNED_AWAY: Answer("INVALID_ARGUMENT"),
    Reason.CONSENT_REQUIRED: Answer("FAILED_PRECONDITION"),
    Reason.AVATAR_NOT_FOUND: Answer("NOT_FOUND"),
    Reason.SESSION_NOT_FOUND: Answer("NOT_FOUND"),
    Reason.SESSION_HAS_CONTROLLER: Answer("FAILED_PRECONDITION"),
    Reason.SESSION_CLOSED: Answer("FAILED_PRECONDITION"),
    Reason.AVATAR_IN_USE: Answer("FAILED_PRECONDITION"),
    Reason.PROTOCOL_MISMATCH: Answer("FAILED_PRECONDITION"),
    Reason.TRANSPORT_NOT_SUPPORTED: Answer("UNIMPLEMENTED"),
    Reason.DEVICE_NOT_AVAILABLE: Answer("FAILED_PRECONDITION"),
    Reason.DEVICE_FAILED: Answer("ABORTED", retry_secs=2.0),
    Reason.MODELS_NOT_AVAILABLE: Answer("FAILED_PRECONDITION"),
    Reason.CAPACITY_EXHAUSTED: Answer("RESOURCE_EXHAUSTED", retry_secs=5.0),
    Reason.QUOTA_EXCEEDED: Answer("RESOURCE_EXHAUSTED", retry_secs=5.0),
    Reason.AUDIO_TOO_FAR_AHEAD: Answer("RESOURCE_EXHAUSTED", retry_secs=1.0),
    Reason.STORAGE_EXHAUSTED: Answer("RESOURCE_EXHAUSTED", retry_secs=30.0),
    Reason.WARMING_UP: Answer("UNAVAILABLE", retry_secs=2.0),
    Reason.SHUTTING_DOWN: Answer("UNAVAILABLE", retry_secs=5.0),
    Reason.UNAUTHENTICATED: Answer("UNAUTHENTICATED"),
    Reason.PERMISSION_DENIED: Answer("PERMISSION_DENIED"),
    Reason.BUG: Answer("INTERNAL"),
}


class AvatarError(Exception):
    """A fault with a reason; the message is one clear line for a person.

    Attributes:
        reason: row of the table.
        field: name of the offending field or option, where one is to blame.
        metadata: machine-readable facts for ErrorInfo; no private data.
        retry_secs: when a retry can help; the table's hint where it is not known better.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_secs: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.metadata = dict(metadata or {})
        self.retry_secs = self.answer.retry_secs if retry_secs is None else retry_secs

    @property
    def answer(self) -> Answer:
        """How this fault is answered."""
        return ANSWERS[self.reason]

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (
            self.reason,
            self.message,
            self.field,
            self.metadata,
            self.retry_secs,
        )


def _rebuild(
    reason: Reason,
    message: str,
    field: str | None,
    metadata: Mapping[str, str],
    retry_secs: float | None,
) -> AvatarError:
    return AvatarError(reason, message, field=field, metadata=metadata, retry_secs=retry_secs)
