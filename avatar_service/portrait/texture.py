"""The person's texture: colours freed of the background, premultiplied with the matte."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.portrait.eyes import fill_eyes
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.folds import soften_folds
from avatar_service.portrait.lip_fill import fill_mouth
from avatar_service.portrait.patch_tools import push_pull
from avatar_service.portrait.pixels import AREA, LINEAR, reflect, resize, shrink, twice
from avatar_service.portrait.symmetry import complete_far_side
from avatar_service.signals import Float32Array, UInt8Array

_INSIDE: Final = 0.97
"""Coverage from which a pixel counts as the person's own colour."""


def build_texture(fit: FaceFit, colors: Float32Array, alpha: Float32Array) -> UInt8Array:
    """Return the texture, (2C, 2C, 4) uint8 premultiplied RGBA, C = frame plus margins.

    A point p of the frame lies at 2 * (p + margin_px) + 0.5. The eye openings hold lid colour and
    a parted mouth lip colour: the overlays draw eyes and teeth, no residue of the photo's shows.

    Args:
        fit: of the photo.
        colors: (2C, 2C, 3) float32, of own_colors; changed.
        alpha: (C, C) coverage.
    """
    inside = slice(2 * fit.margin_px, 2 * (fit.margin_px + fit.size_px))
    face = colors[inside, inside]
    complete_far_side(face, fit)
    soften_folds(face, fit)
    fill_eyes(face, fit)
    fill_mouth(face, fit)
    return premultiplied(colors, twice(alpha))


def premultiplied(colors: Float32Array, alpha: Float32Array) -> UInt8Array:
    """Return (H, W, 4) premultiplied RGBA of colours (H, W, 3), 0..255, and coverage (H, W)."""
    texture = np.empty((*alpha.shape, 4), np.uint8)
    alpha_bytes = np.clip(alpha * 255 + 0.5, 0, 255).astype(np.uint8)
    covered = alpha_bytes.astype(np.float32)[..., None] / 255
    texture[..., :3] = np.clip(colors * covered + 0.5, 0, 255)
    texture[..., 3] = alpha_bytes
    return texture


def own_colors(fit: FaceFit, background: UInt8Array) -> Float32Array:
    """Return (2C, 2C, 3) float32: the photo with the person's own colours at the outline.

    A mixed pixel is alpha * F + (1 - alpha) * B: solved for F where alpha is large, replaced by
    colours pushed out from the inside where it is small.

    Args:
        fit: of the photo.
        background: (S, S, 3) uint8, the repaired background of the frame.
    """
    alpha = twice(fit.canvas_alpha)
    colors = fit.canvas2x.astype(np.float32)
    rows, columns = np.nonzero((alpha > 0.003) & (alpha < 0.995))
    if not len(rows):
        return colors
    size, margin, side = fit.size_px, fit.margin_px, fit.canvas2x.shape[0]
    plate = reflect(background, margin, margin, margin, margin)
    canvas = resize(fit.canvas2x, (size + 2 * margin, size + 2 * margin), AREA)
    solid = shrink(fit.canvas_alpha > _INSIDE, 3)
    pushed = push_pull(canvas.astype(np.float32), solid)
    behind = resize(plate, (side, side), LINEAR)[rows, columns]
    outward = resize(pushed, (side, side), LINEAR)[rows, columns]
    coverage = alpha[rows, columns, None]
    mixed = colors[rows, columns]
    solved = (mixed - (1 - coverage) * behind.astype(np.float32)) / np.maximum(coverage, 0.15)
    solved = np.clip(solved, 0, 255)
    trust = np.clip((coverage - 0.35) / 0.6, 0, 1)
    colors[rows, columns] = solved * (0.5 + 0.5 * trust) + outward * (0.5 - 0.5 * trust)
    return colors
