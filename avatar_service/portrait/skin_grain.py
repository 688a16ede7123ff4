"""The fine detail of a person's skin, as a tile for what is painted anew."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import FloatArray, blur

_PIECE: Final = 24
_MOTTLED: Final = 6.0
"""Side of the pieces that skin is quilted from, and sigma below which its pattern counts, 2x px."""


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


def quilt_skin(image: FloatArray, fit: FaceFit, shape: tuple[int, int]) -> FloatArray:
    """Return (height, width, 3) of the pattern of this person's skin, without its tone.

    Pieces of cheeks and forehead, taken at random and overlapping by half under windows whose
    squares add up to one, so that the quilt is as strong a pattern as the skin.

    Args:
        image: (2S, 2S, 3) the photo.
        fit: of the face.
        shape: height and width.
    """
    pieces = []
    for landmark in (50, 280, 117, 346, 108, 337, 151):  # cheeks and forehead
        x, y = (fit.landmarks[landmark, :2] * 2 + 0.5).astype(int) - _PIECE
        patch = image[max(y, 0) : y + 2 * _PIECE, max(x, 0) : x + 2 * _PIECE]
        if patch.shape[:2] == (2 * _PIECE, 2 * _PIECE):
            detail = patch - blur(patch, _MOTTLED)
            pieces.append((float(detail.std()), np.clip(detail, -14, 14)))
    quilt = np.zeros((*shape, 3), np.float32)
    if not pieces:
        return quilt
    # Hairs and highlights have a stronger pattern than skin.
    pieces = sorted(pieces, key=lambda piece: piece[0])[: (len(pieces) + 1) // 2]
    window = np.sin(np.pi * (np.arange(_PIECE) + 0.5) / _PIECE)
    window = (window[:, None] * window)[..., None]
    rng = np.random.default_rng(0)  # fixed: a portrait is reproducible
    half = _PIECE // 2
    for y in range(-half, shape[0], half):
        for x in range(-half, shape[1], half):
            detail = pieces[rng.integers(len(pieces))][1]
            i, j = rng.integers(0, _PIECE, 2)
            piece = detail[i : i + _PIECE, j : j + _PIECE] * window
            top, left = max(y, 0), max(x, 0)
            part = quilt[top : y + _PIECE, left : x + _PIECE]
            part += piece[top - y :, left - x :][: part.shape[0], : part.shape[1]]
    return quilt
