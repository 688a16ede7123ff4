"""Frames and latents over ZeroMQ SUB."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgpack
import numpy as np
import zmq

from avatar_client.errors import NotSupportedError
from avatar_client.frame_buffer import DEFAULT_CAPACITY, FrameBuffer
from avatar_client.frames import Frame, SourceCounters, UInt8Array, no_pixels
from avatar_client.gen.avatar.v1 import endpoint_pb2
from avatar_client.motion import Motion, decode_blob

HEADER_VERSION: Final = 1
NUM_WAITING: Final = 4
MAX_FRAME_PX: Final = 4096
MAX_PART_BYTES: Final = 4 * MAX_FRAME_PX * MAX_FRAME_PX
"""A larger message closes the connection: the biggest picture there can be."""


class ZmqSource:
    """A FrameSource over ZeroMQ; a thread of its own takes what arrives.

    Args:
        endpoint: socket to subscribe to.
        server_host: stands for a wildcard host in its address.

    Raises:
        NotSupportedError: the socket asks for CURVE and libzmq here has none.
    """

    def __init__(self, endpoint: endpoint_pb2.ZmqEndpoint, server_host: str) -> None:
        self._buffer = FrameBuffer(DEFAULT_CAPACITY)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._last_seq = 0
        self.num_bad = 0
        """Messages that could not be understood."""
        socket = self._context.socket(zmq.SUB)
        try:
            self._connect(socket, endpoint, server_host)
        except BaseException:
            self._context.destroy(0)
            raise
        self._thread = threading.Thread(
            target=self._run, args=(socket,), name="avatar-zmq", daemon=True
        )
        self._thread.start()

    @property
    def name(self) -> str:
        """See FrameSource."""
        return "zmq"

    @property
    def counters(self) -> SourceCounters:
        """See FrameSource."""
        return self._buffer.counters

    @property
    def is_alive(self) -> bool:
        """ZeroMQ reconnects by itself, so always until the session's end has come."""
        return not self._buffer.is_closed

    def due(self, pts_nanos: int, *, out: UInt8Array | None = None) -> Frame | None:
        """See FrameSource."""
        return self._buffer.due(pts_nanos, out=out)

    def motion_due(self, pts_nanos: int) -> Motion | None:
        """See FrameSource."""
        return self._buffer.motion_due(pts_nanos)

    def next(self, timeout_secs: float) -> Frame | None:
        """See FrameSource."""
        return self._buffer.next(timeout_secs)

    def raise_epoch(self, epoch: int, valid_through_nanos: int) -> None:
        """See FrameSource."""
        self._buffer.raise_epoch(epoch, valid_through_nanos)

    def close(self) -> None:
        """Disconnect; idempotent."""
        self._buffer.close()
        if not self._context.closed:
            # Ends the thread's wait, and the thread then closes its socket.
            self._context.term()

    @staticmethod
    def _connect(
        socket: zmq.Socket[bytes], endpoint: endpoint_pb2.ZmqEndpoint, server_host: str
    ) -> None:
        socket.set(zmq.RCVHWM, NUM_WAITING)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, MAX_PART_BYTES)
        if endpoint.curve_server_key:
            if not zmq.has("curve"):
                raise NotSupportedError("TRANSPORT_NOT_SUPPORTED", "ZeroMQ here has no CURVE")
            public, secret = zmq.curve_keypair()
            socket.set(zmq.CURVE_SERVERKEY, endpoint.curve_server_key.encode())
            socket.set(zmq.CURVE_PUBLICKEY, public)
            socket.set(zmq.CURVE_SECRETKEY, secret)
        socket.set(zmq.SUBSCRIBE, endpoint.topic.encode())
        socket.connect(reachable_address(endpoint.address, server_host))

    def _run(self, socket: zmq.Socket[bytes]) -> None:
        try:
            while True:
                parts: Sequence[zmq.Frame] = socket.recv_multipart(copy=False)
                try:
                    frame = read_message(parts)
                except (ValueError, TypeError, KeyError, msgpack.UnpackException):
                    self.num_bad += 1
                    continue
                if frame is None:
                    break
                if self._last_seq and frame.seq > self._last_seq + 1:
                    self._buffer.note_missed(frame.seq - self._last_seq - 1)
                self._last_seq = frame.seq
                self._buffer.put(frame)
        except (zmq.ContextTerminated, zmq.ZMQError):
            pass
        finally:
            socket.close(0)
            self._buffer.close()


def read_message(parts: Sequence[zmq.Frame]) -> Frame | None:
    """Read a message [topic, msgpack header, payload]; the pixels lie in ZeroMQ's own memory.

    Returns:
        None for the message that ends the session.

    Raises:
        ValueError, TypeError, KeyError, msgpack.UnpackException: not such a message.
    """
    if len(parts) != 3:
        raise ValueError(f"{len(parts)} parts, 3 are expected")
    header: Any = msgpack.unpackb(parts[1].buffer, max_map_len=64, max_str_len=1024)
    if not isinstance(header, dict) or header["v"] != HEADER_VERSION:
        raise ValueError("header of another version")
    epoch, seq, pts_nanos = int(header["epoch"]), int(header["seq"]), int(header["pts"])
    if header["kind"] == "end":
        return None
    pixels = no_pixels()
    if header["kind"] == "frame":
        blob = bytes(header["motion"])
        width, height = int(header["w"]), int(header["h"])
        if not (0 < width <= MAX_FRAME_PX and 0 < height <= MAX_FRAME_PX):
            raise ValueError(f"picture of {width}x{height}")
        pixels = np.frombuffer(parts[2].buffer, np.uint8).reshape(height, width, 4)
    else:
        blob = bytes(parts[2].buffer)
    return Frame(
        pts_nanos=pts_nanos,
        seq=seq,
        epoch=epoch,
        motion=decode_blob(blob, near_epoch=epoch),
        pixels=pixels,
        published_nanos=int(header["t"]),
    )


def reachable_address(address: str, server_host: str) -> str:
    """Return the address with a wildcard host replaced by the server's."""
    url = urlsplit(address)
    if url.scheme != "tcp" or url.hostname not in ("0.0.0.0", "::", "*"):
        return address
    host = f"[{server_host}]" if ":" in server_host else server_host
    return f"tcp://{host}:{url.port}"
