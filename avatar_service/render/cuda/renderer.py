"""One session's face on a device; see renderer.Renderer."""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.render.cuda.batch import BatchRenderer
from avatar_service.render.cuda.device import Memory
from avatar_service.render.cuda.lane_buffers import Shot
from avatar_service.render.finish import badge_margin, check_pattern
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.signals import Background, Int8Array, MotionFrame, UInt8Array

_MAX_PLACES: Final = 64
"""As many slots as a ring may have."""


class CudaRenderer:
    """Draws one portrait on a device, alone (`render`) or among others (BatchRenderer.draw).

    Args:
        batch: of the device.
        scaled: what to draw.
        neutralize: see CpuRenderer.

    Raises:
        AvatarError: CAPACITY_EXHAUSTED where the device has no room.
    """

    def __init__(
        self,
        batch: BatchRenderer,
        scaled: ScaledPortrait,
        *,
        neutralize: float = 1.0,
    ) -> None:
        self._batch = batch
        self.background_code = 0
        self.color = 0
        self._pattern: Int8Array | None = None
        self._mark: Memory | None = None
        self._badge: tuple[Memory, int, int] | None = None
        self.resident_key = scaled.key
        """Names the portrait's memory on the device."""
        self._size_px = scaled.size_px
        self._lock = threading.Lock()
        self._pinned: dict[int, tuple[UInt8Array, bool]] = {}
        self._is_closed = False
        self.pose_row = batch.add(scaled, neutralize)
        self.set_background(Background.KEEP)

    @property
    def batch(self) -> BatchRenderer:
        """What draws frames of several renderers at once."""
        return self._batch

    @property
    def size_px(self) -> int:
        """Side of the frames."""
        return self._size_px

    def set_background(
        self, background: Background, color: tuple[int, int, int] = (0, 177, 64)
    ) -> None:
        """Choose what stands behind the person; color is (r, g, b) for Background.COLOR."""
        self.color = pack_color(color)
        self.background_code = list(Background).index(background)

    def set_mark(self, pattern: Int8Array | None) -> None:
        """Choose the watermark; see renderer.Renderer."""
        if pattern is self._pattern:
            return
        check_pattern(pattern)
        # What was there is freed when nothing draws: `upload` has waited for that.
        fresh = None if pattern is None else self._batch.upload(pattern.view(np.uint8))
        self._pattern, self._mark = pattern, fresh

    def set_badge(self, is_shown: bool) -> None:
        """Show the badge, or not; see renderer.Renderer."""
        self._badge = self._batch.badge_of(self._size_px) if is_shown else None

    def put_finish(self, frame: Any) -> None:
        """Write mark and badge into a record of layout.FRAME."""
        frame["mark"] = 0 if self._mark is None else self._mark.address
        frame["badge"] = 0 if self._badge is None else self._badge[0].address
        if self._badge is not None:
            _, frame["badge_rows"], frame["badge_columns"] = self._badge
            frame["badge_margin"] = badge_margin(self._size_px)

    def warm_up(self) -> None:
        """Compile the kernels and take the memory by drawing once."""
        out = np.zeros((self._size_px, self._size_px, 4), np.uint8)
        self._draw(MotionFrame(pts_nanos=0), out)

    def render(self, motion: MotionFrame, out: UInt8Array) -> None:
        """Draw one frame; see renderer.Renderer."""
        self._draw(motion, out)

    def shot(self, motion: MotionFrame, out: UInt8Array) -> Shot:
        """Make what `batch` draws."""
        return Shot(self, motion, out)

    def is_pinned(self, out: UInt8Array) -> bool:
        """Whether the device may copy straight into a place; asks for it on first sight.

        A place that was pinned stays referenced, and so mapped, until `close`.
        """
        address = out.ctypes.data
        with self._lock:
            known = self._pinned.get(address)
            if known is not None and known[0].nbytes == out.nbytes:
                return known[1]
            if self._is_closed or known is not None or len(self._pinned) >= _MAX_PLACES:
                return False
            is_possible = self._batch.device.pin(out)
            self._pinned[address] = (out, is_possible)
            return is_possible

    def close(self) -> None:
        """Give the device's memory back; idempotent. Not while a frame is drawn."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            pinned, self._pinned = self._pinned, {}
            self._batch.device.use()
            for place, is_possible in pinned.values():
                if is_possible:
                    self._batch.device.unpin(place)
        self._batch.remove(self.resident_key, self.pose_row)

    def _draw(self, motion: MotionFrame, out: UInt8Array) -> None:
        error = self._batch.draw([Shot(self, motion, out)])[0]
        if error is not None:
            raise error


def pack_color(color: tuple[int, int, int]) -> int:
    """Return (r, g, b) as an opaque pixel, red in the lowest byte. Raises INVALID_FIELD."""
    if len(color) != 3 or not all(0 <= int(c) <= 255 for c in color):
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"The background colour {color} must be three numbers from 0 to 255.",
            field="background_color",
        )
    red, green, blue = (int(c) for c in color)
    return red | green << 8 | blue << 16 | 255 << 24
