"""Programs that use a ring in a process of their own.

python ring_process.py write FOLDER NUM_FRAMES   describe the ring; on a line of input publish
python ring_process.py read DESCRIPTOR_HEX       hold a picture of the ring until told
"""

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from avatar_client import RingReader
from avatar_client.gen.avatar.v1 import endpoint_pb2

from avatar_service.signals import MotionFrame
from avatar_service.transports.grpc_messages import ring_descriptor_message
from avatar_service.transports.ring import RingGeometry, RingWriter

SIZE_PX = 96


def picture_value(seq: int) -> int:
    """Every byte of picture `seq`."""
    return seq * 37 % 251


def motion_value(seq: int) -> float:
    """Every expression coefficient of picture `seq`."""
    return seq % 512 / 512


def write(folder: Path, num_frames: int) -> None:
    ring = RingWriter(RingGeometry(SIZE_PX, SIZE_PX, 3), Fraction(40), folder=folder)
    print(ring_descriptor_message(ring).SerializeToString().hex(), flush=True)
    sys.stdin.readline()
    for seq in range(1, num_frames + 1):
        pixels = ring.acquire()
        assert pixels is not None
        pixels[...] = picture_value(seq)
        expression = np.full(52, motion_value(seq), np.float32)
        ring.publish(MotionFrame(seq * 1000, seq, 0, expression), pixels)
    ring.close()
    print(json.dumps({"published": ring.num_published}), flush=True)


def read(descriptor_hex: str) -> None:
    descriptor = endpoint_pb2.RingDescriptor.FromString(bytes.fromhex(descriptor_hex))
    reader = RingReader(descriptor)
    borrowed = reader.borrow(1 << 62)
    print("holding" if borrowed else "nothing", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        read(sys.argv[2])
