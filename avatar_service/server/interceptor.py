"""One interceptor around every call: token, undecodable requests, faults to statuses."""

from __future__ import annotations

import hmac
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import grpc

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.statuses import abort, bug_from

OPEN_SERVICES: Final = ("/grpc.health.v1.Health/",)
"""Probes carry no token."""


@dataclass(frozen=True, slots=True)
class _Undecodable:
    """Stands for request bytes that are no message of the expected type."""


def check_token(metadata: Any, token: str) -> None:
    """Raise UNAUTHENTICATED unless the call carries `authorization: Bearer TOKEN`."""
    given = next((value for key, value in metadata or () if key == "authorization"), "")
    given = given.decode("utf-8", "replace") if isinstance(given, bytes) else given
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise AvatarError(
            Reason.UNAUTHENTICATED,
            'this service asks for the metadata "authorization: Bearer TOKEN"',
        )


class ServiceInterceptor(grpc.aio.ServerInterceptor):
    """Guards all methods of the server.

    Args:
        token: bearer token that calls must carry; None: open (loopback only).
    """

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        refusal: AvatarError | None = None
        method = handler_call_details.method
        if self._token is not None and not method.startswith(OPEN_SERVICES):
            try:
                check_token(handler_call_details.invocation_metadata, self._token)
            except AvatarError as error:
                refusal = error
        return _wrap(handler, refusal)


def _wrap(handler: Any, refusal: AvatarError | None) -> grpc.RpcMethodHandler[Any, Any]:
    decode = _tolerant(handler.request_deserializer)
    encode = handler.response_serializer
    if not handler.response_streaming:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def answer(request: Any, context: Any) -> Any:
            try:
                if refusal is not None:
                    raise refusal
                return await inner(_checked(request), context)
            except Exception as fault:
                await _fail(context, fault)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(answer, request_deserializer=decode, response_serializer=encode)

    inner = handler.stream_stream if handler.request_streaming else handler.unary_stream

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            if refusal is not None:
                raise refusal
            answering = inner(_checked(request), context)
            if inspect.isawaitable(answering):  # a handler that writes by itself
                await answering
                return
            async with aclosing(answering) as responses:
                async for response in responses:
                    yield response
        except Exception as fault:
            await _fail(context, fault)

    make_stream = (
        grpc.stream_stream_rpc_method_handler
        if handler.request_streaming
        else grpc.unary_stream_rpc_method_handler
    )
    return make_stream(stream, request_deserializer=decode, response_serializer=encode)


async def _fail(context: Any, fault: Exception) -> None:
    if isinstance(fault, grpc.aio.AbortError):
        raise fault
    await abort(context, fault if isinstance(fault, AvatarError) else bug_from(fault))


def _tolerant(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Let bytes that do not decode through to where they can be answered as the client's fault."""

    def tolerant(data: bytes) -> Any:
        if decode is None:
            return data
        try:
            return decode(data)
        except Exception:
            return _Undecodable()

    return tolerant


def _checked(request: Any) -> Any:
    if isinstance(request, _Undecodable):
        raise _undecodable()
    if hasattr(request, "__aiter__"):
        return _checked_stream(request)
    return request


async def _checked_stream(requests: Any) -> AsyncIterator[Any]:
    async for request in requests:
        if isinstance(request, _Undecodable):
            raise _undecodable()
        yield request


def _undecodable() -> AvatarError:
    return AvatarError(
        Reason.INVALID_FIELD, "the request's bytes are no message of the expected type"
    )
