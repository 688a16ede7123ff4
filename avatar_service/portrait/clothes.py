"""Where clothes begin: collars stay with the shoulders when the head above them moves.

Head and torso are seeded where there is no doubt, and both grow over the picture until they meet,
at the strongest edge between them (watershed, Meyer 1992): hair ends at a collar as well as skin.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.patch_tools import blur
from avatar_service.portrait.pixels import AREA, LINEAR, grow, resize, shrink
from avatar_service.portrait.skin_colour import skin_of, smoothed, unlike_skin
from avatar_service.signals import Float32Array

BoolArray = NDArray[np.bool_]

_HEAD, _TORSO, _ROOM = 1, 2, 3
_THROAT: Final = (0.14, 0.10)
"""The throat is seeded to this depth below the chin, and this far to either side, units."""
_SHOULDERS: Final = (0.72, 0.62, 0.35)
"""Below the chin by the first, or by the last and beside the neck by the second, is torso."""
_HAIR_ABOVE: Final = 0.75
"""Above the chin by this there is no collar, units."""
_ALIKE: Final = 26.0
"""Grey levels within which two colours may be of one material."""
_BRIGHTER: Final = 12.0
"""Grey levels above the face's skin."""
_COLLAR_ABOVE: Final = 0.35
"""Above the chin by this no collar begins, units."""
_NUM_COLOURS: Final = 300
_SMOOTH: Final = 0.02
"""Sigma by which the outline is evened, units."""
_EDGE: Final = 0.015
"""The outline's own soft edge belongs to clothes, units."""


def find_clothes(fit: FaceFit) -> BoolArray:
    """Return (C, C) which pixels of the frame plus margins show clothes, with their soft edge."""
    side = fit.canvas_alpha.shape[0]
    half = side // 2
    picture = resize(fit.canvas2x, (half, half), AREA)
    alpha = resize(fit.canvas_alpha, (half, half), AREA)
    place = _places(fit, half)
    x, below = (
        np.abs(place[..., 0]),
        place[..., 1] - fit.head.to_head(fit.landmarks)[topology.CHIN, 1],
    )
    person = alpha > 0.5
    sure = shrink(alpha > 0.9, 5)
    seeds = np.zeros((half, half), np.int32)
    seeds[alpha < 0.1] = _ROOM
    depth, beside = _THROAT
    lower, away, upper = _SHOULDERS
    seeds[sure & ((below > lower) | ((below > upper) & (x > away)))] = _TORSO
    seeds[sure & (below < -_HAIR_ABOVE)] = _HEAD
    seeds[sure & (below > 0) & (below < depth) & (x < beside)] = _HEAD
    outline = (fit.landmarks[list(topology.FACE_OVAL), :2] + fit.margin_px) * half / side
    face = np.zeros((half, half), np.uint8)
    cv2.fillPoly(face, [np.round(outline).astype(np.int32)], 1)
    seeds[shrink(face > 0, 5)] = _HEAD
    if not (seeds == _TORSO).any():
        return np.zeros((side, side), bool)
    found = cv2.watershed(np.ascontiguousarray(picture), seeds)
    body = person & (face == 0)
    clothes = (found == _TORSO) & body
    smooth = smoothed(picture.astype(np.float32), fit)
    unlike = unlike_skin(smooth, fit) > 0.5
    # Between a white collar and a dark coat lies the strongest edge of all. A neck in shade is
    # darker than the face; what is brighter than skin and unlike it is linen.
    is_bright = (smooth - skin_of(smooth, fit)).mean(-1) > _BRIGHTER
    clothes = _reached(body & unlike & is_bright & (below > -_COLLAR_ABOVE), clothes) | clothes
    hair = sure & unlike & (below < -_HAIR_ABOVE) & (face == 0)
    clothes &= ~_hanging_hair(smooth, hair, body & (below < upper))
    clothes = blur(clothes.astype(np.float32), _SMOOTH * fit.head.unit_px / 2) > 0.5
    grown = grow(clothes, 2 * max(1, round(_EDGE * fit.head.unit_px / 2)) + 1) & (face == 0)
    return np.asarray(resize(grown.astype(np.float32), (side, side), LINEAR) > 0.5)


def _hanging_hair(smooth: Float32Array, hair: BoolArray, doubtful: BoolArray) -> BoolArray:
    """Return which doubtful pixels are hair that hangs down from the head.

    Long hair and what it hangs on often have no edge between them: what hangs together with the
    hair above and has one of its colours (it has lights and shades) is hair.
    """
    like = np.zeros(doubtful.shape, bool)
    colours = smooth[hair]
    if not len(colours) or not doubtful.any():
        return like
    some = colours[:: max(1, len(colours) // _NUM_COLOURS)]
    away, _ = cKDTree(some).query(smooth[doubtful], p=np.inf, distance_upper_bound=_ALIKE)
    like[doubtful] = away < _ALIKE
    return _reached(like, hair)


def _reached(mask: BoolArray, start: BoolArray) -> BoolArray:
    """Return the parts of a mask that hang together with something else."""
    _, parts = cv2.connectedComponents((mask | start).astype(np.uint8))
    return np.asarray(mask & np.isin(parts, np.unique(parts[start])), bool)


def outline_points(clothes: BoolArray, spacing_px: float) -> Float64Array:
    """Return (N, 2) points along the mask's outlines, px, about evenly spaced."""
    contours, _ = cv2.findContours(clothes.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    rows = []
    for contour in contours:
        line = contour[:, 0].astype(np.float64)
        if len(line) < 4 * spacing_px:
            continue
        # Smoothed along itself: a staircase of pixels is no outline.
        for _ in range(4):
            line = (np.roll(line, 1, 0) + 2 * line + np.roll(line, -1, 0)) / 4
        step = max(1, round(spacing_px))
        rows.append(line[::step])
    return np.concatenate(rows) if rows else np.zeros((0, 2))


def _places(fit: FaceFit, half: int) -> Float64Array:
    """Return (half, half, 3) head coordinates of the canvas, all at the depth of the eyes."""
    scale = fit.canvas_alpha.shape[0] / half
    at = (np.arange(half) + 0.5) * scale - 0.5 - fit.margin_px
    points = np.stack([*np.meshgrid(at, at), np.full((half, half), fit.head.center[2])], -1)
    return fit.head.to_head(points)
