"""The publishers of a session, and the one place in which its next picture is drawn."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from avatar_service.signals import MotionFrame, UInt8Array
from avatar_service.transports.publisher import Publisher


class WaysOut:
    """Rings and sockets of one session; used by one thread at a time."""

    def __init__(self, publishers: tuple[Publisher, ...], size_px: int) -> None:
        self._publishers = publishers
        self._size_px = size_px
        self._buffer: UInt8Array | None = None

    def canvas(self) -> UInt8Array:
        """Return where to draw: the first publisher's own memory, else a buffer that is reused."""
        for publisher in self._publishers:
            place = publisher.acquire()
            if place is not None:
                return place
        if self._buffer is None:
            self._buffer = np.zeros((self._size_px, self._size_px, 4), np.uint8)
        return self._buffer

    def publish(self, motion: MotionFrame, pixels: UInt8Array | None) -> None:
        """Send a latent and its picture everywhere."""
        for publisher in self._publishers:
            publisher.publish(motion, pixels)

    def close(self) -> None:
        """Close all; readers see the end."""
        publishers, self._publishers, self._buffer = self._publishers, (), None
        with ExitStack() as closing:  # each, whatever the others raise
            for publisher in reversed(publishers):
                closing.callback(publisher.close)
