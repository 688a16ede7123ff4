"""What is laid over a finished frame, last of all: the visible badge, then the watermark."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.render import badge, watermark
from avatar_service.signals import MARK_TILE_PX, Int8Array, UInt8Array

_MARGIN: Final = 0.02


def badge_margin(size_px: int) -> int:
    """Return the badge's distance from the frame's edges, px."""
    return round(_MARGIN * size_px)


def check_pattern(pattern: Int8Array | None) -> None:
    """Refuse what is no watermark's pattern; see signals.MARK_TILE_PX. Raises BUG."""
    if pattern is not None and (
        pattern.shape != (MARK_TILE_PX, MARK_TILE_PX) or pattern.dtype != np.int8
    ):
        raise AvatarError(Reason.BUG, f"a watermark of shape {pattern.shape} {pattern.dtype}")


class Finish:
    """Badge and watermark of one renderer's frames; both off until they are set.

    Args:
        size_px: side of the frames.
    """

    def __init__(self, size_px: int) -> None:
        self._size_px = size_px
        self._margin = badge_margin(size_px)
        self._dither = watermark.dither_table()
        self._strength = np.zeros(size_px, np.int32)
        self._pattern: Int8Array | None = None
        self._badge: UInt8Array | None = None

    def set_mark(self, pattern: Int8Array | None) -> None:
        """Choose the watermark from the next frame on; see signals.MARK_TILE_PX."""
        check_pattern(pattern)
        self._pattern = pattern

    def set_badge(self, is_shown: bool) -> None:
        """Show the badge from the next frame on, or not."""
        if not is_shown:
            self._badge = None
        elif self._badge is None:
            self._badge = badge.draw_badge(self._size_px)

    def warm_up(self) -> None:
        """Compile both kernels."""
        words = np.zeros(self._size_px**2, np.uint32)
        nothing = np.zeros((MARK_TILE_PX, MARK_TILE_PX), np.int8)
        badge.lay_over(words, badge.draw_badge(self._size_px), self._size_px, self._margin)
        watermark.apply(words, nothing, self._dither, self._strength, self._size_px)

    def apply(self, out: UInt8Array) -> None:
        """Finish a frame in place, (size_px, size_px, 4) uint8 RGBA, straight alpha."""
        words = out.reshape(-1).view(np.uint32)
        if self._badge is not None:
            badge.lay_over(words, self._badge, self._size_px, self._margin)
        if self._pattern is not None:
            watermark.apply(words, self._pattern, self._dither, self._strength, self._size_px)
