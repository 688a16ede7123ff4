"""From camera space to pixels of the output, the same for skin, eyes and mouth.

Convention:
    Camera space: px of the portrait's frame (size_px of the Portrait) at the depth of the head's
    centre; x right, y down relative to the principal point (the middle of the frame), z away from
    the camera relative to the head's centre at rest. A frame point p of the photo at depth z (of
    the landmarks) is unprojected, so that the rest pose projects exactly onto the photo.
    The camera stands CAMERA_DISTANCE_UNITS length units in front of the head's centre.
    Output: px of the rendered frame, pixel centres at integers, row 0 on top.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel
from avatar_service.signals import Float32Array

Float64Array = NDArray[np.float64]

NUM_PROJECTION: Final = 4
"""projection = float32 [center_px, focal_px, scale, depth_scale]:
k = focal / (focal + z); output xy = (k * xy + center + 0.5) * scale - 0.5;
output z = z * depth_scale, larger is farther."""


def make_projection(frame_px: int, focal_px: float, out_px: int) -> Float32Array:
    """Return the projection of a portrait of frame_px rendered at out_px (see NUM_PROJECTION)."""
    scale = out_px / frame_px
    return np.array([(frame_px - 1) / 2, focal_px, scale, scale], np.float32)


@kernel
def project_points(points: Float32Array, projection: Float32Array, out: Float32Array) -> None:
    """Project (N, 3) camera-space points to (N, 3) output px; out may be points."""
    center, focal, scale, depth_scale = projection
    for i in range(points.shape[0]):
        k = focal / (focal + points[i, 2])
        z = points[i, 2] * depth_scale
        x = (k * points[i, 0] + center + np.float32(0.5)) * scale - np.float32(0.5)
        y = (k * points[i, 1] + center + np.float32(0.5)) * scale - np.float32(0.5)
        out[i, 0] = x
        out[i, 1] = y
        out[i, 2] = z


@kernel
def transform_points(points: Float32Array, matrix: Float32Array, out: Float32Array) -> None:
    """Apply a (3, 4) matrix to (N, 3) points; out may be points.

    FramePose.skull and FramePose.jaw are such matrices: camera space at rest to camera space posed.
    """
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for j in range(3):
            out[i, j] = matrix[j, 0] * x + matrix[j, 1] * y + matrix[j, 2] * z + matrix[j, 3]
