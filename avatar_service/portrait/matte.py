"""Person against background: segmentation, sharpened along the photo's own edges."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.landmark_nets import Float64Array, segment_person
from avatar_service.portrait.patch_tools import blur, push_pull, smoothstep
from avatar_service.portrait.pixels import AREA, LINEAR, disc, grow, resize, shrink
from avatar_service.signals import Float32Array, UInt8Array

_GUIDE_RADIUS_PX: Final = 6
_GUIDE_EPSILON: Final = 1e-4
_HEAD_SCALE: Final = 2.0
"""The enlarged view of the head is this many times the face's larger side."""
_HEAD_RAISE: Final = 0.12
_FADE: Final = 0.12

_STRAND_PARTS: Final = 34
"""Forgotten parts are sought within 1/34 of the picture's side beside the person (18 px)."""
_UNLIKE: Final = (12.0, 30.0)
_ROUGH: Final = (9.0, 16.0)
"""Grey levels: difference from the room, beyond twice its variation, that makes a part of the
person, and the variation of a room that is too busy to tell."""

_EDGE_PX: Final = 3
_FULL: Final = 72.0
"""Edges are this wide; a part that differs this much is no mixture."""


def person_alpha(image: UInt8Array, landmarks: Float64Array) -> Float32Array:
    """Return the coverage of the person, (height, width) float32, 0..1.

    Args:
        image: (height, width, 3) uint8.
        landmarks: (468, 3) of the face, px of the image.
    """
    probability = _segment(image, landmarks)
    coarse = np.clip((probability - 0.25) / 0.5, 0, 1).astype(np.float32)
    fine = guided_filter(image, coarse, _GUIDE_RADIUS_PX, _GUIDE_EPSILON)
    fine = np.clip((fine - 0.08) / 0.84, 0, 1)
    # The filter may raise islands in alike colours far from the outline: trust it near it only.
    solid = coarse > 0.5
    fine[shrink(solid, 25)] = 1
    fine[~grow(solid, 25)] = 0
    return _only_this_person(include_strands(image, fine), landmarks)


def include_strands(image: UInt8Array, alpha: Float32Array) -> Float32Array:
    """Add thin parts that the segmentation forgot: collars, strands of hair, rims of hats.

    Before a plain room whatever borders on the person and differs from the room belongs to the
    person; left in the room it would stay behind when the person moves.
    """
    reach = round(max(image.shape[:2]) / _STRAND_PARTS)
    solid = alpha > 0.5
    far = ~grow(alpha > 0.02, 2 * reach + 1)
    if far.mean() < 0.02:
        return alpha
    picture = image.astype(np.float32)
    room = blur(push_pull(picture, far), 2.0)
    # How much the room varies around here, by colour channel; edges in it count.
    seen = far.astype(np.float32)[..., None]
    spread = 1.5 * reach
    weight = blur(seen, spread)[..., None] + 1e-3
    mean = blur(picture * seen, spread) / weight
    variance = blur((picture - mean) ** 2 * seen, spread) / weight
    rough = np.sqrt(variance.max(-1))
    difference = np.abs(blur(picture, 0.7) - room).max(-1)
    unlike = smoothstep(difference - 2 * rough, *_UNLIKE)
    unlike *= (1 - smoothstep(rough, *_ROUGH)) * smoothstep(weight[..., 0], 0.0015, 0.004)
    near = grow(solid, 2 * reach + 1)
    _, parts = cv2.connectedComponents(((unlike > 0.5) & near | solid).astype(np.uint8))
    joined = np.isin(parts, np.unique(parts[solid])) & (parts > 0)
    # At its edge a part is mixed with the room: cover in proportion to the full difference.
    full = blur(cv2.dilate(difference, disc(2 * _EDGE_PX + 1)), 1.0)
    share = np.clip((difference / np.clip(full, 1.0, _FULL) - 0.3) / 0.45, 0, 1)
    by_the_room = grow((unlike < 0.3) & ~solid, 2 * _EDGE_PX + 1)
    share = np.where(by_the_room, share, 1)
    extra = unlike * share * near * grow(joined, 3)
    return np.asarray(np.maximum(alpha, extra), np.float32)


