"""Assets made ready for the kernels, once: their types, and textures smoothed for the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.signals import Float32Array


def prefilter(texture: Float32Array, scale: float) -> Float32Array:
    """Blur a texture of two texels per frame px for output at `scale` px per frame px.

    Sampled bilinearly at a step of n texels, a picture aliases unless it was blurred by about
    0.35 * sqrt(n^2 - 1) texels.

    Args:
        texture: (h, w, c) premultiplied where it has alpha; (1, 1, c) is returned as it is.
        scale: output px per frame px.
    """
    step = 2.0 / scale
    if step < 1.2 or texture.shape[0] < 2:
        return texture
    sigma = 0.35 * float(np.sqrt(step * step - 1.0))
    # The enlargement of the photo to 2x has smoothed it by itself.
    sigma = max(sigma - 0.25, 0.2)
    blurred = cv2.GaussianBlur(texture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(blurred, np.float32)


def kernel_arrays(assets: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return assets as kernels read them: contiguous, `_ids` of points int32, the rest float32."""
    return {
        name: np.ascontiguousarray(value, np.int32 if name.endswith("_ids") else np.float32)
        for name, value in assets.items()
    }
