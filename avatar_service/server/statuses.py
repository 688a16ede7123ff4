"""Faults to gRPC statuses, in one place: google.rpc.Status with ErrorInfo and what helps a client.

What is ours (AvatarError) is answered as the error table says. Anything else is a bug: INTERNAL,
with a request id that finds it in the log, and never the text of the exception.
"""

from __future__ import annotations

import logging
import secrets
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from avatar_service.errors import DOMAIN, AvatarError, Reason
from avatar_service.server.logs import fault_places
from avatar_service.server.request_context import KEY, current_request_id

log = logging.getLogger(__name__)

DETAILS_KEY: Final = "grpc-status-details-bin"


def status_from(error: AvatarError) -> status_pb2.Status:
    """Build the rich status of a fault."""
    metadata = dict(error.metadata)
    if error.field is not None:
        metadata["field"] = error.field
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    ]
    answer = error.answer
    if error.retry_secs is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(error.retry_secs * 1e9))
        details.append(retry)
    if answer.code == "INVALID_ARGUMENT" and error.field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=error.message
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    return status_pb2.Status(
        code=code_pb2.Code.Value(answer.code),
        message=error.message,
        details=[_packed(detail) for detail in details],
    )


def bug_from(fault: BaseException) -> AvatarError:
    """Log an unexpected exception under a request id and return what the client may know.

    The exception's own text may hold anything; the log gets its type and its places in the code.
    """
    request_id = current_request_id() or secrets.token_hex(8)
    log.error("request %s: %s", request_id, fault_places(fault))
    return AvatarError(
        Reason.BUG,
        f"a fault of the service; its log has the request id {request_id}",
        metadata={"request_id": request_id},
    )


async def abort(context: grpc.aio.ServicerContext[object, object], error: AvatarError) -> None:
    """End a call with the status of a fault; raises, as grpc's abort does."""
    status = status_from(error)
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    trailing = ((DETAILS_KEY, status.SerializeToString()), (KEY, current_request_id()))
    await context.abort(code, status.message, trailing)


def _packed(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
