"""Which square of the photo becomes the frame, and the canvas that reaches beyond it.

The canvas is the frame plus a margin on each side, so that a moving head or shoulder uncovers
real pixels (where the photo has them) and no border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.pixels import AREA, reflect, resize, scale_to
from avatar_service.signals import Float32Array, UInt8Array

_Pixels = TypeVar("_Pixels", UInt8Array, Float32Array)

CropPolicy = Literal["face", "keep"]
"""`face`: a square around head and shoulders. `keep`: the photo's largest square with the face."""

MARGIN_PARTS: Final = 8
"""The margin is 1/8 of the frame's side."""
_SIDE_PER_FACE: Final = 2.6
"""Side of the square in face sizes (the face's width, or 0.8 of its height if that is more)."""


@dataclass(frozen=True, slots=True)
class Square:
    """A square of the photo, px; side is a multiple of MARGIN_PARTS."""

    left: int
    top: int
    side: int


def choose_square(landmarks: Float64Array, shape: tuple[int, ...], policy: CropPolicy) -> Square:
    """Place the square inside the photo.

    Args:
        landmarks: (468, 3) in pixels of the photo.
        shape: (height, width, ...) of the photo.
        policy: see CropPolicy.

    Raises:
        AvatarError: INVALID_FIELD, unknown policy.
    """
    if policy not in get_args(CropPolicy):
        raise AvatarError(
            Reason.INVALID_FIELD, f"Unknown crop policy '{policy}'; use face or keep.", field="crop"
        )
    height, width = shape[:2]
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    face = float(max(high[0] - low[0], 0.8 * (high[1] - low[1])))
    side = min(width, height)
    if policy == "face":
        side = min(side, round(_SIDE_PER_FACE * face))
    side = max(MARGIN_PARTS, side - side % MARGIN_PARTS)
    center = landmarks[:, :2].mean(0)
    # Shoulders matter more than the space above the hair.
    corner = center - side / 2 + [0, 0.04 * side]
    left = int(np.clip(round(corner[0]), 0, width - side))
    top = int(np.clip(round(corner[1]), 0, height - side))
    return Square(left, top, side)


def cut_canvas(image: UInt8Array, square: Square, canvas_px: int) -> UInt8Array:
    """Cut the square with its margin and scale it to (canvas_px, canvas_px, channels).

    Beyond the photo's border its pixels are reflected.
    """
    cut = _cut(image, square)
    return scale_to(cut, canvas_px)


def cut_alpha(alpha: Float32Array, square: Square, canvas_px: int) -> Float32Array:
    """Cut a (height, width) float32 mask like cut_canvas."""
    cut = _cut(alpha, square)
    return np.clip(resize(cut, (canvas_px, canvas_px), AREA), 0, 1)


def to_frame(points: Float64Array, square: Square, size_px: int) -> Float64Array:
    """Convert (N, 3) points from pixels of the photo to pixels of the frame."""
    scale = size_px / square.side
    result = points * scale
    result[..., :2] = (points[..., :2] - [square.left, square.top] + 0.5) * scale - 0.5
    return result


def _cut(image: _Pixels, square: Square) -> _Pixels:
    margin = square.side // MARGIN_PARTS
    height, width = image.shape[:2]
    top, left = square.top - margin, square.left - margin
    bottom, right = square.top + square.side + margin, square.left + square.side + margin
    inside = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    return reflect(
        inside,
        max(-top, 0),
        max(bottom - height, 0),
        max(-left, 0),
        max(right - width, 0),
    )
