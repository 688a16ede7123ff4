"""The teeth that a smiling photo shows, cut out to be kept."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.mouth_colours import has_colours, is_like_tooth, redness
from avatar_service.portrait.patch_tools import (
    FloatArray,
    blur,
    patch_bounds,
    photo_blur,
    push_pull,
    signed_distance,
    smoothstep,
    spline,
)
from avatar_service.portrait.topology import LIP_INNER_UPPER, mouth_loop

# The source's own teeth are used where the lips are this far apart and this much of the opening
# is tooth-coloured.
_OWN_TEETH_GAP: Final = 0.09
_OWN_TEETH_COVER: Final = 0.30
_OWN_TEETH_PAD: Final = 0.07
_END_REACH: Final = 0.03
_END_SHADE: Final = 0.45
"""Width of the row's soft ends, units, and how much darker they are."""
_EDGE_SMOOTH: Final = 0.008
_EDGE_PER_BLUR: Final = 5.0
_SHARP: Final = 0.8
"""The row's lower edge is smoothed over the first (units), and where the photo is blurred by more
than a sharp one (2x px) over so many times the excess: there, steps are noise."""
_GAP_LUMA: Final = (0.50, 0.75)
_GAP_TALL: Final = 0.055
_GAP_REACH: Final = 0.05
_GAP_FILLED: Final = 0.8
"""Gaps between the tips of teeth: their light as a share of that on the teeth around (over so many
units), how far above the row's edge they reach, units, and how far they are filled."""


def ring_patch(
    image: FloatArray, fit: FaceFit, pad: float
) -> tuple[FloatArray, FloatArray, tuple[int, int]]:
    """Return the pixels around the mouth, the distance inside the inner lips, and the origin."""
    loop = fit.landmarks[list(mouth_loop()), :2] * 2 + 0.5
    x0, y0, x1, y1 = patch_bounds(loop, pad * 2 * fit.head.unit_px, image.shape)
    patch = image[y0:y1, x0:x1]
    inside = signed_distance(spline(loop, per_segment=4, closed=True), patch.shape[:2], (x0, y0))
    return patch, inside, (x0, y0)


