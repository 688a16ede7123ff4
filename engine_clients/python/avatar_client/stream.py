"""The Animate stream: one thread that receives and reconnects, a queue that sends."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import grpc

from avatar_client.backoff import BackOff
from avatar_client.errors import AvatarClientError, ExhaustedError, UnavailableError, from_rpc
from avatar_client.gen.avatar.v1 import avatar_service_pb2, avatar_service_pb2_grpc, event_pb2
from avatar_client.silence import SilenceWatch

MAX_QUEUED_BYTES: Final = 16 << 20
"""Audio that the connection does not take: about 90 s of float32 at 48 kHz."""

Metadata = tuple[tuple[str, str | bytes], ...]
Request = avatar_service_pb2.AnimateRequest
Response = avatar_service_pb2.AnimateResponse


class RequestQueue:
    """What waits to be sent; survives a reconnect.

    gRPC reads it on a thread of its own through an iterator; a new iterator ends the older ones.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: deque[Request] = deque()
        self._num_bytes = 0
        self._generation = 0
        self._is_closed = False

    def put(self, request: Request) -> None:
        """Add a request; never waits.

        Raises:
            ExhaustedError: the connection takes too little.
        """
        num_bytes = request.ByteSize()
        with self._changed:
            if self._is_closed:
                return
            if self._num_bytes + num_bytes > MAX_QUEUED_BYTES:
                raise ExhaustedError(
                    "SEND_QUEUE_FULL",
                    f"{self._num_bytes >> 20} MiB wait to be sent and the connection does not "
                    "take them",
                    retry_secs=1.0,
                )
            self._items.append(request)
            self._num_bytes += num_bytes
            self._changed.notify_all()

    def close(self) -> None:
        """Half-close the stream behind what waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def iterate(self, first: Request) -> Iterator[Request]:
        """Yield `first`, then what waits, until closed or until the next call of this method."""
        with self._changed:
            self._generation += 1
            generation = self._generation
            self._changed.notify_all()
        return self._iterate(first, generation)

    def _iterate(self, first: Request, generation: int) -> Iterator[Request]:
        yield first
        while True:
            with self._changed:
                while self._generation == generation and not self._items and not self._is_closed:
                    self._changed.wait()
                if self._generation != generation or not self._items:
                    return
                request = self._items.popleft()
                self._num_bytes -= request.ByteSize()
            yield request


class AnimateStream:
    """Keeps one Animate stream open and hands what arrives to `on_message`.

    Args:
        stub: of the service.
        metadata: of the call (token).
        open_message: how to join the session; repeated at each reconnect.
        on_message: called on the stream's thread.
        on_end: called there once at the end, with the fault or None.
        back_off: how to reconnect when the connection is lost.
        opening_secs, silence_secs: see SilenceWatch; the call itself lasts as long as the session
            and has no deadline.
    """

    def __init__(
        self,
        stub: avatar_service_pb2_grpc.AvatarServiceStub,
        metadata: Metadata,
        open_message: event_pb2.OpenStream,
        *,
        on_message: Callable[[Response], None],
        on_end: Callable[[AvatarClientError | None], None],
        back_off: BackOff,
        opening_secs: float,
        silence_secs: float,
    ) -> None:
        self.num_reconnects = 0
        self._stub = stub
        self._metadata = metadata
        self._open_message = open_message
        self._on_message = on_message
        self._on_end = on_end
        self._back_off = back_off
        self._opening_secs = opening_secs
        self._silence_secs = silence_secs
        self._queue = RequestQueue()
        self._is_closing = threading.Event()
        self._call: grpc.Call | None = None
        self._lock = threading.Lock()
        self._has_opened = False
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="avatar-stream", daemon=True)
        self._thread.start()

    def send(self, request: Request) -> None:
        """Send a request; never waits. Raises ExhaustedError."""
        self._queue.put(request)

    def half_close(self) -> None:
        """Say that nothing more will be sent; the server ends the stream when all is out."""
        self._queue.close()

    def close(self, timeout_secs: float = 5.0) -> None:
        """End at once; idempotent."""
        self._is_closing.set()
        self._queue.close()
        with self._lock:
            if self._call is not None:
                self._call.cancel()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_secs)

    def _run(self) -> None:
        fault: AvatarClientError | None = None
        num_tries, lost_at, was_open = 0, time.monotonic(), False
        while not self._is_closing.is_set():
            self._has_opened = False
            fault = self._receive()
            now = time.monotonic()
            if self._has_opened:
                num_tries, lost_at, was_open = 0, now, True
            if self._is_over or not _can_come_back(fault, was_open=was_open):
                break
            if self._is_closing.is_set():
                break
            num_tries += 1
            if now - lost_at > self._back_off.give_up_secs:
                break
            if self._is_closing.wait(self._back_off.wait_secs(num_tries)):
                break
            self.num_reconnects += 1
        self._queue.close()
        self._on_end(None if self._is_closing.is_set() else fault)

    def _receive(self) -> AvatarClientError | None:
        """Hold one connection; return what ended it, None where the server was done."""
        requests = self._queue.iterate(Request(open=self._open_message))
        try:
            call = self._stub.Animate(requests, metadata=self._metadata)
        except ValueError:  # gRPC's way to say that the channel was closed under the stream
            return None
        watch = SilenceWatch(call, opening_secs=self._opening_secs, silence_secs=self._silence_secs)
        try:
            with self._lock:
                self._call = call
            if self._is_closing.is_set():
                call.cancel()
            with watch:
                for response in call:
                    watch.heard()
                    self._has_opened = True
                    self._on_message(response)
                    if response.HasField("session_ended"):
                        self._is_over = True
                        self._queue.close()  # tells the server that all was read
                    watch.wait()
        except grpc.RpcError as error:
            return watch.fault or from_rpc(error)
        except ValueError as error:
            call.cancel()
            return AvatarClientError("UNKNOWN", f"the server sent what cannot be read: {error}")
        finally:
            with self._lock:
                self._call = None
        return None


def _can_come_back(fault: AvatarClientError | None, *, was_open: bool) -> bool:
    # A connection that broke in silence counts as the controller until the service has noticed its
    # end, 20 s later: our own ghost, which goes.
    if fault is not None and fault.reason == "SESSION_HAS_CONTROLLER":
        return was_open
    return isinstance(fault, UnavailableError)
