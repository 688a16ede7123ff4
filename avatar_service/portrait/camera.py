"""Unprojection of the photo's points, so that the rest pose projects exactly onto the photo.

See render/projection.py for the convention of camera space and the way back.
"""

from __future__ import annotations

import numpy as np

from avatar_service.portrait.head_frame import HeadFrame
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.schema import CAMERA_DISTANCE_UNITS


def focal_px(head: HeadFrame) -> float:
    """Return the distance of the camera from the head's centre, px of the frame."""
    return CAMERA_DISTANCE_UNITS * head.unit_px


def camera_from_frame(points: Float64Array, head: HeadFrame, size_px: int) -> Float64Array:
    """Unproject (..., 3) frame points to camera space.

    Args:
        points: frame px, z away from the camera with the zero of the landmarks.
        head: gives the camera's distance and the zero of camera-space depth.
        size_px: side of the frame.
    """
    depth = points[..., 2:] - head.center[2]
    stretch = 1 + depth / focal_px(head)
    return np.concatenate([(points[..., :2] - (size_px - 1) / 2) * stretch, depth], -1)


def frame_from_camera(points: Float64Array, head: HeadFrame, size_px: int) -> Float64Array:
    """Project (..., 3) camera-space points to the frame, the inverse of camera_from_frame."""
    stretch = 1 + points[..., 2:] / focal_px(head)
    xy = points[..., :2] / stretch + (size_px - 1) / 2
    return np.concatenate([xy, points[..., 2:] + head.center[2]], -1)
