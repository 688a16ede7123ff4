"""OpenCV's picture operations with types: what goes in comes out with the same dtype."""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_Pixels = TypeVar("_Pixels", bound=NDArray[Any])

AREA: Final = int(cv2.INTER_AREA)
LINEAR: Final = int(cv2.INTER_LINEAR)
CUBIC: Final = int(cv2.INTER_CUBIC)
NEAREST: Final = int(cv2.INTER_NEAREST)


def resize(image: _Pixels, size: tuple[int, int], way: int) -> _Pixels:
    """Scale to (width, height) by AREA, LINEAR or CUBIC interpolation."""
    return cast(_Pixels, cv2.resize(image, size, interpolation=way))


def scale_to(image: _Pixels, side: int) -> _Pixels:
    """Scale a square picture to (side, side) by what suits the direction."""
    return resize(image, (side, side), AREA if side < image.shape[0] else CUBIC)


def twice(image: _Pixels) -> _Pixels:
    """Enlarge a frame's picture to the textures' two texels per px, bilinearly."""
    height, width = image.shape[:2]
    return resize(image, (2 * width, 2 * height), LINEAR)


def gaussian(image: _Pixels, sigma: float) -> _Pixels:
    """Blur by a Gaussian."""
    return cast(_Pixels, cv2.GaussianBlur(image, (0, 0), sigma))


def reflect(image: _Pixels, top: int, bottom: int, left: int, right: int) -> _Pixels:
    """Add borders that mirror the picture."""
    border = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    return cast(_Pixels, border)


def disc(diameter_px: int) -> NDArray[np.uint8]:
    """Return a disc as structuring element."""
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter_px, diameter_px))
    return np.asarray(shape, np.uint8)


def distance_to(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return how far each pixel lies from a mask, px; 0 on it."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(away, np.float32)


def grow(mask: NDArray[np.bool_], diameter_px: int) -> NDArray[np.bool_]:
    """Dilate a mask by a disc."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc(diameter_px)), bool)


def shrink(mask: NDArray[np.bool_], diameter_px: int) -> NDArray[np.bool_]:
    """Erode a mask by a disc."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), disc(diameter_px)), bool)
