"""Pictures, and the one interface behind which ring, ZeroMQ and gRPC stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avatar_client.motion import Motion

UInt8Array = NDArray[np.uint8]


def no_pixels() -> UInt8Array:
    """Return the pixels of a frame that has none: shape (0, 0, 4)."""
    return np.zeros((0, 0, 4), np.uint8)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and the latent that made it.

    Attributes:
        pts_nanos: session time at which it is to be shown.
        seq: its number in the session, from 1; a gap is a frame that was dropped.
        epoch: barge-in counter.
        motion: the latent.
        pixels: (height, width, 4) uint8 RGBA, sRGB, straight alpha, row 0 on top; (0, 0, 4) in a
            latent-only session and where `encoded` holds the picture.
        encoded: JPEG or H.264 bytes as the server sent them; empty where `pixels` hold it.
        published_nanos: when the server published it, its monotonic clock; 0: not known. On the
            same host this clock is time.monotonic_ns().
    """

    pts_nanos: int
    seq: int
    epoch: int
    motion: Motion
    pixels: UInt8Array = field(default_factory=no_pixels)
    encoded: bytes = b""
    published_nanos: int = 0

    @property
    def has_pixels(self) -> bool:
        """Whether `pixels` hold a picture."""
        return self.pixels.size > 0


@dataclass(slots=True)
class SourceCounters:
    """What a source has seen.

    Attributes:
        num_frames: frames handed out.
        num_torn: reads that had to be repeated because the writer came by.
        num_missed: frames that were overwritten or dropped before they could be read.
    """

    num_frames: int = 0
    num_torn: int = 0
    num_missed: int = 0


@dataclass(slots=True)
class EpochGate:
    """Drops what an interrupt has made void: older epochs behind `valid_through_nanos`."""

    epoch: int = 0
    valid_through_nanos: int = 0

    def raise_to(self, epoch: int, valid_through_nanos: int) -> None:
        """Take note of an interrupt."""
        if epoch > self.epoch:
            self.epoch, self.valid_through_nanos = epoch, valid_through_nanos

    def admits(self, epoch: int, pts_nanos: int) -> bool:
        """Whether a frame is still to be shown."""
        return epoch >= self.epoch or pts_nanos <= self.valid_through_nanos


class FrameSource(Protocol):
    """Where frames come from. Every method may be called from any one thread at a time."""

    @property
    def name(self) -> str:
        """The transport: "shm", "zmq" or "grpc"."""
        ...

    @property
    def counters(self) -> SourceCounters:
        """What was seen so far."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether more can come."""
        ...

    def due(self, pts_nanos: int, *, out: UInt8Array | None = None) -> Frame | None:
        """Return the newest frame whose pts is not after `pts_nanos`; None: none is at hand.

        Asking again for the same time gives the same frame. `out` (height, width, 4) uint8 takes
        the pixels instead of a new array.
        """
        ...

    def motion_due(self, pts_nanos: int) -> Motion | None:
        """Return the latent of the frame that is due, without its pixels."""
        ...

    def next(self, timeout_secs: float) -> Frame | None:
        """Return the next frame in order that was not handed out by `next` yet, waiting for it.

        None: none came in time, or the source has ended. Frames that were lost are skipped.
        """
        ...

    def raise_epoch(self, epoch: int, valid_through_nanos: int) -> None:
        """Drop what an interrupt has made void."""
        ...

    def close(self) -> None:
        """Let go of everything; idempotent."""
        ...
