"""The head's own axes, length unit, and the points it turns about.

Convention:
    Frame coordinates: pixels of the frame, x right, y down, z away from the camera (right-handed).
    Head coordinates: (frame - center) @ rotation / unit_px; x to the image's right (the subject's
    left), y down, z away from the camera at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import Float64Array

_AXIS_PITCH_RADIANS: Final = np.radians(13.0)
"""The line from forehead (10) to chin (152) leans back from the head's vertical by this much."""


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """Pose and size of the head in the frame, at rest.

    Attributes:
        rotation: (3, 3) columns are the head's x, y, z axes in frame coordinates.
        center: (3,) between the outer eye corners, frame px.
        unit_px: distance of the outer eye corners in 3D, px (one schema length unit).
        pivot: (3,) the point of the neck that the head turns about, frame px.
        hinge: (3,) the middle of the jaw's ear-to-ear axis, frame px.
    """

    rotation: Float64Array
    center: Float64Array
    unit_px: float
    pivot: Float64Array
    hinge: Float64Array

    def to_head(self, points: Float64Array) -> Float64Array:
        """Convert (..., 3) frame px to head coordinates (units of unit_px)."""
        converted: Float64Array = (points - self.center) @ self.rotation / self.unit_px
        return converted

    def to_frame(self, points: Float64Array) -> Float64Array:
        """Convert (..., 3) head coordinates to frame px."""
        converted: Float64Array = points @ self.rotation.T * self.unit_px + self.center
        return converted

    @property
    def yaw(self) -> float:
        """How far the head is turned in the photo, radians, + to the subject's left."""
        return float(np.arctan2(self.rotation[2, 0], self.rotation[0, 0]))

    @property
    def pitch(self) -> float:
        """How far the head looks down in the photo, radians."""
        return float(np.arctan2(self.rotation[2, 1], self.rotation[1, 1]))


def fit_head_frame(landmarks: Float64Array) -> HeadFrame:
    """Fit the head's axes to (468, 3) landmarks in frame px.

    x is the summed difference of all mirror pairs (robust against expression), y the face's long
    axis made orthogonal to it.
    """
    pairs = landmarks - landmarks[topology.MIRROR]
    toward_left = np.sign(pairs[:, 0])[:, None]
    x_axis = _unit((pairs * toward_left).sum(0))
    down = landmarks[topology.CHIN] - landmarks[topology.CROWN]
    y_axis = _unit(down - x_axis * (down @ x_axis))
    z_axis = np.cross(x_axis, y_axis)
    cos, sin = np.cos(_AXIS_PITCH_RADIANS), np.sin(_AXIS_PITCH_RADIANS)
    y_axis, z_axis = cos * y_axis - sin * z_axis, sin * y_axis + cos * z_axis
    rotation = np.stack([x_axis, y_axis, z_axis], 1)
    right, left = landmarks[list(topology.OUTER_EYE_CORNERS)]
    center, unit = (right + left) / 2, float(np.linalg.norm(left - right))
    ears = ((landmarks[list(topology.EAR_POINTS)] - center) @ rotation / unit).mean(0)

    def place(x: float, y: float, z: float) -> Float64Array:
        placed: Float64Array = np.array([x, y, z]) @ rotation.T * unit + center
        return placed

    return HeadFrame(
        rotation=rotation,
        center=center,
        unit_px=unit,
        pivot=place(0.0, float(ears[1]) + 0.45, float(ears[2]) + 0.05),
        hinge=place(0.0, float(ears[1]) + 0.12, float(ears[2])),
    )


def _unit(vector: Float64Array) -> Float64Array:
    normalized: Float64Array = vector / np.linalg.norm(vector)
    return normalized
