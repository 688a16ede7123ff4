"""The room behind the person: what the photo shows, repaired where the person stood."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.patch_fill import fill_by_patches
from avatar_service.portrait.patch_tools import push_pull, smoothstep
from avatar_service.portrait.pixels import gaussian, grow
from avatar_service.signals import Float32Array, UInt8Array

BoolArray = NDArray[np.bool_]

_BAND_PARTS: Final = 9
"""The uncovered band is at most 1/9 of the frame's side."""
_SAFETY_PARTS: Final = 170
"""Pixels nearer to the person than 1/170 of the frame's side (3 px at 512) may hold hair."""
_OVERLAP_PX: Final = 2
"""The fill is made this far into the visible room as well, to learn by how much its tone is off."""
_MAX_TONE: Final = 40.0
_TELEA_RADIUS_PX: Final = 3
_TRANSITION_PARTS: Final = (128, 32)
"""From 1/128 to 1/32 of the frame's side (4 to 16 px at 512) patches take over from neighbours."""
_CONTINUED_PARTS: Final = 16
"""Neighbours alone are continued up to 1/16 of the frame's side (32 px at 512)."""
_DISAGREEMENT: Final = (20.0, 44.0)
"""Where patches differ from what borders on them by more than this (grey levels, smoothed), they
come from somewhere else in the room: neighbours are continued instead."""
_SCRAP_PARTS: Final = 17
"""Things narrower than 1/17 of the frame's side (30 px at 512) along the outline are scraps."""
_SCRAP_DEPTH_PARTS: Final = (256, 64)
"""They are continued for 1/256 of the frame's side and given up at 1/64 (2 to 8 px at 512)."""
_SCRAP_APART: Final = (14.0, 34.0)
"""Grey levels by which a scrap differs from what is common nearby."""
_KNOWN_SHARE: Final = 0.001
"""With less background than this there is nothing to repair from."""


def repair_background(image: UInt8Array, alpha: Float32Array) -> UInt8Array:
    """Return (S, S, 3) uint8: the frame without the person.

    Near the outline, where a moving head uncovers it, the room is continued: by its neighbours
    for the first few pixels, then by patches of itself; deeper inside it fades to a smooth fill.
    """
    size = image.shape[0]
    hidden = grow(alpha > 0.02, 2 * round(size / _SAFETY_PARTS) + 1)
    known = ~hidden
    if known.mean() < _KNOWN_SHARE:
        return image.copy()
    depth = cv2.distanceTransform(hidden.astype(np.uint8), cv2.DIST_L2, 3)
    band_px = size / _BAND_PARTS
    wider = grow(hidden, 2 * _OVERLAP_PX + 1)
    picture = image.astype(np.float32)
    filled = fill_by_patches(picture, ~wider, wider & (depth <= band_px))
    filled += _tone_error(picture - filled, wider & known)
    # A head at rest uncovers a few pixels only: there nothing but their own neighbours will do.
    begin, end = (size / parts for parts in _TRANSITION_PARTS)
    filled = np.where(known[..., None], picture, filled)
    # The band is filled from both its sides, so it is made twice as deep.
    band = hidden & (depth <= 2 * size / _CONTINUED_PARTS)
    near = _without_scraps(_continue_locally(filled, band), picture, known, depth)
    compared = hidden & (depth > begin / 2) & (depth < end)
    wrong = np.abs(gaussian(filled - near, begin)).max(-1, keepdims=True)
    trust = 1 - smoothstep(gaussian(push_pull(wrong, compared), begin), *_DISAGREEMENT)
    away = (smoothstep(depth, begin, end) * trust)[..., None]
    # Continued far, neighbours turn into streaks.
    blurred = smoothstep(depth, begin, 2 * end)[..., None]
    grain = _grain_like(image, known)
    near += blurred * (gaussian(near, begin) + grain - near)
    filled = near * (1 - away) + filled * away
    fade = np.clip((depth / band_px - 0.5) / 0.5, 0, 1)[..., None].astype(np.float32)
    soft = gaussian(push_pull(picture, known), size / 100)
    fill = filled * (1 - fade) + (soft + grain) * fade
    keep = (gaussian(known.astype(np.float32), 2) * known)[..., None]
    return np.asarray(np.clip(image * keep + fill * (1 - keep) + 0.5, 0, 255), np.uint8)


def _continue_locally(picture: Float32Array, band: BoolArray) -> Float32Array:
    """Continue lines and tones into a narrow band (Telea, J. Graphics Tools 9 (1), 2004)."""
    source = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    painted = cv2.inpaint(source, band.astype(np.uint8), _TELEA_RADIUS_PX, cv2.INPAINT_TELEA)
    return np.asarray(painted, np.float32)


def _without_scraps(
    near: Float32Array, picture: Float32Array, known: BoolArray, depth: NDArray[np.floating]
) -> Float32Array:
    """Give up what is continued further than it is wide along the person's outline.

    A star of a flag that the outline cuts would go on as a streak of white. What most of the
    outline nearby shows is a median over a window; narrow things have no majority in it.
    """
    size = near.shape[0]
    window = 2 * round(size / _SCRAP_PARTS) + 1
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((labels.max() + 1, 3), np.uint8)
    colours[labels[known]] = picture[known]
    common = cv2.medianBlur(colours[labels], window).astype(np.float32)
    begin, end = (size / parts for parts in _SCRAP_DEPTH_PARTS)
    apart = np.abs(gaussian(near - common, 1.5)).max(-1)
    share = smoothstep(depth, begin, end) * smoothstep(gaussian(apart, 2.0), *_SCRAP_APART)
    return np.asarray(near + (share * ~known)[..., None] * (common - near), np.float32)


def _tone_error(error: Float32Array, overlap: BoolArray) -> Float32Array:
    """Spread the fill's error where it is known smoothly over where it is not."""
    bounded = np.clip(error, -_MAX_TONE, _MAX_TONE)
    # Misplaced edges are no matter of tone.
    similar = np.abs(error).max(-1) < _MAX_TONE
    spread = push_pull(bounded, (overlap & similar).astype(np.float32))
    return gaussian(spread, 2 * _OVERLAP_PX)


def _grain_like(image: UInt8Array, known: BoolArray) -> Float32Array:
    """Return (S, S, 1) noise as strong as the photo's own where it is known."""
    fine = image.astype(np.float32) - gaussian(image, 2).astype(np.float32)
    # 1.48 * median: the noise's deviation, blind to the picture's own edges.
    strength = min(1.48 * float(np.median(np.abs(fine[known]))), 6.0)
    rng = np.random.default_rng(0)  # fixed: a portrait is reproducible
    return rng.normal(0, strength, (*known.shape, 1)).astype(np.float32)
