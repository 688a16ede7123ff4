"""Where spectacles sit in a photo: rims, bridge and temples as paths.

A rim is sought around each eye as the closed path of best line contrast in polar coordinates, a
bridge between the rims as an open path across the nose, temples from the rims to the ears.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import FloatArray, blur, sample
from avatar_service.portrait.topology import (
    BROW_LOWER,
    BROW_UPPER,
    FACE_OVAL,
    LID_LOWER,
    LID_UPPER,
    mirrored,
)

_ANGLES: Final = 144
_RADII: Final = 64
_NEAR: Final = (0.205, 0.115)
_FAR_OUTER: Final = (0.52, 0.40)
_FAR_INNER: Final = (0.33, 0.40)
"""Half axes of the ellipses between which a rim is sought, towards the ear and the nose."""
BRIDGE_LANDMARK: Final = 168
_LINE_WIDTHS: Final = (0.022, 0.045)
"""A rim differs from the skin this far to both sides of it, outer-eye distances."""
_BEND: Final = 0.8
_REFINE_ROWS: Final = 9
"""Cost of one radius step between neighbouring angles, in grey levels."""
MIN_RIM_CONTRAST: Final = 20.0
MIN_BRIDGE_CONTRAST: Final = 25.0
"""Median line contrast (grey levels) of the weaker rim and of the bridge that spectacles have.
Bare noses were measured at 4 to 12, bridges at 57 and more."""


def _line_contrast(image: FloatArray, points: FloatArray, normal: FloatArray) -> FloatArray:
    """Return how much points differ from both sides along the normal, in the best channel.

    Args:
        image: (H, W, 3).
        points: (..., 2) image px.
        normal: (..., 2) offset to one side, px.
    """
    here = sample(image, points)
    one = sample(image, points + normal) - here
    other = sample(image, points - normal) - here
    both = np.where(one * other > 0, np.minimum(np.abs(one), np.abs(other)), 0.0)
    return np.asarray(both.max(-1), np.float32)


def _best_path(gain: FloatArray, bend: float) -> NDArray[np.int64]:
    """Return the row per column that collects most gain, steps of at most 2 rows costing `bend`."""
    rows, columns = gain.shape
    total = gain[:, 0].astype(np.float64)
    back = np.zeros((rows, columns), np.int64)
    steps = (-2, -1, 0, 1, 2)
    for x in range(1, columns):
        options = np.full((len(steps), rows), -1e9)
        for k, step in enumerate(steps):
            source = slice(max(0, -step), rows - max(0, step))
            target = slice(max(0, step), rows - max(0, -step))
            options[k, target] = total[source] - bend * abs(step)
        choice = options.argmax(0)
        back[:, x] = np.arange(rows) - np.array(steps)[choice]
        total = options.max(0) + gain[:, x]
    path = np.zeros(columns, np.int64)
    path[-1] = int(total.argmax())
    for x in range(columns - 1, 0, -1):
        path[x - 1] = back[path[x], x]
    return path


class SpectaclesSearch:
    """The photo in the head's upright axes, lengths in outer-eye distances."""

    def __init__(self, fit: FaceFit) -> None:
        self.fit = fit
        self.unit = 2.0 * float(fit.head.unit_px)
        self.image = blur(fit.image2x.astype(np.float32), 0.8)
        self.points = fit.landmarks[:, :2] * 2 + 0.5
        x_axis = fit.head.rotation[:2, 0] / np.linalg.norm(fit.head.rotation[:2, 0])
        self.axes = np.stack([x_axis, [-x_axis[1], x_axis[0]]])  # rows: right, down
        self.brows = [
            self.points[list(side(BROW_UPPER)) + list(side(BROW_LOWER))[::-1]].astype(np.float32)
            for side in (tuple, mirrored)
        ]
        cover = np.zeros(self.image.shape[:2], np.float32)
        cv2.fillPoly(cover, [np.round(brow).astype(np.int32) for brow in self.brows], 1.0)
        self.brow_cover = blur(cover, 0.01 * self.unit)

    def contrast(self, points: FloatArray, normals: FloatArray) -> FloatArray:
        """Return the line contrast at points, none inside the brows and outside the face."""
        best = np.zeros(points.shape[:-1], np.float32)
        for width in _LINE_WIDTHS:
            normal = normals * (width * self.unit)
            best = np.maximum(best, _line_contrast(self.image, points, normal))
        return np.minimum(best, 60.0)

    def rims(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return per eye the rim's (angles, 2) points in 2x px and the contrast at each.

        Spectacles are symmetric: the eye with the clearer path leads, and the other one's path is
        sought near its mirror image, unless a much clearer one lies elsewhere.
        """
        polar = [self._polar_contrast(eye) for eye in (0, 1)]
        count = polar[0][1].shape[1]
        start = (count - _ANGLES) // 2
        kept = np.arange(start, start + _ANGLES)
        rows = np.arange(_RADII)[:, None]
        paths = [_best_path(contrast, _BEND) for _, contrast in polar]
        clear = [float(np.median(polar[k][1][paths[k][kept], kept])) for k in (0, 1)]
        leader = int(clear[1] > clear[0])
        other = 1 - leader
        contrast = polar[other][1]
        close = np.abs(rows - paths[leader][None]) <= _REFINE_ROWS
        path = _best_path(np.where(close, contrast, np.float32(-60.0)), _BEND)
        if float(np.median(contrast[path[kept], kept])) > 0.5 * clear[other]:
            paths[other] = path
        return [
            (polar[k][0][paths[k][kept], kept], polar[k][1][paths[k][kept], kept]) for k in (0, 1)
        ]

    def _polar_contrast(self, eye: int) -> tuple[FloatArray, FloatArray]:
        """Return (radii, angles, 2) points around an eye and their contrast.

        Angles run from the outer side over below to the inner side, one and a half rounds, so that
        the middle of a path over them is closed.
        """
        side = tuple if eye == 0 else mirrored
        ring = self.points[list(side(LID_UPPER)) + list(side(LID_LOWER))]
        center = ring.mean(0) + 0.03 * self.unit * self.axes[1]
        angle = np.arange(3 * _ANGLES // 2) * 2 * np.pi / _ANGLES
        out, down = np.cos(angle), np.sin(angle)
        across = np.where(out > 0, _FAR_OUTER[0], _FAR_INNER[0])
        near = 1 / np.hypot(out / _NEAR[0], down / _NEAR[1])
        far = 1 / np.hypot(out / across, down / _FAR_OUTER[1])
        share = np.linspace(0, 1, _RADII)[:, None]
        radius = (near + share * (far - near)) * self.unit  # (radii, angles)
        outwards = self.axes[0] * (-1 if eye == 0 else 1)
        direction = out[:, None] * outwards + down[:, None] * self.axes[1]
        points = (center + radius[..., None] * direction).astype(np.float32)
        contrast = self.contrast(points, np.broadcast_to(direction, points.shape))
        contrast = contrast * (1 - sample(self.brow_cover, points))
        return points, contrast

    def bridge(self, right: FloatArray, left: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the path across the nose from one rim to the other, and its contrast."""
        first = right[(right @ self.axes[0]).argmax()]
        last = left[(left @ self.axes[0]).argmin()]
        columns = 32
        along = np.linspace(0.0, 1.0, columns)[:, None]
        level = self.points[BRIDGE_LANDMARK] @ self.axes[1]
        base = first + along * (last - first)
        base = base + (level - base @ self.axes[1])[:, None] * self.axes[1]
        offsets = np.linspace(-0.10, 0.16, 40)[:, None, None] * self.unit
        points = (base[None] + offsets * self.axes[1]).astype(np.float32)
        normals = np.broadcast_to(self.axes[1], points.shape).astype(np.float32)
        contrast = self.contrast(points, normals)
        path = _best_path(contrast, _BEND)
        kept = np.arange(columns)
        return points[path, kept], contrast[path, kept]

    def temple(self, rim: FloatArray, direction: int) -> tuple[FloatArray, FloatArray]:
        """Return the path from a rim's outer end to the side of the face, and its contrast."""
        along_x = (rim @ self.axes[0]) * direction
        start = rim[along_x.argmax()]
        oval = self.points[list(FACE_OVAL)]
        end = ((oval @ self.axes[0]) * direction).max() - along_x.max()
        columns = max(4, int(end / (0.012 * self.unit)))
        along = np.linspace(0.0, max(end, 1.0), columns)[:, None] * direction
        offsets = np.linspace(-0.20, 0.10, 44)[:, None, None] * self.unit
        points = start + along[None] * self.axes[0] + offsets * self.axes[1]
        points = points.astype(np.float32)
        normals = np.broadcast_to(self.axes[1], points.shape).astype(np.float32)
        contrast = self.contrast(points, normals)
        path = _best_path(contrast, _BEND)
        kept = np.arange(columns)
        return points[path, kept], contrast[path, kept]


def find_paths(search: SpectaclesSearch) -> tuple[list[FloatArray], float, float]:
    """Return rims, bridge and temples, and the contrast of the weaker rim and of the bridge."""
    rims = search.rims()
    bridge, bridge_contrast = search.bridge(rims[0][0], rims[1][0])
    paths = [np.concatenate([points, points[:1]]) for points, _ in rims]
    paths.append(bridge)
    for eye, direction in ((0, -1), (1, 1)):
        temple, contrast = search.temple(rims[eye][0], direction)
        if np.median(contrast) > MIN_BRIDGE_CONTRAST:
            paths.append(temple)
    rim_contrast = min(float(np.median(contrast)) for _, contrast in rims)
    return paths, rim_contrast, float(np.median(bridge_contrast))
