"""The publishing side of `avatar bench transport`: one way of the data each.

`floor` is the least that shared memory can cost: one copy, a word, a wake-up. What a way costs
beyond that is its own; on a busy machine the two suffer alike, so their ratio can be read.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import secrets
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np

from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import endpoint_pb2, frame_pb2
from avatar_service.signals import MotionFrame, UInt8Array
from avatar_service.transports.bench_iceoryx2 import open_publisher
from avatar_service.transports.grpc_messages import (
    motion_latent_message,
    ring_descriptor_message,
    zmq_endpoint_messages,
)
from avatar_service.transports.process_sync import FutexWaker
from avatar_service.transports.ring import RingGeometry, RingWriter
from avatar_service.transports.shared_memory import default_folder
from avatar_service.transports.zmq_publisher import Kind, ZmqPublisher

ANIMATE: Final = "/avatar.v1.AvatarService/Animate"
FLOOR_TIME_AT: Final = 8
FLOOR_PIXELS_AT: Final = 4096

Publish = Callable[[MotionFrame, UInt8Array | None], None]


@dataclass(frozen=True, slots=True)
class Way:
    """Publishes, and says how to read.

    Attributes:
        native: arguments of the native reader; empty: there is none for this way.
        python: arguments of bench_reader.py; empty: there is none for this way.
    """

    publish: Publish
    native: tuple[str, ...] = ()
    python: tuple[str, ...] = ()


@contextlib.contextmanager
def ring_way(size_px: int, rate_hz: float) -> Iterator[Way]:
    """Open the service's own ring."""
    ring = RingWriter(RingGeometry(size_px, size_px), Fraction(rate_hz))
    descriptor = ring_descriptor_message(ring).SerializeToString().hex()
    try:
        yield Way(ring.publish, ("ring", str(ring.path)), ("ring", descriptor))
    finally:
        ring.close()


@contextlib.contextmanager
def zero_copy_way(size_px: int, rate_hz: float) -> Iterator[Way]:
    """Open the same; the reader is lent the pixels in place, as for an upload from the slot."""
    with ring_way(size_px, rate_hz) as way:
        yield Way(way.publish, ("ring_zero_copy", way.native[1]))


@contextlib.contextmanager
def floor_way(size_px: int, rate_hz: float) -> Iterator[Way]:
    """One buffer in shared memory that is overwritten: no lock, no slots, no latent."""
    num_bytes = FLOOR_PIXELS_AT + size_px * size_px * 4
    fd, name = tempfile.mkstemp(prefix="avatar-bench-", dir=default_folder())
    wake = FutexWaker()
    try:
        os.truncate(fd, num_bytes)
        shared = mmap.mmap(fd, num_bytes)
        view = np.frombuffer(shared, np.uint8)
        pixels_at, word = view[FLOOR_PIXELS_AT:], view[:4].view(np.uint32)
        address = view.ctypes.data

        def publish(motion: MotionFrame, pixels: UInt8Array | None) -> None:
            if pixels is not None:
                np.copyto(pixels_at, pixels.reshape(-1))
            struct.pack_into("<q", shared, FLOOR_TIME_AT, time.monotonic_ns())
            word[0] = motion.seq
            wake(address)

        yield Way(publish, ("floor", name))
    finally:
        os.close(fd)
        Path(name).unlink()


@contextlib.contextmanager
def zmq_way(size_px: int, rate_hz: float) -> Iterator[Way]:
    """Open the service's own publisher, over ipc; latents alone where the size is 0."""
    kind, output = Kind.FRAME, endpoint_pb2.OUTPUT_FRAMES
    if size_px == 0:
        kind, output = Kind.MOTION, endpoint_pb2.OUTPUT_MOTION
    # A session's name as it is in earnest: it stands in every message.
    publisher = ZmqPublisher(secrets.token_urlsafe(16), (kind,))
    (endpoint,) = (e for e in zmq_endpoint_messages(publisher) if e.output == output)
    try:
        yield Way(
            publisher.publish,
            ("zmq", endpoint.address, endpoint.topic),
            ("zmq", endpoint.SerializeToString().hex()),
        )
    finally:
        publisher.close()


@contextlib.contextmanager
def grpc_way(size_px: int, rate_hz: float) -> Iterator[Way]:
    """Serve an Animate stream that carries raw frames (latents where the size is 0)."""
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def animate(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        next(requests)
        while (data := waiting.get()) is not None:
            yield data

    service, _, method = ANIMATE[1:].partition("/")
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        method: grpc.stream_stream_rpc_method_handler(animate)
    }
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def publish(motion: MotionFrame, pixels: UInt8Array | None) -> None:
        latent = motion_latent_message(motion)
        frame = frame_pb2.Frame(pts_nanos=time.monotonic_ns(), seq=motion.seq, motion=latent)
        if pixels is not None:
            frame.data = pixels.tobytes()
        waiting.put(pb.AnimateResponse(frame=frame).SerializeToString())

    arguments = ("grpc", f"127.0.0.1:{port}")
    try:
        yield Way(publish, arguments, arguments)
    finally:
        waiting.put(None)
        server.stop(None).wait()


@contextlib.contextmanager
def iceoryx2_way(size_px: int, rate_hz: float) -> Iterator[Way]:
    """Publish through iceoryx2: a sample and an event behind it. Read by Python."""
    num_bytes = size_px * size_px * 4
    # A short path: there will be sockets in it.
    with tempfile.TemporaryDirectory(prefix="avatar-bench-", dir=default_folder()) as folder:
        send = open_publisher(folder, num_bytes)

        def publish(motion: MotionFrame, pixels: UInt8Array | None) -> None:
            if pixels is not None:
                send(motion.seq, pixels.reshape(-1))

        yield Way(publish, python=("iceoryx2", f"{folder}:{num_bytes}"))
