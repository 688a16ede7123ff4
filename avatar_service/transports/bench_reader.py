"""The reading side of bench.py in Python, in a process of its own: takes frames and times them.

python -m avatar_service.transports.bench_reader ring|zmq DESCRIPTOR_HEX NUM_FRAMES
python -m avatar_service.transports.bench_reader grpc TARGET NUM_FRAMES
python -m avatar_service.transports.bench_reader iceoryx2 FOLDER:NUM_BYTES NUM_FRAMES

engine_clients/native/bench is the same in C++.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import grpc
import numpy as np
from avatar_client import RingReader
from avatar_client.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_client.gen.avatar.v1 import endpoint_pb2
from avatar_client.zmq_source import ZmqSource

from avatar_service.transports.bench_iceoryx2 import read_samples
from avatar_service.transports.bench_ways import ANIMATE

FIRST_SECS = 10.0
LATER_SECS = 2.0


def published_times(way: str, where: str) -> Iterator[tuple[int, int, int]]:
    """Yield (published_nanos, seq, bytes) of each frame once it lies in this process's memory."""
    if way == "iceoryx2":
        folder, _, num_bytes = where.rpartition(":")
        yield from read_samples(
            folder, int(num_bytes), first_secs=FIRST_SECS, later_secs=LATER_SECS
        )
        return
    if way == "grpc":
        with grpc.insecure_channel(where, [("grpc.max_receive_message_length", -1)]) as channel:
            animate: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(ANIMATE)
            for data in animate(iter([b""])):
                message = pb.AnimateResponse.FromString(data).frame
                np.frombuffer(message.data, np.uint8)
                yield message.pts_nanos, message.seq, len(data)
        return
    source: RingReader | ZmqSource
    out: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = {}
    if way == "ring":
        ring = endpoint_pb2.RingDescriptor.FromString(bytes.fromhex(where))
        source = RingReader(ring)
        # As an engine does: into a texture buffer that is there already.
        out["out"] = np.zeros((ring.height_px, ring.width_px, 4), np.uint8)
    else:
        source = ZmqSource(endpoint_pb2.ZmqEndpoint.FromString(bytes.fromhex(where)), "localhost")
    print("ready", flush=True)
    frame = source.next(FIRST_SECS, **out)
    while frame is not None:
        yield frame.published_nanos, frame.seq, frame.pixels.nbytes
        frame = source.next(LATER_SECS, **out)
    source.close()


def main() -> None:
    """Read until the last frame and print what was measured as JSON."""
    way, where, num_frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
    latencies_us: list[float] = []
    num_bytes = 0
    if way == "grpc":
        print("ready", flush=True)
    cpu_start = time.process_time()
    for published, seq, size in published_times(way, where):
        if not latencies_us:
            cpu_start = time.process_time()  # connecting is not measured
        latencies_us.append((time.monotonic_ns() - published) / 1e3)
        num_bytes += size
        if seq >= num_frames:
            break
    cpu_secs = time.process_time() - cpu_start
    result = {"latencies_us": latencies_us, "cpu_secs": cpu_secs, "num_bytes": num_bytes}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
