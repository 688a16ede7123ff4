"""The far side of a turned face, completed from the near one.

Where the photo shows a cheek edge-on, a few columns of pixels stand for all of it; turned back they
smear. The other cheek shows what skin, beard and grain look like there: its picture is laid over
the narrow side, in the narrow side's own light.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS, Float64Array
from avatar_service.portrait.patch_tools import blur, smoothstep
from avatar_service.portrait.pixels import disc
from avatar_service.portrait.unfold import unfold
from avatar_service.signals import Float32Array

_NARROW: Final = (0.80, 0.45)
"""Share of the other side's area in the photo at which a place begins to be taken from there, and
at which it is taken wholly."""
_TURNED: Final = (3.0, 8.0)
"""Turn of the head in the photo, degrees: faces from the front have no far side."""
_ASIDE: Final = (0.44, 0.56)
"""Only cheeks, temples and jaw: from here outwards, units from the middle."""
_LIGHT: Final = 0.13
"""What is wider than this (sigma, units) is light and stays the narrow side's own."""
_APART: Final = (17.0, 36.0)
"""Grey levels of difference in fine light and shade from which the sides are not alike."""
_MIN_WEIGHT: Final = 0.02


def complete_far_side(colors: Float32Array, fit: FaceFit) -> None:
    """Lay the near side's detail over a foreshortened far side, in place.

    Args:
        colors: (2S, 2S, 3) float32 0..255, the frame at 2x.
        fit: of the photo.
    """
    points = unfold(fit.landmarks, fit.head.unit_px)
    share = _weights(points, fit)
    if share.max() < _MIN_WEIGHT:
        return
    own = 2 * points[:, :2] + 0.5
    other = own[topology.MIRROR]
    used = topology.TRIANGLES[share[topology.TRIANGLES].max(1) >= _MIN_WEIGHT]
    corners = own[used]
    x0, y0 = np.maximum(np.floor(corners.min((0, 1))), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max((0, 1))) + 1, len(colors)).astype(int)
    shape = (int(y1 - y0), int(x1 - x0))
    source, weight = _maps(used, own - [x0, y0], other, share, shape)
    region = colors[y0:y1, x0:x1]
    seen = np.asarray(
        cv2.remap(
            _prefiltered(colors),
            source[..., 0],
            source[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )
    inside = (source[..., 0] >= 0).astype(np.float32)[..., None]
    sigma = _LIGHT * 2 * fit.head.unit_px
    cover = blur(inside[..., 0], sigma)[..., None] + 1e-3
    light = (blur(region * inside, sigma) / cover + 1) / (blur(seen * inside, sigma) / cover + 1)
    completed = np.clip(seen * np.clip(light, 0.4, 2.5), 0, 255)
    # A rim of light, hair over one cheek only: what one side has to itself stays.
    unit = 2 * fit.head.unit_px
    apart = np.abs(blur((completed - region) * inside, 0.02 * unit)).max(-1)
    alike = 1 - smoothstep(cv2.dilate(apart, disc(2 * round(0.03 * unit) + 1)), *_APART)
    soft = blur(weight * alike, 0.02 * unit)[..., None] * inside
    region += soft * (completed - region)


def _prefiltered(colors: Float32Array) -> Float32Array:
    """Smooth as much as a picture drawn at about half its width needs."""
    return np.asarray(cv2.GaussianBlur(colors, (0, 0), 0.6), np.float32)


def _weights(points: Float64Array, fit: FaceFit) -> Float64Array:
    """Return (468,) how much each landmark's surroundings are taken from the other side."""
    a, b, c = (points[topology.TRIANGLES[:, i], :2] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    around = np.zeros(NUM_LANDMARKS)
    for i in range(3):
        np.add.at(around, topology.TRIANGLES[:, i], np.abs(area))
    ratio = around / np.maximum(around[topology.MIRROR], 1e-6)
    narrow = smoothstep(-ratio, -_NARROW[0], -_NARROW[1])
    aside = smoothstep(np.abs(fit.head.to_head(points)[:, 0]), *_ASIDE)
    turned = smoothstep(np.array(abs(np.degrees(fit.head.yaw))), *_TURNED)
    return np.asarray(narrow * aside * turned, np.float64)


def _maps(
    triangles: NDArray[np.int32],
    own: Float64Array,
    other: Float64Array,
    share: Float64Array,
    shape: tuple[int, int],
) -> tuple[Float32Array, Float32Array]:
    """Return where each pixel lies on the other side, -1 outside the triangles, and its weight."""
    source = np.full((*shape, 2), -1, np.float32)
    weight = np.zeros(shape, np.float32)
    for triangle in triangles:
        corners = own[triangle]
        low = np.maximum(np.floor(corners.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(corners.max(0)) + 1, shape[::-1]).astype(int)
        if (high <= low).any():
            continue
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], -1)
        if abs(np.linalg.det(edges)) < 1e-6:
            continue
        b, c = np.einsum(
            "ij,jhw->ihw", np.linalg.inv(edges), np.stack([x - corners[0, 0], y - corners[0, 1]])
        )
        a = 1 - b - c
        hit = (a >= -0.02) & (b >= -0.02) & (c >= -0.02)
        bary = np.stack([a, b, c], -1)[hit]
        source[y[hit], x[hit]] = bary @ other[triangle]
        weight[y[hit], x[hit]] = bary @ share[triangle]
    return source, np.clip(weight, 0, 1)
