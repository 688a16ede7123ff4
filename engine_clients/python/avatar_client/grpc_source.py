"""Frames and latents inside the Animate stream."""

from __future__ import annotations

import numpy as np

from avatar_client.frame_buffer import DEFAULT_CAPACITY, FrameBuffer
from avatar_client.frames import Frame, SourceCounters, UInt8Array, no_pixels
from avatar_client.gen.avatar.v1 import frame_pb2, motion_pb2
from avatar_client.motion import Motion, decode_blob


class GrpcSource:
    """A FrameSource that is fed by the stream's thread.

    Args:
        is_lossless: BURST: the stream waits until `next` has taken its frames, and so does the
            server; read them, or nothing more arrives.
    """

    def __init__(self, *, is_lossless: bool = False) -> None:
        self._buffer = FrameBuffer(DEFAULT_CAPACITY, is_lossless=is_lossless)
        self._epoch = 0

    @property
    def name(self) -> str:
        """See FrameSource."""
        return "grpc"

    @property
    def counters(self) -> SourceCounters:
        """See FrameSource."""
        return self._buffer.counters

    @property
    def is_alive(self) -> bool:
        """See FrameSource."""
        return not self._buffer.is_closed

    def accept_frame(self, message: frame_pb2.Frame) -> None:
        """Take a frame from the stream.

        Raises:
            ValueError: the message does not hold what it says.
        """
        pixels, encoded = no_pixels(), b""
        if message.encoding == frame_pb2.FRAME_ENCODING_RAW:
            shape = (message.height_px, message.width_px, 4)
            pixels = np.frombuffer(message.data, np.uint8).reshape(shape)
        else:
            encoded = message.data
        self._buffer.put(
            Frame(
                pts_nanos=message.pts_nanos,
                seq=message.seq,
                epoch=message.epoch,
                motion=decode_blob(message.motion.blob, near_epoch=message.epoch),
                pixels=pixels,
                encoded=encoded,
            )
        )

    def accept_motion(self, message: motion_pb2.MotionLatent) -> None:
        """Take a latent from the stream of a session without frames.

        Raises:
            ValueError: it cannot be decoded.
        """
        motion = decode_blob(message.blob, near_epoch=self._epoch)
        self._buffer.put(Frame(motion.pts_nanos, motion.seq, motion.epoch, motion))

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
        self._epoch = max(self._epoch, epoch)
        self._buffer.raise_epoch(epoch, valid_through_nanos)

    def close(self) -> None:
        """See FrameSource."""
        self._buffer.close()
