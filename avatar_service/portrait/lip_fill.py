"""Lips painted over an open mouth of the photo, so that closed lips show no teeth."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.mouth_colours import lip_tones, redness
from avatar_service.portrait.own_teeth import ring_patch
from avatar_service.portrait.patch_tools import (
    FloatArray,
    blur,
    push_pull,
    signed_distance,
    smoothstep,
    spline,
)
from avatar_service.portrait.topology import (
    LIP_INNER_LOWER,
    LIP_INNER_UPPER,
    LIP_OUTER_LOWER,
    LIP_OUTER_UPPER,
)

UPPER_LIP_CLOSES: Final = 0.35
"""Share of an open mouth's gap by which the upper lip lies above the closed line."""


def fill_mouth(foreground: FloatArray, fit: FaceFit) -> None:
    """Paint lip colour over an open mouth in the skin texture.

    Args:
        foreground: (2S, 2S, 3) float32 0..255, changed in place; untouched for closed mouths.
        fit: the fitted face.
    """
    if not fit.is_mouth_open:
        return
    unit = 2.0 * fit.head.unit_px
    patch, inside, origin = ring_patch(foreground, fit, 0.12)
    upper, lower = lip_tones(foreground, fit.landmarks)
    share = _share_of_lower(fit, patch.shape[:2], origin)[..., None]
    lip = upper + share * (lower - upper)  # (h, w, 3)

    # A rim of teeth or darkness outside the inner line (its landmarks err by a px or two).
    rl, luma = redness(lip), lip.mean(-1)
    pale = np.clip((0.72 * rl - redness(patch)) / (0.25 * np.abs(rl) + 0.02), 0, 1)
    dark = smoothstep(-patch.mean(-1) / luma, -0.62, -0.42)
    rim = np.maximum(pale, dark) * smoothstep(inside, -0.020 * unit, -0.008 * unit)
    rim = cv2.dilate(np.asarray(rim, np.float32), np.ones((3, 3), np.uint8))
    cover = np.maximum(smoothstep(inside + 0.010 * unit, -1.0, 1.0), rim)
    cover = blur(np.asarray(cover, np.float32), 1.0)
    known = (cover < 0.05) & (inside < -0.01 * unit) & (inside > -0.06 * unit)
    outline = list(LIP_OUTER_UPPER + LIP_OUTER_LOWER[-2:0:-1])
    loop = spline(fit.landmarks[outline, :2] * 2 + 0.5, per_segment=4, closed=True)
    known &= signed_distance(loop, patch.shape[:2], origin) > 0
    filled = push_pull(patch, known)
    # Thin lips would let skin run in: what is filled is lip, in the light of its surroundings.
    level = np.clip(filled.mean(-1) / luma, 0.75, 1.15)[..., None]
    filled = filled + 0.65 * smoothstep(inside, -0.03 * unit, 0.0)[..., None] * (
        lip * level - filled
    )
    # Lips turn inwards to where they meet, and darken.
    shade = 1 - 0.22 * smoothstep(inside, -0.02 * unit, 0.012 * unit)
    patch[:] = patch * (1 - cover[..., None]) + filled * (shade * cover)[..., None]


def _share_of_lower(fit: FaceFit, shape: tuple[int, ...], origin: tuple[int, int]) -> FloatArray:
    """Return (h, w), 0 above the line where the lips would meet, 1 below it."""
    upper, lower = (
        fit.landmarks[list(row), :2] * 2 + 0.5 - origin
        for row in (LIP_INNER_UPPER, LIP_INNER_LOWER)
    )
    middle = upper + UPPER_LIP_CLOSES * (lower - upper)
    columns, rows = np.arange(shape[1]), np.arange(shape[0])[:, None]
    order = np.argsort(middle[:, 0])
    line = np.interp(columns, middle[order, 0], middle[order, 1])
    soft = 0.02 * 2 * fit.head.unit_px
    return smoothstep(rows - line, -soft, soft)
