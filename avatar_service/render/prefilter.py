"""Textures of the photo at 2x are smoothed once where a renderer draws them smaller."""

from __future__ import annotations

import cv2
import numpy as np

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
