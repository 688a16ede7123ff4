"""The outline of an open mouth, found between lip and what shows behind it.

The landmark model draws the inner lips as a regular almond: in a grin it stops short of the
corners and errs by up to 4 % of the eyes' distance across. What lies beyond it would be taken for
lip (teeth painted into the skin), what lies short of it for an opening.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.head_frame import HeadFrame
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.lip_seam import cheapest_path
from avatar_service.portrait.pixels import gaussian
from avatar_service.signals import Float32Array, UInt8Array

_COLUMNS: Final = 161
_STEP: Final = 0.004
"""Rows of the straightened mouth, units."""
_REACH: Final = 0.048
"""How far from the landmarks the outline is sought, units."""
_LIP_KEPT: Final = 0.012
"""Lip that is left at least between the opening and the outer line, units."""
_BINS: Final = 24
_OUTWARD, _INWARD, _BEND = 1.5, 16.0, 60.0
"""Costs, in rows of pixels surely told, of leaving the landmarks by _REACH to either side (gums and
teeth in shade look like lip) and of such a step between columns."""
_CORNER_SHARE: Final = 0.6
"""The opening may reach this far from the inner towards the outer corner."""
_SHUT: Final = 0.010
"""Lips nearer than this (units) meet: there is the corner."""


def snap_to_opening(image2x: UInt8Array, landmarks: Float64Array, head: HeadFrame) -> Float64Array:
    """Move both inner lip rows of an open mouth onto the outline of the opening.

    Pixels are told apart by two colour histograms, of what lies surely between the lips and of
    what is surely lip (Jones and Rehg, IJCV 46, 2002, use the same for skin). The outline is the
    pair of paths, found by dynamic programming, that has most of the one inside and most of the
    other outside.

    Args:
        image2x: (2S, 2S, 3) uint8.
        landmarks: (468, 3) frame px; a moved copy is returned.
        head: for the unit of length.
    """
    unit = float(head.unit_px)
    start, end = landmarks[61, :2], landmarks[291, :2]
    width = float(np.linalg.norm(end - start))
    along = (end - start) / width
    across = np.array([-along[1], along[0]])

    def straighten(row: tuple[int, ...]) -> Float64Array:
        offset = landmarks[list(row), :2] - start
        place, height = offset @ along / width, offset @ across / unit
        order = np.maximum.accumulate(place + 1e-6 * np.arange(len(place)))
        return np.stack([order, height])

    u = np.linspace(0, 1, _COLUMNS)
    inner_upper, inner_lower = (
        straighten(row) for row in (topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER)
    )
    first, last = inner_upper[0, 0], inner_upper[0, -1]
    ends = np.array([[0.0, 1.0], [0.0, 0.0]])
    upper, lower = (
        np.interp(u, *np.hstack([ends[:, :1], row, ends[:, 1:]]))
        for row in (inner_upper, inner_lower)
    )
    outer_upper, outer_lower = (
        np.interp(u, *straighten(row))
        for row in (topology.LIP_OUTER_UPPER, topology.LIP_OUTER_LOWER)
    )
    reach = 1.5 * _REACH
    heights = np.arange(outer_upper.min() - reach, outer_lower.max() + reach, _STEP)
    spots = start + (u * width)[None, :, None] * along + (heights * unit)[:, None, None] * across
    grid = (2 * spots + 0.5).astype(np.float32)
    colours = np.asarray(cv2.remap(image2x, grid, None, cv2.INTER_LINEAR), np.float32)
    score = _inside_score(colours, heights, u, upper, lower, outer_upper, outer_lower)
    summed = np.cumsum(np.vstack([np.zeros(_COLUMNS), score]), 0)

    is_inner = (u > first) & (u < last)
    offsets = np.arange(-_REACH, _REACH + 1e-9, _STEP)
    step_cost = (np.subtract.outer(offsets, offsets) / _REACH) ** 2 * _BEND
    middle = (upper + lower) / 2
    found = []
    for line, outer, sign in ((upper, outer_upper, 1.0), (lower, outer_lower, -1.0)):
        places = line[:, None] + offsets  # (columns, offsets)
        rows = (places - heights[0]) / _STEP
        gain = -sign * _at_rows(summed, rows)
        leaving = np.where(sign * offsets > 0, _INWARD, _OUTWARD)
        cost = -gain + leaving * (offsets / _REACH) ** 2
        # Some lip stays outside, and the rows do not cross their middle.
        inside = sign * (places - middle[:, None])
        kept = sign * (places - outer[:, None])
        cost = cost + np.where(inside > 0, 50.0, 0.0)
        cost = cost + np.where((kept < _LIP_KEPT) & is_inner[:, None], 50.0, 0.0)
        path = offsets[cheapest_path(cost, step_cost)]
        found.append(line + np.asarray(gaussian(path[None].astype(np.float32), 2.0))[0])
    opened = found[1] - found[0]

    lowest = (1 - _CORNER_SHARE) * first
    highest = last + _CORNER_SHARE * (1 - last)
    is_open = (opened > _SHUT) & (u >= lowest) & (u <= highest)
    center = _COLUMNS // 2
    if not is_open[center]:
        return landmarks
    left = center - int(np.argmin(np.r_[is_open[center::-1], False])) + 1
    right = center + int(np.argmin(np.r_[is_open[center:], False])) - 1
    left_u, right_u = min(u[left], first + 0.06), max(u[right], last - 0.06)
    result = landmarks.copy()
    meet = [np.interp(c, u, (found[0] + found[1]) / 2) for c in (left_u, right_u)]
    for row, old, line in (
        (topology.LIP_INNER_UPPER, inner_upper, found[0]),
        (topology.LIP_INNER_LOWER, inner_lower, found[1]),
    ):
        share = (old[0] - first) / (last - first)
        place = left_u + share * (right_u - left_u)
        height = np.interp(place, u, line)
        height[0], height[-1] = meet
        moved = start + (place * width)[:, None] * along + (height * unit)[:, None] * across
        depth = np.interp(
            place,
            np.r_[0.0, old[0], 1.0],
            np.r_[landmarks[61, 2], landmarks[list(row), 2], landmarks[291, 2]],
        )
        result[list(row), :2] = moved
        result[list(row), 2] = depth
    return result


def _inside_score(
    colours: Float32Array,
    heights: Float64Array,
    u: Float64Array,
    upper: Float64Array,
    lower: Float64Array,
    outer_upper: Float64Array,
    outer_lower: Float64Array,
) -> Float64Array:
    """Return (rows, columns) from -1, surely lip or skin, to 1, surely behind the lips."""
    luma = colours.mean(-1)
    red = (colours[..., 0] - colours[..., 1:].mean(-1)) / (luma + 8)
    y = heights[:, None]
    gap = lower - upper
    surely_inside = (y > upper + 0.2 * gap) & (y < lower - 0.2 * gap) & (gap > 0.02)
    lip_above = (y > outer_upper + 0.1 * (upper - outer_upper)) & (
        y < upper - 0.35 * (upper - outer_upper)
    )
    lip_below = (y < outer_lower - 0.1 * (outer_lower - lower)) & (
        y > lower + 0.35 * (outer_lower - lower)
    )
    skin = ((y < outer_upper) & (y > outer_upper - 0.05)) | (
        (y > outer_lower) & (y < outer_lower + 0.05)
    )
    bins = [
        np.clip(luma / 255 * _BINS, 0, _BINS - 1).astype(int),
        np.clip((red + 0.3) / 1.3 * _BINS, 0, _BINS - 1).astype(int),
    ]

    def histogram(mask: NDArray[np.bool_]) -> Float32Array:
        counts = np.zeros((_BINS, _BINS), np.float32)
        np.add.at(counts, (bins[0][mask], bins[1][mask]), 1.0)
        smooth = np.asarray(gaussian(counts, 1.0), np.float32)
        return smooth / max(float(counts.sum()), 1.0)

    behind = histogram(surely_inside)
    score = np.zeros(luma.shape, np.float32)
    # Each lip by itself: the upper one lies in shade, and may be as dark as what is behind it.
    for lip, half in ((lip_above, y <= (upper + lower) / 2), (lip_below, y > (upper + lower) / 2)):
        lip = lip & ((u > 0.12) & (u < 0.88))[None]
        before = 0.7 * histogram(lip) + 0.3 * histogram(skin)
        chance = (behind + 3e-5) / (behind + before + 6e-5)
        seen = 2 * chance[bins[0], bins[1]] - 1
        # The dark of the corners need not be seen in the middle.
        tone = float(np.median(luma[lip])) if lip.any() else float(np.median(luma))
        dark = np.clip((0.55 - luma / max(tone, 1.0)) / 0.2, 0, 1)
        score = np.where(half, np.maximum(seen, 2 * dark - 1), score)
    return np.asarray(score, np.float64)


def _at_rows(table: Float64Array, rows: Float64Array) -> Float64Array:
    """Return table[rows[c, k], c] for every column c, between rows linearly."""
    rows = np.clip(rows, 0, len(table) - 1.001)
    low = rows.astype(int)
    columns = np.arange(table.shape[1])[:, None]
    part = rows - low
    found: Float64Array = table[low, columns] * (1 - part) + table[low + 1, columns] * part
    return found
