"""The visible badge: a small label in the lower left corner that says what the picture is."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel
from avatar_service.signals import UInt8Array

UInt32Array = NDArray[np.uint32]

TEXT: Final = "AI-generated"
_HEIGHT: Final = 0.047
"""Share of the frame's height: 24 px of 512, legible down to a frame shown 256 px tall."""
_FINE: Final = 8
"""Drawn so many times larger and reduced: smooth outlines."""
_BACK, _FRONT = (16, 16, 16, 150), (245, 245, 245, 255)


def draw_badge(size_px: int) -> UInt8Array:
    """Return the label for a frame, (height, width, 4) uint8, premultiplied RGBA."""
    height = max(12, round(_HEIGHT * size_px))
    tall = height * _FINE
    scale, weight = tall / 46.0, max(2, tall // 11)
    (width, _), _ = cv2.getTextSize(TEXT, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    wide = (width + tall * 7 // 10) // _FINE * _FINE
    text, box = np.zeros((tall, wide), np.uint8), np.zeros((tall, wide), np.uint8)
    where = ((wide - width) // 2, tall * 7 // 10)
    cv2.putText(text, TEXT, where, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, weight, cv2.LINE_AA)
    radius = tall // 4
    cv2.rectangle(box, (radius, radius), (wide - radius - 1, tall - radius - 1), 255, -1)
    cv2.rectangle(box, (radius, radius), (wide - radius - 1, tall - radius - 1), 255, 2 * radius)
    small = (wide // _FINE, height)
    front, back = (
        cv2.resize(mask, small, interpolation=cv2.INTER_AREA)[..., None] / 255.0
        for mask in (text, box)
    )
    layers = np.zeros((height, small[0], 4))
    for (*color, alpha), cover in ((_BACK, back), (_FRONT, front)):
        share = cover * (alpha / 255.0)
        layers = layers * (1 - share) + share * np.array([*color, 255.0])
    return layers.round().astype(np.uint8)


@kernel
def lay_over(pixels: UInt32Array, badge: UInt8Array, size: int, margin: int) -> None:
    """Lay a premultiplied badge over the lower left corner of a straight-alpha frame, in place."""
    height, width = badge.shape[0], badge.shape[1]
    for y in range(height):
        start = (size - margin - height + y) * size + margin
        for x in range(width):
            cover = np.int32(badge[y, x, 3])
            if cover == 0:
                continue
            pixel = pixels[start + x]
            behind = np.int32(pixel >> np.uint32(24)) * (255 - cover) // 255
            alpha = cover + behind
            marked = np.uint32(alpha) << np.uint32(24)
            for channel in range(3):
                shift = np.uint32(8 * channel)
                under = np.int32((pixel >> shift) & np.uint32(255))
                value = (np.int32(badge[y, x, channel]) * 255 + under * behind) // alpha
                marked |= np.uint32(value if value < 255 else 255) << shift
            pixels[start + x] = marked
