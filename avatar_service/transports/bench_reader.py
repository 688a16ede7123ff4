"""The reading side of bench.py, in a process of its own: takes frames and times them.

python -m avatar_service.transports.bench_reader shm|zmq DESCRIPTOR_HEX NUM_FRAMES
python -m avatar_service.transports.bench_reader grpc TARGET NUM_FRAMES
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import grpc
import numpy as np
from avatar_client import RingReader
from avatar_client.gen.avatar.v1 import endpoint_pb2, frame_pb2
from avatar_client.zmq_source import ZmqSource

from avatar_service.transports.bench import FRAMES_METHOD

FIRST_SECS = 10.0
LATER_SECS = 2.0


def published_times(way: str, where: str) -> Iterator[tuple[int, int]]:
    """Yield (published_nanos, seq) of each frame once its pixels lie in this process's memory."""
    if way == "grpc":
        with grpc.insecure_channel(where, [("grpc.max_receive_message_length", -1)]) as channel:
            read: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(FRAMES_METHOD)
            for data in read(b""):
                message = frame_pb2.Frame.FromString(data)
                np.frombuffer(message.data, np.uint8)
                yield message.pts_nanos, message.seq
        return
    source: RingReader | ZmqSource
    out: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = {}
    if way == "shm":
        ring = endpoint_pb2.RingDescriptor.FromString(bytes.fromhex(where))
        source = RingReader(ring)
        # As an engine does: into a texture buffer that is there already.
        out["out"] = np.zeros((ring.height_px, ring.width_px, 4), np.uint8)
    else:
        source = ZmqSource(endpoint_pb2.ZmqEndpoint.FromString(bytes.fromhex(where)), "localhost")
    print("ready", flush=True)
    frame = source.next(FIRST_SECS, **out)
    while frame is not None:
        yield frame.published_nanos, frame.seq
        frame = source.next(LATER_SECS, **out)
    source.close()


def main() -> None:
    """Read until the last frame and print what was measured as JSON."""
    way, where, num_frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
    latencies_us = []
    if way == "grpc":
        print("ready", flush=True)
    cpu_start = time.process_time()
    for published, seq in published_times(way, where):
        latencies_us.append((time.monotonic_ns() - published) / 1e3)
        if seq >= num_frames:
            break
    cpu_secs = time.process_time() - cpu_start
    print(json.dumps({"latencies_us": latencies_us, "cpu_secs": cpu_secs}), flush=True)


if __name__ == "__main__":
    main()
