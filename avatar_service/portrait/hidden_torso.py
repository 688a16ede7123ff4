"""What the head hides of the torso: how far it goes on up behind it, and the neck under the jaw."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.clothes import Clothes, face_mask
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import blur, smoothstep
from avatar_service.portrait.pixels import AREA, LINEAR, disc, distance_to, grow, resize, shrink
from avatar_service.signals import Float32Array

BoolArray = NDArray[np.bool_]

_EDGE_SIGMA: Final = 0.8
_BESIDE_PX: Final = 9
"""Softness of the neck's sides, and how far beyond them its colour goes on, px at 512."""
_COLLAR_EDGE_PX: Final = (1.5, 3.5)
"""The collar's own edge is continued so far before the neck begins behind it, px at 512."""
_NECK_SIDES: Final = (0.52, 0.56)
"""Half of a neck's width (units) to either side of its turning point: 47 to 50 mm."""
_NECK_TOP: Final = (0.05, 0.20)
"""Below that point by this (units) a moving jaw begins to uncover it."""
_BEARD_SIDES: Final = 0.40
"""So far from the turning point (units) what lies below the jaw is beard or neck, never hair."""
_NECK_SKIN: Final = 0.04
"""The neck goes on so far (units) beyond jaw and bare skin."""
_NECK_TONE, _FAINT = 0.10, 0.15
"""Its tone is that of the bare skin around (sigma, units); with less of it than the second share,
the mean one."""
_NECK_SHADE: Final = 0.12
"""It is darker towards its sides by this share."""
_COARSE: Final = 4
"""The torso's upper end behind the head is found at a quarter of the frame's size."""


def scale_of(fit: FaceFit) -> float:
    """Return px of this frame per px of a frame of 512."""
    return fit.size_px / 512


def disc_px(diameter_px: float, fit: FaceFit) -> int:
    """Return an odd diameter for the size of the frame."""
    return 2 * max(1, round((diameter_px - 1) / 2 * scale_of(fit))) + 1


def hidden_neck(
    fit: FaceFit, clothes: Clothes, own: Float32Array
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return what a raised or turned jaw uncovers of the neck.

    Args:
        fit: of the photo.
        clothes: that were found.
        own: (C, C, 3) the person's colours.

    Returns:
        (C, C) coverage; (C, C, 3) colour; (C, C) how much of it is seen, as the collar's own edge
        comes first.
    """
    unit, side = fit.head.unit_px, clothes.mask.shape[0]
    away = distance_to(clothes.mask)
    x = np.abs(np.arange(side) - fit.margin_px - fit.head.pivot[0])[None] / unit
    jaw_side = 2 * round(_NECK_SKIN * unit) + 1
    beard = clothes.head & (x < _BEARD_SIDES)
    skin = grow(face_mask(fit, side) | beard | grow(clothes.bare, jaw_side), jaw_side)
    y = (np.arange(side) - fit.margin_px - fit.head.pivot[1])[:, None] / unit
    column = (1 - smoothstep(x, *_NECK_SIDES)) * smoothstep(y, *_NECK_TOP)
    # Behind hair there is the room beside the neck.
    coverage = np.asarray(
        column * blur(skin.astype(np.float32), _EDGE_SIGMA * scale_of(fit)), np.float32
    )
    known = shrink(clothes.bare, 3).astype(np.float32)
    # What is far from all bare skin has its mean tone.
    nearby = blur(known, _NECK_TONE * unit)[..., None]
    tone = blur(own * known[..., None], _NECK_TONE * unit) + _FAINT * clothes.skin
    color = tone / (nearby + _FAINT)
    color *= 1 - _NECK_SHADE * np.clip(x / _NECK_SIDES[1], 0, 1)[..., None] ** 2
    wider = cv2.dilate(coverage, disc(disc_px(_BESIDE_PX, fit)))
    seen = blur(wider * smoothstep(away / scale_of(fit), *_COLLAR_EDGE_PX), scale_of(fit))
    return coverage, np.asarray(color, np.float32), np.asarray(seen, np.float32)


def upper_end(fit: FaceFit, clothes: Clothes) -> Float32Array:
    """Return (C, C) 1 where the torso goes on behind the head, 0 where the room does.

    The smoothest way between what borders on the head: 1 at clothes, 0 at the room.
    """
    alpha = fit.canvas_alpha
    head = (alpha > 0.5) & clothes.head
    side = head.shape[0]
    small = (side // _COARSE, side // _COARSE)
    fixed = resize((clothes.mask & (alpha > 0.5)).astype(np.float32), small, AREA)
    free = shrink(resize(head.astype(np.float32), small, AREA) > 0.5, 3)
    chord = _below_chord(fit, clothes)
    if not free.any():
        return chord
    number = np.full(free.shape, -1)
    number[free] = np.arange(free.sum())
    rows, columns, values = [], [], []
    right = np.zeros(int(free.sum()))
    degree = np.zeros(int(free.sum()))
    y, x = np.nonzero(free)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        near_y, near_x = y + dy, x + dx
        exists = (near_y >= 0) & (near_y < small[1]) & (near_x >= 0) & (near_x < small[0])
        own = number[y[exists], x[exists]]
        other = number[near_y[exists], near_x[exists]]
        degree[own] += 1
        is_free = other >= 0
        rows.append(own[is_free])
        columns.append(other[is_free])
        values.append(-np.ones(int(is_free.sum())))
        border = fixed[near_y[exists], near_x[exists]] > 0.5
        np.add.at(right, own[~is_free], border[~is_free].astype(float))
    matrix = sp.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        (len(right), len(right)),
    ) + sp.diags(degree + 1e-9)
    fixed[free] = sla.spsolve(matrix.tocsc(), right)
    smooth = resize(fixed, (side, side), LINEAR)
    # About two px wide: the way leads from 0 to 1 over the whole head.
    slope = np.hypot(cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1)) / 8
    level = np.clip((smooth - 0.5) / np.maximum(2 * slope, 1e-4) + 0.5, 0, 1)
    return np.asarray(np.maximum(level, chord), np.float32)


def _below_chord(fit: FaceFit, clothes: Clothes) -> Float32Array:
    """Return (C, C) 1 below the line between the collar's highest points on both sides."""
    alpha, side = fit.canvas_alpha, len(fit.canvas_alpha)
    touching = clothes.mask & (alpha > 0.9) & grow((alpha > 0.9) & clothes.head, 5)
    rows, columns = np.nonzero(touching)
    middle = fit.landmarks[topology.CHIN, 0] + fit.margin_px
    left, right = columns < middle, columns >= middle
    if not left.any() or not right.any():
        return np.zeros((side, side), np.float32)
    tips = [(columns[s][rows[s].argmin()], rows[s].min()) for s in (left, right)]
    (x0, y0), (x1, y1) = tips
    x, y = np.arange(side)[None], np.arange(side)[:, None]
    line = y0 + (y1 - y0) * (x - x0) / max(x1 - x0, 1)
    below = np.clip(y - line + 0.5, 0, 1) * ((x >= x0) & (x <= x1))
    return np.asarray(below, np.float32)
