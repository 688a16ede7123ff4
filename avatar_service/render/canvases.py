"""Memory in which a picture is put together: needed while a frame is drawn, not between frames.

So renderers of one size share it: there are as many canvases as frames are drawn at once, not as
there are sessions, and they stay in the processor's cache.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.portrait.topology import Int32Array
from avatar_service.render.raster import UInt32Array
from avatar_service.signals import Float32Array

_MOST_KEPT: Final = os.cpu_count() or 1
"""More frames than cores are not drawn at once but for a moment."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """Buffers of one frame; each of them is overwritten before it is read.

    Attributes:
        packed: (size_px ** 2, 2) int32 texel and shade that the raster found.
        depth: (size_px ** 2,) float32.
        person: (size_px ** 2,) uint32 premultiplied RGBA8.
    """

    packed: Int32Array
    depth: Float32Array
    person: UInt32Array

    @classmethod
    def allocate(cls, size_px: int) -> Canvas:
        """Make the buffers for frames of size_px."""
        count = size_px * size_px
        return cls(
            packed=np.zeros((count, 2), np.int32),
            depth=np.zeros(count, np.float32),
            person=np.zeros(count, np.uint32),
        )


class Canvases:
    """The canvases of one size. Thread-safe without a lock: a deque's ends are."""

    def __init__(self, size_px: int) -> None:
        self._size_px = size_px
        self._free: deque[Canvas] = deque()

    @property
    def num_free(self) -> int:
        """How many wait."""
        return len(self._free)

    @contextmanager
    def lent(self) -> Iterator[Canvas]:
        """Lend one for a frame; made where all are in use."""
        try:
            canvas = self._free.pop()
        except IndexError:
            canvas = Canvas.allocate(self._size_px)
        try:
            yield canvas
        finally:
            if len(self._free) < _MOST_KEPT:
                self._free.append(canvas)


_known: Final[weakref.WeakValueDictionary[int, Canvases]] = weakref.WeakValueDictionary()
_making: Final = threading.Lock()


def canvases(size_px: int) -> Canvases:
    """Return the canvases of a size; they are gone when no renderer holds them any more."""
    with _making:
        found = _known.get(size_px)
        if found is None:
            found = _known[size_px] = Canvases(size_px)
        return found
