"""Spectacles: a rigid picture of the frames, drawn over lids and brows.

The frames lie on a surface fixed to the skull: flat across the lenses, wrapping back at the
temples. A pixel finds its place in the picture by the affine map of the flat part; how far back
the surface lies there shifts it once more (parallax).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel
from avatar_service.render.frame_pose import FramePose
from avatar_service.render.prefilter import kernel_arrays, prefilter
from avatar_service.render.sdf import place_point, sample_texture
from avatar_service.signals import Float32Array, UInt8Array

# Depth of the frames behind the bridge at head x (units): wrap * x^2, and beyond the hinges the
# temples run back steeply.
WRAP: Final = 0.20
TEMPLE_SLOPE: Final = 1.2
_COARSE: Final = 3.0
"""From so many texels per px on the texture's own filter leaves nothing that could flicker."""
_FINE_BLUR: Final = 0.29
"""Blur of a texture that is refined afterwards: sigma 0.5 texels at two per px. It costs the rest
frame nothing, as bilinear sampling blurred as much there."""


@kernel
def _place_frame(
    anchor: Float32Array,
    axes: Float32Array,
    unit: float,
    skull: Float32Array,
    projection: Float32Array,
    rest: Float32Array,
    points: Float32Array,
    placed: Float32Array,
    out: Float32Array,
) -> None:
    """Work out the map from output px to the frames' own axes.

    Args:
        anchor: (3,) camera space.
        axes: (3, 3) columns are the head's axes.
        unit: frame px.
        skull: (3, 4).
        projection: (4,).
        rest: (3, 4) the identity.
        points: (4, 3) scratch.
        placed: (8, 2) scratch: posed, then resting places of the anchor and one unit along each
            axis.
        out: (3, 2) filled: posed 2x2 inverse (rows 0, 1) and posed anchor (row 2).
    """
    for k in range(4):
        for c in range(3):
            points[k, c] = anchor[c]
            if k > 0:
                points[k, c] += axes[c, k - 1] * unit
        place_point(points[k], skull, projection, placed[k])
        place_point(points[k], rest, projection, placed[4 + k])
    a, b = placed[1, 0] - placed[0, 0], placed[2, 0] - placed[0, 0]
    c_, d = placed[1, 1] - placed[0, 1], placed[2, 1] - placed[0, 1]
    det = a * d - b * c_
    if abs(det) < 1e-3:
        det = 1e-3
    out[0, 0], out[0, 1] = d / det, -b / det
    out[1, 0], out[1, 1] = -c_ / det, a / det
    out[2, 0], out[2, 1] = placed[0, 0], placed[0, 1]


@kernel
def _draw_frame(
    frame: UInt8Array,
    texture: Float32Array,
    is_frame: UInt8Array,
    origin: Float32Array,
    step: float,
    placed: Float32Array,
    to_head: Float32Array,
    hinge: float,
    colour: Float32Array,
) -> None:
    """Blend the frames into the picture; step is texels per output px at rest."""
    height, width = texture.shape[0], texture.shape[1]
    # Box of the picture's corners, posed by the flat part's map, with room for the parallax.
    ra, rb = placed[5, 0] - placed[4, 0], placed[6, 0] - placed[4, 0]
    rc, rd = placed[5, 1] - placed[4, 1], placed[6, 1] - placed[4, 1]
    rz0, rz1 = placed[7, 0] - placed[4, 0], placed[7, 1] - placed[4, 1]
    pz0, pz1 = placed[3, 0] - placed[0, 0], placed[3, 1] - placed[0, 1]
    det = ra * rd - rb * rc
    x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
    for k in range(4):
        u = origin[0] + (0 if k % 2 == 0 else width)
        v = origin[1] + (0 if k < 2 else height)
        rx = (u + 0.5) / step - 0.5 - placed[4, 0]
        ry = (v + 0.5) / step - 0.5 - placed[4, 1]
        hx, hy = (rd * rx - rb * ry) / det, (ra * ry - rc * rx) / det
        x = placed[0, 0] + hx * (placed[1, 0] - placed[0, 0]) + hy * (placed[2, 0] - placed[0, 0])
        y = placed[0, 1] + hx * (placed[1, 1] - placed[0, 1]) + hy * (placed[2, 1] - placed[0, 1])
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    first_x, first_y = max(int(x0), 0), max(int(y0), 0)
    last_x, last_y = min(int(x1) + 2, frame.shape[1]), min(int(y1) + 2, frame.shape[0])
    for y in range(first_y, last_y):
        for x in range(first_x, last_x):
            dx, dy = x - to_head[2, 0], y - to_head[2, 1]
            hx = to_head[0, 0] * dx + to_head[0, 1] * dy
            back = WRAP * hx * hx + TEMPLE_SLOPE * max(abs(hx) - hinge, 0.0)
            dx, dy = dx - back * pz0, dy - back * pz1
            hx = to_head[0, 0] * dx + to_head[0, 1] * dy
            hy = to_head[1, 0] * dx + to_head[1, 1] * dy
            rx = placed[4, 0] + hx * ra + hy * rb + back * rz0
            ry = placed[4, 1] + hx * rc + hy * rd + back * rz1
            u = (rx + 0.5) * step - 0.5 - origin[0]
            v = (ry + 0.5) * step - 0.5 - origin[1]
            if u < 0.0 or v < 0.0 or u > width - 1 or v > height - 1:
                continue
            if is_frame[int(v), int(u)] == 0:
                continue
            sample_texture(texture, u, v, colour)
            if colour[3] < 1.0:
                continue
            keep = 1.0 - colour[3] * (1 / 255)
            for c in range(3):
                value = float(frame[y, x, c]) * keep + colour[c]
                frame[y, x, c] = np.uint8(min(value + 0.5, 255.0))


