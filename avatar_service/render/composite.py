"""Person over background, as straight-alpha RGBA; pixels are uint32, red in the lowest byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel

UInt32Array = NDArray[np.uint32]


@kernel
def under(front: np.uint32, back: np.uint32) -> np.uint32:
    """Return a premultiplied pixel laid over another one."""
    even = np.uint32(0x00FF00FF)
    rest = np.uint32(255) - (front >> np.uint32(24))
    rest += rest >> np.uint32(7)  # 0..256
    low = (((back & even) * rest) >> np.uint32(8)) & even
    high = ((((back >> np.uint32(8)) & even) * rest) >> np.uint32(8)) & even
    return front + (low | (high << np.uint32(8)))


@kernel
def over_picture(person: UInt32Array, background: UInt32Array, out: UInt32Array) -> None:
    """Lay the premultiplied person over an opaque picture."""
    opaque = np.uint32(0xFF000000)
    for i in range(person.shape[0]):
        out[i] = under(person[i], background[i]) | opaque


@kernel
def over_color(person: UInt32Array, color: int, out: UInt32Array) -> None:
    """Lay the premultiplied person over one opaque colour."""
    back = np.uint32(color)
    opaque = np.uint32(0xFF000000)
    for i in range(person.shape[0]):
        out[i] = under(person[i], back) | opaque


@kernel
def unpremultiply(person: UInt32Array, out: UInt32Array) -> None:
    """Turn premultiplied into straight alpha."""
    byte = np.uint32(255)
    for i in range(person.shape[0]):
        front = person[i]
        alpha = front >> np.uint32(24)
        if alpha == byte or alpha == np.uint32(0):
            out[i] = front
            continue
        half = alpha >> np.uint32(1)
        red = min(((front & byte) * byte + half) // alpha, byte)
        green = min((((front >> np.uint32(8)) & byte) * byte + half) // alpha, byte)
        blue = min((((front >> np.uint32(16)) & byte) * byte + half) // alpha, byte)
        out[i] = red | (green << np.uint32(8)) | (blue << np.uint32(16)) | (alpha << np.uint32(24))
