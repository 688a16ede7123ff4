"""Strands of hair: which vertices swing for themselves, together with which others, and how far.

Hair swings as a whole (hair.py). On top of that, strands near the hair's outline and the ends of
long hair swing each in their own time. Neighbours along a strand belong together, neighbours across
it do not: a noise smeared along the hair's own direction tells them apart (line integral
convolution, Cabral and Leedom, SIGGRAPH 1993).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import scipy

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.hair import ON_TOP
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.mesh import FaceMesh
from avatar_service.portrait.patch_tools import blur, sample, smoothstep
from avatar_service.portrait.pixels import AREA, resize, shrink
from avatar_service.signals import Float32Array

NUM_KINDS: Final = 8
"""Strands of kind k swing like kind k of render/strands.py."""
MOST: Final = 0.5
"""Share of its lag that the tip of a strand shows."""

_FRINGE: Final = 0.26
"""Depth below the outline, units, at which a strand on the skull has its root."""
_ENDS: Final = (0.18, 0.50)
"""Looseness (hair.sway_weights) from which all of the hair is ends, not its outline alone."""
_ENDS_AMOUNT: Final = 0.7
_WIDTH: Final = 0.045
"""Sigma of the noise, units: strands that move together are about four times as wide."""
_LENGTH: Final = 0.42
"""So far it is smeared to either side."""
_STEPS: Final = 14
_MIN_AMOUNT: Final = 0.02
_FOLLOWS: Final = (0.5, 0.8)
"""Shares of the head's motion between which strands begin."""
_CALM: Final = 0.06
"""The hair's direction is averaged over this sigma, units."""


def comb_strands(
    mesh: FaceMesh, fit: FaceFit, sway: Float64Array, skin_weight: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Return (V,) amounts, 0 where a vertex moves with the hair as a whole, and (V,) kinds.

    A kind of 2.25 lies between kinds 2 and 3; all are below NUM_KINDS - 1.

    Args:
        mesh: of the portrait.
        fit: of the photo.
        sway: (V,) of hair.sway_weights.
        skin_weight: (V,) how far a vertex follows the head; clothes do not, and have no strands.
    """
    amount = MOST * _amounts(mesh, fit, sway * smoothstep(skin_weight, *_FOLLOWS))
    kind = np.zeros(len(sway))
    strands = np.flatnonzero(amount > 0)
    if len(strands) < 2:
        return np.zeros(len(sway)), kind
    points = mesh.vertices[strands, :2] + fit.margin_px
    last = fit.canvas_alpha.shape[0]
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    box = (slice(max(int(y0), 0), min(int(y1) + 2, last)), slice(max(int(x0), 0), int(x1) + 2))
    noise = sample(_smeared_noise(fit, box), points - [box[1].start, box[0].start])
    evened = scipy.special.ndtr((noise - noise.mean()) / max(float(noise.std()), 1e-6))
    kind[strands] = np.clip(evened * (NUM_KINDS - 1), 0, NUM_KINDS - 1 - 1e-3)
    return amount[mesh.anchor], kind[mesh.anchor]


def _amounts(mesh: FaceMesh, fit: FaceFit, sway: Float64Array) -> Float64Array:
    """Return (V,) 0 at roots ... 1 at tips."""
    solid = (fit.canvas_alpha > 0.5).astype(np.uint8)
    inside = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    below = sample(inside, mesh.vertices[:, :2] + fit.margin_px)
    fringe = 1 - smoothstep(below, 0, _FRINGE * fit.head.unit_px)
    ends = _ENDS_AMOUNT * smoothstep(sway, *_ENDS)
    amount = np.clip(sway / ON_TOP, 0, 1) * np.maximum(fringe, ends)
    return np.where(amount > _MIN_AMOUNT, amount, 0.0)


def _smeared_noise(fit: FaceFit, box: tuple[slice, slice]) -> Float32Array:
    """Return noise over a part of the canvas, drawn out along the hair."""
    unit = fit.head.unit_px
    along = _directions(fit)[box]
    shape = along.shape[:2]
    rng = np.random.default_rng(0)  # fixed: a portrait is reproducible
    noise = blur(rng.normal(0, 1, shape).astype(np.float32), max(_WIDTH * unit, 0.8))
    y, x = (np.asarray(a, np.float32) for a in np.mgrid[: shape[0], : shape[1]])
    total = noise.copy()
    step = np.float32(_LENGTH * unit / _STEPS)
    for sign in (1.0, -1.0):
        at_x, at_y, heading = x.copy(), y.copy(), np.float32(sign) * along
        for k in range(_STEPS):
            at_x += step * heading[..., 0]
            at_y += step * heading[..., 1]
            total += np.float32(1 - (k + 1) / (_STEPS + 1)) * _sample(noise, at_x, at_y)
            ahead = _sample(along, at_x, at_y)
            # A direction has no sign: go on the way that was come.
            back = (ahead * heading).sum(-1, keepdims=True) < 0
            heading = np.where(back, -ahead, ahead)
    return total


def _directions(fit: FaceFit) -> Float32Array:
    """Return (C, C, 2) unit vectors along the hair, by the structure tensor.

    Only what lies well within the person counts: its outline says nothing of its strands.
    """
    unit = fit.head.unit_px
    side = fit.canvas_alpha.shape[0]
    grey = resize(fit.canvas2x, (side, side), AREA).astype(np.float32).mean(-1)
    within = shrink(fit.canvas_alpha > 0.95, 2 * round(0.03 * unit) + 1).astype(np.float32)
    gx, gy = cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1)
    tensor = np.stack([gx * gx - gy * gy, 2 * gx * gy], -1) * within[..., None]
    tensor = blur(tensor, _CALM * unit)
    across = 0.5 * np.arctan2(tensor[..., 1], tensor[..., 0])
    return np.stack([-np.sin(across), np.cos(across)], -1).astype(np.float32)


def _sample(values: Float32Array, x: Float32Array, y: Float32Array) -> Float32Array:
    found = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(found, np.float32)
