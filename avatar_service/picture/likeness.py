"""How alike two pictures are.

Convention:
    Pictures are (height, width, 3) uint8 sRGB; masks (height, width) bool.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.signals import UInt8Array

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.floating[Any]]

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SSIM_SIGMA: Final = 1.5
_MAX_PSNR: Final = 99.0
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


def psnr(a: UInt8Array, b: UInt8Array, mask: Mask | None = None) -> float:
    """Return the peak signal-to-noise ratio, dB; equal pictures give 99."""
    squared = (a.astype(np.float32) - b.astype(np.float32)) ** 2
    mean = float(squared.mean() if mask is None else squared[mask].mean())
    return _MAX_PSNR if mean <= 0 else min(_MAX_PSNR, float(10 * np.log10(255**2 / mean)))


def ssim(a: UInt8Array, b: UInt8Array, mask: Mask | None = None) -> float:
    """Return the structural similarity of the brightness, -1..1.

    Wang, Bovik, Sheikh, Simoncelli, IEEE Transactions on Image Processing 13 (2004): Gaussian
    window of sigma 1.5, K1 .01, K2 .03.
    """
    x, y = (brightness(picture) for picture in (a, b))
    mean_x, mean_y = _window(x), _window(y)
    var_x, var_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    both = _window(x * y) - mean_x * mean_y
    map_ = ((2 * mean_x * mean_y + _C1) * (2 * both + _C2)) / (
        (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    )
    return float(map_.mean() if mask is None else map_[mask].mean())


def brightness(picture: UInt8Array) -> FloatArray:
    """Return the luma of ITU-R BT.601, 0..255, float32."""
    return np.asarray(picture.astype(np.float32) @ _LUMA, np.float32)


def _window(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(values, (11, 11), _SSIM_SIGMA), np.float32)
