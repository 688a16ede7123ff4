"""The fine detail of a person's skin, as a tile for what is painted anew."""

from __future__ import annotations

import numpy as np

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import FloatArray, blur


def skin_grain(image: FloatArray, fit: FaceFit) -> FloatArray:
    """Return a (32, 64) tile of the skin's fine detail from the smoother cheek."""
    tiles = []
    for landmark in (50, 280, 117, 346):  # cheeks
        x, y = (fit.landmarks[landmark, :2] * 2 + 0.5).astype(int) - (32, 16)
        tile = image[max(y, 0) : y + 32, max(x, 0) : x + 64].mean(-1)
        if tile.shape == (32, 64):
            detail = tile - blur(tile, 2.0)
            tiles.append((float(detail.std()), detail))
    if not tiles:
        return np.zeros((32, 64), np.float32)
    _, detail = min(tiles, key=lambda item: item[0])
    window = np.hanning(34)[1:-1, None] * np.hanning(66)[None, 1:-1]
    # Tiles without a seam: fade into a half-shifted copy of itself.
    shifted = np.roll(detail, (16, 32), (0, 1))
    tiled = detail * np.sqrt(window) + shifted * np.sqrt(1 - window)
    return np.asarray(np.clip(0.75 * tiled, -10, 10), np.float32)


def spread_grain(grain: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Return the tile repeated over (height, width)."""
    times = [-(-size // step) for size, step in zip(shape, grain.shape, strict=True)]
    return np.asarray(np.tile(grain, times)[: shape[0], : shape[1]], np.float32)
