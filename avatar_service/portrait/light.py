"""The photo's light, fitted so that a turned face is shaded like the photo."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_service.portrait.landmark_nets import NUM_LANDMARKS, Float64Array
from avatar_service.portrait.pixels import gaussian
from avatar_service.portrait.topology import Int32Array
from avatar_service.signals import Float32Array, UInt8Array

_DARKEST_PERCENTILE: Final = 15
"""The darkest landmarks (nostrils, brows, beard) say nothing of the light."""
_RIDGE: Final = 8.0
MIN_LIGHT: Final = 20.0
"""Floor of the modelled brightness, grey levels."""


def vertex_normals(vertices: Float64Array, triangles: Int32Array) -> Float64Array:
    """Return area-weighted unit normals (V, 3); zero where no triangle touches a vertex."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, triangles[:, i], cross)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: Float64Array = normals / np.maximum(length, 1e-9)
    return unit


def fit_light(image: UInt8Array, landmarks: Float64Array, normals: Float64Array) -> Float32Array:
    """Fit brightness = a + b . normal to the face by ridge regression.

    Args:
        image: (S, S, 3) uint8, the frame.
        landmarks: (468, 3) frame px.
        normals: (V, 3), of which the first 468 belong to the landmarks.

    Returns:
        (4,) float32: a, b, in grey levels.
    """
    grey = gaussian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), 3)
    columns, rows = np.clip(np.round(landmarks[:, :2]), 0, len(image) - 1).astype(int).T
    brightness = grey[rows, columns].astype(np.float64)
    bright = brightness > np.percentile(brightness, _DARKEST_PERCENTILE)
    design = np.c_[np.ones(NUM_LANDMARKS), normals[:NUM_LANDMARKS]][bright]
    coefficients = np.linalg.solve(
        design.T @ design + _RIDGE * np.eye(4), design.T @ brightness[bright]
    )
    return coefficients.astype(np.float32)
