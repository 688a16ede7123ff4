"""What the session room needs of a transport.

One verb more than push: a transport that has memory of its own (the ring) lends the place for the
next picture, so that the renderer draws straight into it.
"""

from __future__ import annotations

from typing import Protocol

from avatar_service.signals import MotionFrame, UInt8Array


class Publisher(Protocol):
    """A way out of the process for frames and latents; never waits for a reader.

    Not thread-safe: one session's frames are published by one thread at a time. Segment ends and
    other events take the gRPC stream, which drops none of them; these ways out may.
    """

    def acquire(self) -> UInt8Array | None:
        """Lend the place of the next picture.

        Returns:
            (height, width, 4) uint8 RGBA with undefined content; the same place until `publish`.
            None: this transport has no place of its own.
        """
        ...

    def publish(self, motion: MotionFrame, pixels: UInt8Array | None) -> None:
        """Send a latent and, where there is one, its picture.

        Args:
            motion: the latent, whose seq, epoch and pts the picture shares.
            pixels: (height, width, 4) uint8 RGBA, sRGB, straight alpha, row 0 on top; may be the
                place that `acquire` lent (nothing is copied then), and is free afterwards.
        """
        ...

    def close(self) -> None:
        """Give resources back; readers see the end. Idempotent."""
        ...
