"""Time from publication until the pixels lie in the reader's memory, for each transport.

Writer here, reader in a process of its own, both Python; the clock is the machine's monotonic one.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from fractions import Fraction
from typing import Any, Final

import grpc
import numpy as np

from avatar_service.gen.avatar.v1 import endpoint_pb2, frame_pb2
from avatar_service.signals import MotionFrame, UInt8Array
from avatar_service.transports.grpc_messages import (
    motion_latent_message,
    ring_descriptor_message,
    zmq_endpoint_messages,
)
from avatar_service.transports.ring import RingGeometry, RingWriter
from avatar_service.transports.zmq_publisher import Kind, ZmqPublisher

FRAMES_METHOD: Final = "/avatar.bench.Frames/Read"
SUBSCRIBE_SECS: Final = 0.5
"""Time for a connection to come about; frames published before are not measured."""

Publish = Callable[[MotionFrame, UInt8Array], None]


def bench_transport(
    *, frames: int = 600, rate_hz: float = 60.0, size_px: int = 512
) -> dict[str, object]:
    """Measure all transports, one after the other.

    Returns:
        For each of ring, zmq, grpc: `_p50_us`, `_p95_us`, `_p99_us`, publish until copied;
        `_reader_cpu_us` and `_writer_cpu_us` per frame; `_lost` frames.
    """
    metrics: dict[str, object] = {}
    for name, measure in (("ring", _bench_ring), ("zmq", _bench_zmq), ("grpc", _bench_grpc)):
        for key, value in measure(frames, rate_hz, size_px).items():
            metrics[f"{name}_{key}"] = value
    return metrics


def _bench_ring(frames: int, rate_hz: float, size_px: int) -> Mapping[str, float]:
    ring = RingWriter(RingGeometry(size_px, size_px), Fraction(rate_hz))
    where = ring_descriptor_message(ring).SerializeToString().hex()

    def publish(motion: MotionFrame, pixels: UInt8Array) -> None:
        ring.publish(motion, pixels)

    try:
        return _measure("shm", where, publish, frames, rate_hz, size_px)
    finally:
        ring.close()


def _bench_zmq(frames: int, rate_hz: float, size_px: int) -> Mapping[str, float]:
    publisher = ZmqPublisher("bench", (Kind.FRAME,))
    (endpoint,) = (
        e for e in zmq_endpoint_messages(publisher) if e.output == endpoint_pb2.OUTPUT_FRAMES
    )
    try:
        where = endpoint.SerializeToString().hex()
        return _measure("zmq", where, publisher.publish, frames, rate_hz, size_px)
    finally:
        publisher.close()


def _bench_grpc(frames: int, rate_hz: float, size_px: int) -> Mapping[str, float]:
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        while (data := waiting.get()) is not None:
            yield data

    service, _, method = FRAMES_METHOD[1:].partition("/")
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        method: grpc.unary_stream_rpc_method_handler(read)
    }
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def publish(motion: MotionFrame, pixels: UInt8Array) -> None:
        message = frame_pb2.Frame(
            pts_nanos=time.monotonic_ns(),
            seq=motion.seq,
            data=pixels.tobytes(),
            motion=motion_latent_message(motion),
        )
        waiting.put(message.SerializeToString())

    try:
        return _measure("grpc", f"127.0.0.1:{port}", publish, frames, rate_hz, size_px)
    finally:
        waiting.put(None)
        server.stop(None).wait()


def _measure(
    way: str, where: str, publish: Publish, frames: int, rate_hz: float, size_px: int
) -> Mapping[str, float]:
    """Publish at a steady rate to a reader process and gather what it measured."""
    command = [sys.executable, "-m", "avatar_service.transports.bench_reader", way, where]
    reader = subprocess.Popen([*command, str(frames)], stdout=subprocess.PIPE, text=True)
    try:
        if reader.stdout is None or reader.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the {way} reader did not start")
        time.sleep(SUBSCRIBE_SECS)
        pixels = np.random.default_rng(0).integers(0, 256, (size_px, size_px, 4), np.uint8)
        cpu_start = time.process_time()
        next_at = time.monotonic()
        for seq in range(1, frames + 1):
            publish(MotionFrame(pts_nanos=seq, seq=seq), pixels)
            next_at += 1 / rate_hz
            time.sleep(max(next_at - time.monotonic(), 0.0))
        writer_cpu_secs = time.process_time() - cpu_start
        output, _ = reader.communicate(timeout=30)
    finally:
        reader.kill()
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    latencies = np.array(result["latencies_us"])
    if not len(latencies):
        raise RuntimeError(f"{way}: no frame arrived")
    return {
        **{f"p{q}_us": float(np.percentile(latencies, q)) for q in (50, 95, 99)},
        "reader_cpu_us": result["cpu_secs"] / len(latencies) * 1e6,
        "writer_cpu_us": writer_cpu_secs / frames * 1e6,
        "lost": float(frames - len(latencies)),
    }


if __name__ == "__main__":
    for name, value in bench_transport().items():
        print(f"{name:24} {value:10.1f}")
