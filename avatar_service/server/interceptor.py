"""One interceptor around every call: token, scope, quota, undecodable requests, faults to statuses.

A call whose token is withdrawn while it runs is ended.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import grpc

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.access import (
    ANYBODY,
    CALLER,
    HEALTH_CHECK,
    OPEN_SERVICES,
    Caller,
    TokenFile,
    check_scope,
)
from avatar_service.server.quotas import Quotas, Share
from avatar_service.server.request_context import begin_request
from avatar_service.server.request_observer import RequestObserver
from avatar_service.server.statuses import abort, bug_from

LONG_MESSAGE_BYTES: Final = 4096
"""A message of this size in a conversation counts as two."""
REQUEST_SECS: Final = 10.0
"""So long the one message of a call that has one may take behind its metadata."""


@dataclass(frozen=True, slots=True)
class _Undecodable:
    """Stands for request bytes that are no message of the expected type."""


class ServiceInterceptor(grpc.aio.ServerInterceptor):
    """Guards all methods of a server; lives on its event loop.

    Args:
        tokens: what calls must carry; None: open (loopback only).
        quotas: what each client may take.
        observer: notes every call.
    """

    def __init__(
        self, tokens: TokenFile | None, quotas: Quotas, observer: RequestObserver | None = None
    ) -> None:
        self._observer = observer or RequestObserver()
        self._tokens = tokens
        self._quotas = quotas
        self._running: set[_Call] = set()

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
        method = handler_call_details.method
        begin_request(handler_call_details.invocation_metadata)
        observe = partial(self._observer.observe, method)
        if method == HEALTH_CHECK:
            return _wrap(handler, _Call(ANYBODY, None, None, self._running), observe)
        caller, refusal = ANYBODY, None
        try:
            if self._tokens is not None and not method.startswith(OPEN_SERVICES):
                caller = self._tokens.find(handler_call_details.invocation_metadata)
                check_scope(caller, method)
        except AvatarError as error:
            refusal = error
        share = None if refusal else self._quotas.share_of(caller.name)
        return _wrap(handler, _Call(caller, share, refusal, self._running), observe)

    def end_withdrawn(self) -> None:
        """End the calls whose token no longer counts, or counts for less."""
        if self._tokens is None:
            return
        for call in tuple(self._running):
            if call.caller is not ANYBODY and not self._tokens.holds(call.caller):
                call.withdraw()


class _Call:
    """One call, from its first metadata to its end."""

    def __init__(
        self,
        caller: Caller,
        share: Share | None,
        refusal: AvatarError | None,
        running: set[_Call],
    ) -> None:
        self.caller = caller
        self._share = share
        self._refusal = refusal
        self._running = running
        self._messages = share.stream_bucket() if share is not None else None
        self._task: asyncio.Task[Any] | None = None
        self._is_withdrawn = False

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Count the call while it is served. Raises what it is refused for."""
        if self._refusal is not None:
            raise self._refusal
        if self._share is None:  # open to all, and never refused
            yield
            return
        self._share.begin_call()
        self._task = asyncio.current_task()
        self._running.add(self)
        CALLER.set(self.caller)
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_withdrawn or self._task is None:
                raise
            self._task.uncancel()
            raise AvatarError(Reason.UNAUTHENTICATED, "the token was withdrawn") from None
        finally:
            self._running.discard(self)
            self._share.end_call()

    def withdraw(self) -> None:
        """End the call from outside."""
        self._is_withdrawn = True
        if self._task is not None:
            self._task.cancel()

    def receive(self, num_bytes: int, cost: float) -> None:
        """Count a message that costs as much as so many usual ones."""
        if self._share is not None and self._messages is not None:
            self._share.take_message(num_bytes, cost)
            self._messages.take(cost)

    async def pause(self) -> None:
        """Wait until the client's streams may be read on."""
        if self._share is None or self._messages is None:
            return
        if secs := max(self._share.pause_secs, self._messages.wait_secs()):
            await asyncio.sleep(secs)


def _wrap(
    handler: Any, call: _Call, observe: Callable[[Any], AbstractContextManager[None]]
) -> grpc.RpcMethodHandler[Any, Any]:
    """Guard a handler from the call's metadata on.

    gRPC starts a handler of one request when that has come: who never sends it holds a place of
    the server without being refused or counted. So all are started as handlers of streams.
    """
    decode = _tolerant(handler.request_deserializer, call, is_live=handler.response_streaming)
    encode = handler.response_serializer
    has_stream = handler.request_streaming
    if not handler.response_streaming:
        inner = handler.stream_unary if has_stream else handler.unary_unary

        async def answer(requests: Any, context: Any) -> Any:
            try:
                with observe(context.invocation_metadata()), call.serving():
                    checked = _checked_stream(requests, call)
                    request = checked if has_stream else await _only(checked)
                    return await inner(request, context)
            except Exception as fault:
                await _fail(context, fault)

        return grpc.stream_unary_rpc_method_handler(
            answer, request_deserializer=decode, response_serializer=encode
        )

    inner = handler.stream_stream if has_stream else handler.unary_stream

    async def stream(requests: Any, context: Any) -> AsyncIterator[Any]:
        try:
            with observe(context.invocation_metadata()), call.serving():
                checked = _checked_stream(requests, call)
                answering = inner(checked if has_stream else await _only(checked), context)
                if inspect.isawaitable(answering):  # a handler that writes by itself
                    await answering
                    return
                async with aclosing(answering) as responses:
                    async for response in responses:
                        yield response
        except Exception as fault:
            await _fail(context, fault)

    return grpc.stream_stream_rpc_method_handler(
        stream, request_deserializer=decode, response_serializer=encode
    )


async def _fail(context: Any, fault: Exception) -> None:
    if isinstance(fault, grpc.aio.AbortError):
        raise fault
    await abort(context, fault if isinstance(fault, AvatarError) else bug_from(fault))


def _tolerant(
    decode: Callable[[bytes], Any] | None, call: _Call, *, is_live: bool
) -> Callable[[bytes], Any]:
    """Let bytes that do not decode through to where they can be answered as the client's fault."""

    def tolerant(data: bytes) -> Any:
        # In a conversation work grows with size (lists of phones); in an upload it does not.
        call.receive(len(data), 1.0 + len(data) / LONG_MESSAGE_BYTES if is_live else 1.0)
        if decode is None:
            return data
        try:
            return decode(data)
        except Exception:
            return _Undecodable()

    return tolerant


async def _checked_stream(requests: Any, call: _Call) -> AsyncIterator[Any]:
    async for request in requests:
        if isinstance(request, _Undecodable):
            raise AvatarError(
                Reason.INVALID_FIELD, "the request's bytes are no message of the expected type"
            )
        yield request
        await call.pause()


async def _only(requests: AsyncIterator[Any]) -> Any:
    """Wait for the message of a call that has one."""
    try:
        async with asyncio.timeout(REQUEST_SECS):
            return await anext(requests)
    except StopAsyncIteration:
        raise AvatarError(Reason.INVALID_FIELD, "the call has no request") from None
    except TimeoutError:
        raise AvatarError(
            Reason.INVALID_FIELD, f"the request did not come within {REQUEST_SECS:g} s"
        ) from None
