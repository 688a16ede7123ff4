"""The last kernel: adds a watermark's pattern to the finished frame, a pure function of both.

The frame is cut into blocks of 8x8 px. In each the pattern is as strong as the block's own detail
hides (visual masking, e.g. Watson, "DCT quantization matrices visually optimized", 1993): faint on
flat skin and sky, stronger in hair and cloth. The same amount goes to red, green and blue, so only
luma changes. Wholly transparent pixels stay as they are. What the pattern means stands in
provenance/watermark.py.

Convention:
    pattern: (MARK_TILE_PX, MARK_TILE_PX) int8, see signals.py.
    pixels: uint32, red in the lowest byte, row 0 on top; side a multiple of BLOCK_PX.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel
from avatar_service.signals import MARK_TILE_PX, Int8Array

Int32Array = NDArray[np.int32]
UInt32Array = NDArray[np.uint32]

BLOCK_PX: Final = 8
FLAT: Final = (28, 37)
TEXTURED: Final = (55, 11)
"""Strength (levels of 255, root mean square) and its rise per level of detail, both in 1/64; the
lower of the two lines holds. Found by looking at skin and sky at 400 %, and by reading the
smoothest portraits back after H.264."""
STRONGEST: Final = 124
"""In 1/64: with PSNR >= 42 dB on detailed frames."""
SHIFT: Final = 11
"""MARK_UNIT times 64."""


def dither_table() -> NDArray[np.int16]:
    """Return (MARK_TILE_PX, MARK_TILE_PX) thresholds for rounding, 0 to 2**11 - 1.

    They leave no pattern of their own: the R2 sequence (Roberts, "The unreasonable effectiveness
    of quasirandom sequences", 2018).
    """
    y, x = np.mgrid[:MARK_TILE_PX, :MARK_TILE_PX]
    level = np.modf(0.7548776662466927 * x + 0.5698402909980532 * y)[0]
    table: NDArray[np.int16] = (level * (1 << SHIFT)).astype(np.int16)
    return table


@kernel
def apply(
    pixels: UInt32Array,
    pattern: Int8Array,
    dither: NDArray[np.int16],
    strength: Int32Array,
    size: int,
) -> None:
    """Add the pattern to a frame in place; see the module.

    Args:
        pixels: (size * size,) uint32.
        pattern: see the module.
        dither: dither_table().
        strength: (size,) int32, scratch.
        size: side of the frame, px.
    """
    byte, opaque = np.uint32(255), np.uint32(0xFF000000)
    eight, sixteen = np.uint32(8), np.uint32(16)
    black, white = np.int32(0), np.int32(255)
    for top in range(0, size, BLOCK_PX):
        measure(pixels, strength, size, top)
        for y in range(top, top + BLOCK_PX):
            wave, threshold = pattern[y & (MARK_TILE_PX - 1)], dither[y & (MARK_TILE_PX - 1)]
            for left in range(0, size, MARK_TILE_PX):
                # Views of one length: without them the loop is not compiled to SIMD.
                row = pixels[y * size + left : y * size + left + MARK_TILE_PX]
                amount = strength[left : left + MARK_TILE_PX]
                for x in range(MARK_TILE_PX):
                    pixel = row[x]
                    share = np.int32(wave[x]) * amount[x]
                    change = (share + np.int32(threshold[x])) >> np.int32(SHIFT)
                    red = np.int32(pixel & byte) + change
                    green = np.int32((pixel >> eight) & byte) + change
                    blue = np.int32((pixel >> sixteen) & byte) + change
                    red = min(max(red, black), white)
                    green = min(max(green, black), white)
                    blue = min(max(blue, black), white)
                    marked = np.uint32(red) | (np.uint32(green) << eight)
                    marked |= (np.uint32(blue) << sixteen) | (pixel & opaque)
                    row[x] = marked if pixel & opaque else pixel


@kernel
def measure(pixels: UInt32Array, strength: Int32Array, size: int, top: int) -> None:
    """Write each column's strength in one row of blocks, from the green of the block's pixels.

    Detail is the mean over 7 x 7 px of a block of |right - here| + |below - here|.
    """
    byte, eight = np.uint32(255), np.uint32(8)
    for x in range(size):
        strength[x] = np.int32(0)
    for y in range(top, top + BLOCK_PX - 1):
        row = pixels[y * size : y * size + size]
        after = pixels[y * size + 1 : y * size + size]
        under = pixels[y * size + size : y * size + 2 * size]
        for x in range(size - 1):
            here = np.int32((row[x] >> eight) & byte)
            right = np.int32((after[x] >> eight) & byte)
            below = np.int32((under[x] >> eight) & byte)
            strength[x] += abs(right - here) + abs(below - here)
    for left in range(0, size, BLOCK_PX):
        detail = np.int32(0)
        for x in range(left, left + BLOCK_PX - 1):
            detail += strength[x]
        # Detail is the sum over (BLOCK_PX - 1) ** 2 places.
        flat = np.int32(FLAT[0]) + detail * np.int32(FLAT[1]) // np.int32(49)
        textured = np.int32(TEXTURED[0]) + detail * np.int32(TEXTURED[1]) // np.int32(49)
        found = min(min(flat, textured), np.int32(STRONGEST))
        for x in range(left, left + BLOCK_PX):
            strength[x] = found