def _segment(image: UInt8Array, landmarks: Float64Array) -> Float32Array:
    """Segment the whole picture, and the head once more enlarged: ears and hair need detail."""
    probability = _segment_both_ways(image)
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    half = _HEAD_SCALE / 2 * float((high - low).max())
    center = (low + high) / 2 - [0, _HEAD_RAISE * half]
    height, width = probability.shape
    left, top = np.maximum(np.round(center - half), 0).astype(int)
    right, bottom = np.minimum(np.round(center + half), [width, height]).astype(int)
    if min(right - left, bottom - top) < 32:
        return probability
    box = (slice(top, bottom), slice(left, right))
    closer = _segment_both_ways(np.ascontiguousarray(image[box]))
    # Fade from the closer view to the whole one towards the box's sides.
    ramps = [
        np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / (_FADE * n), 0, 1)
        for n in closer.shape
    ]
    weight = np.outer(*ramps).astype(np.float32)
    probability[box] += weight * (closer - probability[box])
    return probability


def _segment_both_ways(image: UInt8Array) -> Float32Array:
    """Average the segmentation of the picture and of its mirror image."""
    mirrored = segment_person(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
    return np.asarray((segment_person(image) + mirrored) / 2, np.float32)


def _only_this_person(alpha: Float32Array, landmarks: Float64Array) -> Float32Array:
    """Drop what does not hang together with the face: other people, reflections."""
    _, parts = cv2.connectedComponents((alpha > 0.1).astype(np.uint8))
    columns, rows = (
        np.clip(np.round(landmarks[:, :2]), 0, np.array(alpha.shape[::-1]) - 1).astype(int).T
    )
    counts = np.bincount(parts[rows, columns])
    counts[0] = 0
    if counts.max(initial=0) == 0:
        return alpha
    kept = grow(np.asarray(parts == counts.argmax()), 5)
    return np.asarray(alpha * kept, np.float32)


def guided_filter(
    guide: UInt8Array, mask: Float32Array, radius_px: int, epsilon: float
) -> Float32Array:
    """Filter a mask so that its edges follow those of a colour guide.

    He, Sun, Tang: Guided Image Filtering (TPAMI 2013), eq. 14-16, with the coefficients at half
    resolution as in Fast Guided Filter (arXiv 1505.00996).

    Args:
        guide: (height, width, 3) uint8.
        mask: (height, width) float32, 0..1.
        radius_px: of the window.
        epsilon: regularisation against the guide's variance, in (0..1) units squared.
    """
    height, width = mask.shape
    half = (width // 2, height // 2)
    small = resize(guide, half, AREA).astype(np.float32) / np.float32(255)
    target = resize(mask, half, AREA)
    box = (radius_px + 1, radius_px + 1)

    def mean(values: NDArray[np.floating]) -> Float32Array:
        return np.asarray(cv2.blur(values, box), np.float32)

    red, green, blue = (np.ascontiguousarray(small[..., i]) for i in range(3))
    means = mean(small)
    mean_target = mean(target)
    covariance = mean(small * target[..., None]) - means * mean_target[..., None]  # (h, w, 3)
    rr = mean(red * red) - means[..., 0] ** 2 + epsilon
    rg = mean(red * green) - means[..., 0] * means[..., 1]
    rb = mean(red * blue) - means[..., 0] * means[..., 2]
    gg = mean(green * green) - means[..., 1] ** 2 + epsilon
    gb = mean(green * blue) - means[..., 1] * means[..., 2]
    bb = mean(blue * blue) - means[..., 2] ** 2 + epsilon
    # Inverse of the symmetric 3 x 3 covariance of the guide, by cofactors.
    c00, c01, c02 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c11, c12, c22 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * c00 + rg * c01 + rb * c02
    x, y, z = covariance[..., 0], covariance[..., 1], covariance[..., 2]
    slope = np.stack(
        [c00 * x + c01 * y + c02 * z, c01 * x + c11 * y + c12 * z, c02 * x + c12 * y + c22 * z], -1
    )
    slope /= determinant[..., None]
    offset = mean_target - (slope * means).sum(-1)
    full_slope = resize(mean(slope), (width, height), LINEAR)
    full_offset = resize(mean(offset), (width, height), LINEAR)
    filtered = (full_slope * (guide.astype(np.float32) / 255)).sum(-1) + full_offset
    return np.asarray(np.clip(filtered, 0, 1), np.float32)
