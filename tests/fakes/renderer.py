"""A renderer that draws the frame's number, to be read back from the pixels."""

from dataclasses import replace

import numpy as np

from avatar_service.signals import Background, MotionFrame, UInt8Array

NUM_BITS = 32


class FakeRenderer:
    """Bit b of `seq` is a black or white block at column b; alpha 0 below the blocks when
    the background is transparent. A fault can be planted at a frame, after which all fails that
    `stays_broken`."""

    def __init__(
        self,
        *,
        fail_at: int | None = None,
        fault: Exception | None = None,
        stays_broken: bool = False,
    ) -> None:
        self._fault = fault or ArithmeticError("planted fault")
        self._stays_broken = stays_broken
        self.background = Background.KEEP
        self.has_badge = False
        self.batch = None
        self.is_closed = False
        self._fail_at = fail_at

    def limit_motion(self, motion: MotionFrame) -> MotionFrame:
        return replace(motion, head_rotation=np.clip(motion.head_rotation, -0.45, 0.45))

    def set_background(self, background: Background, color: tuple[int, int, int]) -> None:
        self.background = background

    def set_badge(self, is_shown: bool) -> None:
        self.has_badge = is_shown

    def render(self, motion: MotionFrame, out: UInt8Array) -> None:
        if motion.seq == self._fail_at:
            raise self._fault
        is_clear = self.background is Background.TRANSPARENT
        out[...] = (0, 0, 0, 0 if is_clear else 255)
        block = out.shape[1] // NUM_BITS
        for bit in range(NUM_BITS):
            if motion.seq >> bit & 1:
                out[: out.shape[0] // 2, bit * block : (bit + 1) * block] = 255

    def shot(self, motion: MotionFrame, out: UInt8Array) -> object:
        return self, motion, out

    def close(self) -> None:
        self.is_closed = True
        if self._stays_broken:
            raise self._fault


def read_number(pixels: UInt8Array) -> int:
    block = pixels.shape[1] // NUM_BITS
    row = pixels[pixels.shape[0] // 4, block // 2 :: block, 0][:NUM_BITS]
    return sum(1 << bit for bit, level in enumerate(row) if level > 127)
