"""Where an eye's margins, lid rows and iris lie in the photo, and the lids' shadow on it."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import FloatArray, photo_blur, spline
from avatar_service.portrait.topology import (
    BROW_LOWER,
    BROW_UPPER,
    LID_LOWER,
    LID_LOWER_ROW3,
    LID_UPPER,
    LID_UPPER_ROW2,
    LID_UPPER_ROW3,
    mirrored,
)

# Shadow of the lids on the eyeball: strength at the margin and reach in outer-eye distances.
# The same law is divided out here and multiplied in by render/eyes.py.
UPPER_SHADOW: Final = (0.36, 0.030)
LOWER_SHADOW: Final = (0.10, 0.020)


def lid_shadow(above: FloatArray, below: FloatArray, unit: float) -> FloatArray:
    """Return the light that reaches the eyeball at distances from the upper and lower margin."""
    upper = UPPER_SHADOW[0] * np.exp(-np.maximum(above, 0) / (UPPER_SHADOW[1] * unit))
    lower = LOWER_SHADOW[0] * np.exp(-np.maximum(below, 0) / (LOWER_SHADOW[1] * unit))
    return np.asarray(1.0 - upper - lower, np.float32)


def rows_of_eye(row: tuple[int, ...], eye: int) -> list[int]:
    """Return a right-eye row for eye 0 or 1, ordered from image left to right."""
    return list(row) if eye == 0 else list(mirrored(row))[::-1]


class EyeGeometry:
    """Geometry of one eye in 2x px."""

    def __init__(self, fit: FaceFit, eye: int) -> None:
        points = fit.landmarks[:, :2] * 2 + 0.5
        self.unit = 2.0 * float(fit.head.unit_px)
        self.upper_ids = rows_of_eye(LID_UPPER, eye)
        self.lower_ids = rows_of_eye(LID_LOWER, eye)
        self.row2_ids = rows_of_eye(LID_UPPER_ROW2, eye)
        self.row3_ids = rows_of_eye(LID_UPPER_ROW3, eye)
        self.upper = spline(points[self.upper_ids], closed=False)
        self.lower = spline(points[self.lower_ids], closed=False)
        self.row2 = points[self.row2_ids]
        self.row3 = points[self.row3_ids]
        self.below = points[rows_of_eye(LID_LOWER_ROW3, eye)]
        self.brow = np.stack([points[rows_of_eye(row, eye)] for row in (BROW_UPPER, BROW_LOWER)])
        self.ring = np.concatenate([self.upper, self.lower[-2:0:-1]])
        self.width = float(np.linalg.norm(self.upper[-1] - self.upper[0]))
        self.iris_center = np.asarray(fit.iris[eye, 0, :2] * 2 + 0.5, np.float32)
        rim = fit.iris[eye, 1:, :2] - fit.iris[eye, 0, :2]
        self.iris_radius = 2.0 * float(np.linalg.norm(rim, axis=1).mean())
        # The iris ends as softly as the photo is sharp: all of its edge must move with it.
        spread = photo_blur(fit) / self.iris_radius
        self.iris_edge = (1.02 + 0.4 * spread, 1.13 + 1.6 * spread)

    def light(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the inside distance to the lid margin and the lids' shadow at 2x points."""
        flat = points.reshape(-1, 2)
        above = _distance_to_line(flat, self.upper)
        below = _distance_to_line(flat, self.lower)
        inside = np.minimum(above, below)
        shape = points.shape[:-1]
        return inside.reshape(shape), lid_shadow(above, below, self.unit).reshape(shape)


def _distance_to_line(points: FloatArray, line: FloatArray) -> FloatArray:
    """Return unsigned distances of (n, 2) points to a dense polyline's vertices."""
    middle = line.mean(0)
    points, line = points - middle, line - middle
    squared = (points**2).sum(1)[:, None] + (line**2).sum(1) - 2 * points @ line.T
    return np.asarray(np.sqrt(np.maximum(squared.min(1), 0)), np.float32)