def cut_own_teeth(
    image: FloatArray, fit: FaceFit, skin: FloatArray
) -> tuple[FloatArray, FloatArray, float, FloatArray | None]:
    """Cut the photo's own upper teeth out.

    Returns:
        Premultiplied texture, its origin (2x px), how far the teeth end below the upper lip
        (units, 0 where there are none), and the median colour of the teeth, if any are seen.
    """
    nothing = np.zeros((1, 1, 4), np.float32), np.zeros(2, np.float32), 0.0
    if not fit.is_mouth_open:
        return *nothing, None
    unit = 2.0 * fit.head.unit_px
    patch, inside, origin = ring_patch(image, fit, _OWN_TEETH_PAD)
    luma = blur(patch, 1.0).mean(-1)
    opening = inside > 0.5
    if opening.sum() < 40:
        return *nothing, None
    bright = float(np.percentile(luma[opening], 90))
    saturation = (patch.max(-1) - patch.min(-1)) / (patch.max(-1) + 1)
    tooth = smoothstep(luma, 0.52 * bright, 0.72 * bright) * smoothstep(-saturation, -0.62, -0.47)
    cover = float((tooth * opening).sum() / opening.sum())
    if bright < 0.5 * skin.mean() or cover < 0.12:
        return *nothing, None
    lit = opening & (luma >= np.percentile(luma[opening], 75))
    colour = np.asarray(np.median(patch[lit], 0), np.float32)
    is_plausible = is_like_tooth(colour, skin) if has_colours(patch) else bright > 0.8 * skin.mean()
    if not is_plausible:
        return *nothing, None
    if fit.lip_gap < _OWN_TEETH_GAP or cover < _OWN_TEETH_COVER:
        return *nothing, colour
    height, width = inside.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    # Lips shine, but redder than teeth.
    red = float(redness(colour))
    tooth = tooth * smoothstep(-redness(patch), -red - 0.34, -red - 0.16)
    lower_end = _row_boundary(luma / bright, inside, unit)
    shown = blur(tooth, 0.8) * (inside > 0) * (rows < lower_end[None])
    upper = fit.landmarks[list(LIP_INNER_UPPER), :2] * 2 + 0.5 - origin
    lip_row = np.interp(np.arange(width), upper[:, 0], upper[:, 1])
    is_tooth = np.asarray(shown > 0.45)
    has_tooth = is_tooth.any(axis=0)
    edge = np.where(has_tooth, (is_tooth * rows).max(axis=0) + 0.8, lip_row - 2)
    window = max(3, int(0.07 * unit)) | 1
    padded = np.pad(edge, window // 2, "edge")
    edge = np.median(np.lib.stride_tricks.sliding_window_view(padded, window), -1)
    spread = max(_EDGE_SMOOTH * unit, _EDGE_PER_BLUR * (photo_blur(fit) - _SHARP))
    edge = blur(edge[None].astype(np.float32), spread)[0]
    columns = blur(np.asarray(has_tooth)[None].astype(np.float32), _END_REACH * unit)
    # Beneath the upper lip the teeth go on: repeat the colours of their visible upper end.
    known = smoothstep(inside, 1.0, 2.5) * np.maximum(smoothstep(shown, 0.3, 0.6), columns < 0.2)
    # The dark between their tips would be a hole in a tooth before a mouth that is not as dark.
    around = blur(luma * is_tooth, _GAP_REACH * unit) / np.maximum(
        blur(is_tooth.astype(np.float32), _GAP_REACH * unit), 1e-3
    )
    gap = 1 - smoothstep(luma / np.maximum(around, 1.0), *_GAP_LUMA)
    gap *= smoothstep(rows - edge[None], -_GAP_TALL * unit, -0.6 * _GAP_TALL * unit)
    filled = push_pull(patch, known * (1 - np.minimum(2 * gap, 1.0)))
    own = (smoothstep(inside, 0.5, 2.0) * (1 - _GAP_FILLED * gap))[..., None]
    # The row turns away from the light towards its ends, and goes over into the modelled one.
    alpha = smoothstep(edge[None] - rows, -1.0, 1.2) * smoothstep(columns, 0.3, 0.7)
    turned = 1 - _END_SHADE * (1 - smoothstep(columns, 0.5, 1.0))
    colours = (patch * own + filled * (1 - own)) * turned[..., None]
    texture = np.concatenate([colours, np.full((height, width, 1), 255.0)], -1)
    texture = texture * alpha[..., None]
    third = slice(width * 2 // 5, width * 3 // 5)
    show = float(np.median((edge - lip_row)[third])) / unit
    return np.asarray(texture, np.float32), np.array(origin, np.float32), max(show, 0.0), colour


def cut_own_room(image: FloatArray, fit: FaceFit) -> tuple[FloatArray, FloatArray]:
    """Cut out all that the photo shows between the lips, continued a little beyond them.

    Returns:
        (h, w, 3) colours and their origin (2x px); (1, 1, 3) where the mouth is closed.
    """
    if not fit.is_mouth_open:
        return np.zeros((1, 1, 3), np.float32), np.zeros(2, np.float32)
    patch, inside, origin = ring_patch(image, fit, _OWN_TEETH_PAD)
    filled = push_pull(patch, smoothstep(inside, 0.0, 1.5))
    own = smoothstep(inside, -0.5, 1.0)[..., None]
    return np.asarray(patch * own + filled * (1 - own)), np.array(origin, np.float32)


def _row_boundary(luma: FloatArray, inside: FloatArray, unit: float) -> FloatArray:
    """Find where the upper teeth end: the darkest path across the lower part of the opening.

    Dynamic programming over the columns; outside the opening a constant cost lets the path run
    along the lower lip where no gap between the rows of teeth is seen.

    Returns:
        (width,) row of the path.
    """
    height, width = inside.shape
    span = np.array(
        [
            np.flatnonzero(inside[:, x] > 0)[[0, -1]] if (inside[:, x] > 0).any() else (0, 0)
            for x in range(width)
        ]
    )
    rows = np.arange(height)[:, None]
    part = (rows - span[:, 0]) / np.maximum(span[:, 1] - span[:, 0], 1)
    cost = np.where(inside > 1.0, luma, 0.72) + np.where(part < 0.45, 4.0, 0.0)
    cost = cost + np.where(part > 1.05, 2.0, 0.0)
    cost[:, span[:, 1] <= span[:, 0]] = 0.0
    total, back = cost[:, 0], np.zeros((height, width), np.int32)
    for x in range(1, width):
        step = np.stack([np.roll(total, 1) + 0.05, total, np.roll(total, -1) + 0.05])
        step[0, 0] = step[2, -1] = 1e9
        choice = step.argmin(0)
        back[:, x] = np.arange(height) + choice - 1
        total = step.min(0) + cost[:, x]
    path = np.zeros(width, np.float32)
    at = int(total.argmin())
    for x in range(width - 1, -1, -1):
        path[x] = at
        at = int(back[at, x]) if x else at
    smooth = blur(path[None], max(1.0, 0.008 * unit))[0]
    return np.asarray(smooth, np.float32)
