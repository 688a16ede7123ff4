"""What the head hides of the torso: how far it goes on up behind it."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.clothes import Clothes
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.pixels import AREA, LINEAR, grow, resize, shrink
from avatar_service.signals import Float32Array

BoolArray = NDArray[np.bool_]

_COARSE: Final = 4
"""The torso's upper end behind the head is found at a quarter of the frame's size."""


def scale_of(fit: FaceFit) -> float:
    """Return px of this frame per px of a frame of 512."""
    return fit.size_px / 512


def disc_px(diameter_px: float, fit: FaceFit) -> int:
    """Return an odd diameter for the size of the frame."""
    return 2 * max(1, round((diameter_px - 1) / 2 * scale_of(fit))) + 1


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
    matrix = scipy.sparse.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        (len(right), len(right)),
    ) + scipy.sparse.diags(degree + 1e-9)
    fixed[free] = scipy.sparse.linalg.spsolve(matrix.tocsc(), right)
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
