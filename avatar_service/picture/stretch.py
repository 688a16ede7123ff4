"""How far the texture is stretched where it is seen, over a sweep of turns."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.picture.likeness import FloatArray
from avatar_service.picture.stage import Stage
from avatar_service.picture.still import sweep

_MIN_PIXELS: Final = 6
"""Triangles that show fewer pixels are not judged."""
_STRONG: Final = 2.0
_MIN_ALPHA: Final = 128


def texture_stretch(stage: Stage) -> dict[str, float]:
    """Measure the stretch of the person's texture over the sweep.

    The stretch of a triangle is the larger singular value of the map from its place in the photo to
    its place in the picture: 1 as photographed, 2 = twice as long, which begins to smear.

    Returns:
        stretch_max and stretch_p999 (by visible pixels), and the share of the person's pixels
        that are stretched more than twofold in the worst pose.
    """
    geometry, texture = stage.portrait.geometry, stage.portrait.texture
    triangles = geometry.solid_triangles
    source = geometry.uv / 2 * stage.size_px / stage.portrait.size_px
    middles = geometry.uv[triangles].mean(1).round().astype(int)
    last = texture.shape[0] - 1
    alpha = texture[np.clip(middles[:, 1], 0, last), np.clip(middles[:, 0], 0, last), 3]
    largest, strong_share = 0.0, 0.0
    values, weights = [], []
    for _, motion in sweep():
        stage.picture(motion)
        vertices = stage.vertices
        seen = _visible_pixels(vertices, triangles, stage.size_px)
        judged = (seen >= _MIN_PIXELS) & (alpha >= _MIN_ALPHA)
        stretch = _largest_stretch(source, vertices[:, :2], triangles[judged])
        pixels = seen[judged]
        if not len(stretch):
            continue
        # What the mesh does not show of the person is layers, which are not stretched.
        shown = int((stage.coverage(motion) >= _MIN_ALPHA).sum())
        stretch = np.append(stretch, 1.0)
        pixels = np.append(pixels, max(shown - int(pixels.sum()), 0))
        largest = max(largest, float(stretch.max()))
        strong_share = max(strong_share, float(pixels[stretch > _STRONG].sum() / pixels.sum()))
        values.append(stretch)
        weights.append(pixels)
    every, weight = np.concatenate(values), np.concatenate(weights)
    order = np.argsort(every)
    along = np.cumsum(weight[order]) / weight.sum()
    return {
        "stretch_max": largest,
        "stretch_p999": float(every[order][np.searchsorted(along, 0.999)]),
        "stretch_over_2_share": strong_share,
    }


def _visible_pixels(
    vertices: FloatArray, triangles: NDArray[np.int32], size_px: int
) -> NDArray[np.int64]:
    """Return how many pixels each triangle shows: painted from far to near."""
    ids = np.full((size_px, size_px), -1, np.int32)
    depth = vertices[triangles, 2].mean(1)
    corners = np.round(vertices[triangles, :2] * 16).astype(np.int32)
    a, b, c = (vertices[triangles[:, i], :2] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    for t in np.argsort(-depth):
        if area[t] > 0:  # all triangles are wound the same way; the others show their back
            cv2.fillConvexPoly(ids, corners[t], int(t), cv2.LINE_8, 4)
    return np.bincount(ids[ids >= 0], minlength=len(triangles))


def _largest_stretch(
    source: FloatArray, target: FloatArray, triangles: NDArray[np.int32]
) -> FloatArray:
    """Return the larger singular value of each triangle's affine map."""
    a, b, c = (source[triangles[:, i]] for i in range(3))
    p, q, r = (target[triangles[:, i]] for i in range(3))
    before = np.stack([b - a, c - a], -1).astype(np.float64)
    after = np.stack([q - p, r - p], -1).astype(np.float64)
    flat = np.abs(np.linalg.det(before)) < 1e-6
    before[flat] = np.eye(2)
    stretch: FloatArray = np.linalg.svd(after @ np.linalg.inv(before), compute_uv=False)[:, 0]
    stretch[flat] = 1.0
    return stretch