def scale_spectacles(assets: Mapping[str, NDArray[Any]], scale: float) -> dict[str, NDArray[Any]]:
    """Make of SpectaclesAssets.to_arrays() what SpectaclesDrawer reads.

    Args:
        assets: of portrait/spectacles.py.
        scale: output px per frame px.
    """
    arrays = kernel_arrays(assets)
    step = 2.0 / scale
    if arrays["texture"].shape[0] > 1 and step < _COARSE:
        arrays["texture"] = _refine(arrays["texture"], step)
        arrays["origin"], step = 2 * arrays["origin"], 2 * step
    else:
        arrays["texture"] = prefilter(arrays["texture"], scale)
    arrays["step"] = np.array([step], np.float32)
    # Most of the picture is empty: texels whose neighbourhood has anything to draw.
    alpha = (arrays["texture"][..., 3] >= 1).astype(np.uint8)
    arrays["is_frame"] = np.asarray(cv2.dilate(alpha, np.ones((3, 3), np.uint8)), np.uint8)
    return arrays


def _refine(texture: Float32Array, step: float) -> Float32Array:
    """Return a texture at twice its size, without what is finer than a px.

    Rims and hinges are the sharpest of all that moves. Sampled bilinearly from two texels per px
    they are blurred between texels and sharp on them, and flicker as the head drifts; from four
    they are as sharp everywhere.
    """
    if step > 1.2:
        sigma = _FINE_BLUR * float(np.sqrt(step * step - 1.0))
        texture = cv2.GaussianBlur(texture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    fine = np.clip(cv2.resize(texture, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4), 0, 255)
    fine[..., :3] = np.minimum(fine[..., :3], fine[..., 3:])  # premultiplied
    return np.ascontiguousarray(fine, np.float32)


class SpectaclesDrawer:
    """Draws the spectacles of one portrait; one per renderer, as it owns scratch memory.

    Args:
        arrays: from scale_spectacles.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._unit_px = float(self._arrays["unit"][0])
        self._rest = np.eye(3, 4, dtype=np.float32)
        self._points = np.zeros((4, 3), np.float32)
        self._placed = np.zeros((8, 2), np.float32)
        self._to_head = np.zeros((3, 2), np.float32)
        self._colour = np.zeros(4, np.float32)

    def draw(self, pose: FramePose, frame: UInt8Array) -> None:
        """Draw the frames; call it last.

        Args:
            pose: of the frame.
            frame: (H, W, 4) uint8 RGBA; colours are blended in place, alpha stays.
        """
        a = self._arrays
        if a["texture"].shape[0] == 1:  # none are worn
            return
        _place_frame(
            a["anchor"], a["axes"], self._unit_px, pose.skull, pose.projection, self._rest,
            self._points, self._placed, self._to_head,
        )  # fmt: skip
        _draw_frame(
            frame, a["texture"], a["is_frame"], a["origin"], a["step"][0], self._placed,
            self._to_head, a["hinge"][0], self._colour,
        )  # fmt: skip
