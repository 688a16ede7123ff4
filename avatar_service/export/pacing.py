"""Thins a stream of frames to a sender's rate by the frames' own times."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

_NANOS: Final = 1_000_000_000


class RateLimit:
    """Lets through at most `fps` frames per second of session time.

    A frame passes if it is the first at or after the next slot k / fps; a frame of another epoch
    or from before the last one starts the grid anew.
    """

    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        self._next_slot: int | None = None
        self._epoch = -1

    def admits(self, pts_nanos: int, epoch: int) -> bool:
        """Tell whether a frame passes, and remember it."""
        # Half a microsecond forgives times that were rounded down to a nanosecond.
        slot = int((pts_nanos + 500) * self._fps.numerator // (self._fps.denominator * _NANOS))
        restart = epoch != self._epoch or self._next_slot is None or slot < self._next_slot - 1
        if not restart and self._next_slot is not None and slot < self._next_slot:
            return False
        self._next_slot, self._epoch = slot + 1, epoch
        return True
