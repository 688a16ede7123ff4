"""The neck in two layers: one goes with the jaw, and one stays with the collar behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.clothes import Clothes, face_mask
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.hidden_torso import disc_px, scale_of
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.patch_tools import blur, push_pull, smoothstep
from avatar_service.portrait.pixels import disc, distance_to, grow, shrink
from avatar_service.signals import Float32Array

BoolArray = NDArray[np.bool_]

_EDGE_SIGMA: Final = 0.8
_BESIDE_PX: Final = 9
"""Softness of the neck's sides, and how far beyond them its colour goes on, px at 512."""
_COLLAR_EDGE_PX: Final = (1.5, 3.5)
"""The collar's own edge is continued so far before the neck begins behind it, px at 512."""
_NECK_SIDE: Final = (0.52, 0.56)
_SIDE_SOFT: Final = 0.04
"""Half of a neck's width (units) to either side of its turning point: 47 mm, up to 50 where it is
so wide beside the jaw; and the softness of its sides. A wider one stands out of a head that
turns a little."""
_NECK_TOP: Final = (-0.05, 0.10)
"""Below that point by this (units) a moving jaw begins to uncover it."""
_BEARD_SIDES: Final = 0.40
"""So far from the turning point (units) what lies below the jaw is beard or neck, never hair."""
_NECK_SKIN: Final = 0.04
"""The neck goes on so far (units) beyond jaw and bare skin."""
_NECK_SHADE: Final = 0.08
"""Within the sides of a beard it goes on so far, as skin in deep shade is not like skin."""
_HANGS, _AT_COLLAR = 0.15, 0.06
"""What lies so near to its skin and to the collar hangs around the neck."""
_DIAGONAL: Final = 0.7
"""Of the way straight down to a collar that runs slantwise is the way to it."""
_LONG_ENOUGH: Final = (0.05, 0.14)
"""Where jaw and collar are nearer to each other than this (units) there is no neck between them
that could end softly: the jaw has its own edge."""
_LONG: Final = (0.40, 0.60)
_BELOW_CHIN, _NEAREST = 0.2, 25
"""Below the chin by this (units) the collar begins where a neck is long: so far to either side of
the chin, and by this percentile, as a knot or a chain may be taken for skin."""
_ENDS: Final = (0.10, 0.62)
"""On its way from the collar (0) to the jaw (1) the neck that goes with the jaw comes in from here
to there, over the neck that stays with the collar."""
_STAYS: Final = (0.35, 0.75)
"""Where that much of it shows through, the neck that stays is what the photo shows; nearer to the
jaw it is not in the jaw's shadow."""
_TELLING: Final = 0.85
"""Where the neck's end shows through by the rest, its colours count."""
_TONE: Final = 0.05
"""Its tone goes on from there, smoothed by this sigma, units."""
_NEAR: Final = 0.12
"""That far from it, units, the neck has its mean tone."""
_LIT: Final = 85
"""Percentile of its brightness that counts: creases and the chin's own shadow go with the jaw."""
_TELLS: Final = 0.09
"""A square of this side (units) tells as much as what is expected (Clothes.skin)."""
_SIDE_SHADE, _JAW_SHADE, _COLLAR_SHADE = 0.35, 0.25, 0.15
_SIDE_REACH, _JAW_REACH, _COLLAR_REACH = 0.10, 0.32, 0.025
"""It grows darker by such shares towards its sides, up towards the jaw and down in the collar,
within so many units."""
_ENOUGH: Final = 40
"""Pixels that tell the neck's tone."""


@dataclass(frozen=True, slots=True)
class Neck:
    """The neck in two layers: one goes with the jaw, one stays with the collar.

    Attributes:
        front: (C, C) how much of what goes with the jaw is seen over what stays; 1 off the neck.
        coverage: (C, C) of what stays, behind jaw and front.
        color: (C, C, 3) its colour.
        painted: (C, C) 1 where that colour is not what the photo shows.
        seen: (C, C) how much of it is seen, as the collar's own edge comes first.
    """

    front: Float32Array
    coverage: Float32Array
    color: Float32Array
    painted: Float32Array
    seen: Float32Array


def split_neck(fit: FaceFit, clothes: Clothes, own: Float32Array) -> Neck:
    """Work out the neck that a raised or turned jaw uncovers.

    A raised chin shows more of the neck and hardly stretches it. So the neck below the jaw moves
    with it, and ends softly over a neck that stays at the collar: the same skin at rest.

    Args:
        fit: of the photo.
        clothes: that were found.
        own: (C, C, 3) the person's colours.
    """
    unit, side, scale = fit.head.unit_px, clothes.mask.shape[0], scale_of(fit)
    away = distance_to(clothes.mask)
    face = face_mask(fit, side)
    x = (np.arange(side) - fit.margin_px - fit.head.pivot[0])[None] / unit
    y = (np.arange(side) - fit.margin_px - fit.head.pivot[1])[:, None] / unit
    throat = _throat(clothes.bare & (y > 0), abs(x))
    front = 1 - shows_more(fit, clothes) * _ends(clothes, face, throat, abs(x), unit)
    stays = smoothstep(1 - front, *_STAYS)

    jaw_side = 2 * round(_NECK_SKIN * unit) + 1
    beard = clothes.head & (abs(x) < _BEARD_SIDES)
    skin = grow(face | beard | grow(clothes.bare, jaw_side), jaw_side)
    shown = (stays > 0.5).any(0)
    left, right = (np.clip(np.max(way * x[:, shown], initial=0), *_NECK_SIDE) for way in (-1, 1))
    aside = np.where(x < 0, -x / left, x / right)
    column = (1 - smoothstep(aside, 1, 1 + _SIDE_SOFT / _NECK_SIDE[0])) * smoothstep(y, *_NECK_TOP)
    # Behind hair there is the room beside the neck.
    coverage = np.asarray(column * blur(skin.astype(np.float32), _EDGE_SIGMA * scale), np.float32)

    color = _neck_color(clothes, own, throat, front, aside, away / unit, unit)
    wider = cv2.dilate(np.maximum(coverage, stays), disc(disc_px(_BESIDE_PX, fit)))
    seen = blur(wider * smoothstep(away / scale, *_COLLAR_EDGE_PX), scale)
    return Neck(front, coverage, color, 1 - stays, np.asarray(seen, np.float32))


def shows_more(fit: FaceFit, clothes: Clothes) -> float:
    """Return how far a rising chin shows more of the neck, 1, or stretches what is seen of it, 0.

    A long neck is stretched little, and its outline stays whole.
    """
    unit = fit.head.unit_px
    x, y = np.round(fit.landmarks[topology.CHIN, :2] + fit.margin_px).astype(int)
    reach = round(_BELOW_CHIN * unit)
    below = _above(clothes.mask)[y, max(x - reach, 0) : x + reach + 1]
    length = np.percentile(below, _NEAREST, keepdims=True) / unit
    return 1 - float(smoothstep(length, *_LONG)[0])


def _ends(
    clothes: Clothes,
    face: BoolArray,
    throat: BoolArray,
    x: Float64Array,
    unit: float,
) -> Float32Array:
    """Return (C, C) how much of the neck that goes with the jaw has ended towards the collar.

    Args:
        clothes: that were found.
        face: (C, C) the face's oval.
        throat: (C, C) bare skin of the neck.
        x: (1, C) beside the turning point, units.
        unit: px.
    """
    # A neck ends at what is below it; what is beside it may be far behind.
    from_collar = _DIAGONAL * _above(clothes.mask) / unit
    from_jaw = distance_to(face) / unit
    length = from_collar + from_jaw
    near, wide, at_collar = (
        grow(throat, 2 * round(reach * unit) + 1) for reach in (_NECK_SKIN, _NECK_SHADE, _HANGS)
    )
    neck = near | (wide & (x < _BEARD_SIDES)) | (at_collar & (from_collar < _AT_COLLAR))
    # Its end is no border of the neck's own: the soft edge of the head comes there.
    neck &= ~face
    is_neck = blur(neck.astype(np.float32), 0.25 * _NECK_SKIN * unit)
    ends = 1 - smoothstep(from_collar / np.maximum(length, 1e-3), *_ENDS)
    return np.asarray(is_neck * smoothstep(length, *_LONG_ENOUGH) * ends * ~face, np.float32)


def _above(mask: BoolArray) -> Float32Array:
    """Return (C, C) how far below each pixel the mask begins, px; far if never."""
    rows = np.arange(len(mask), dtype=np.float32)[:, None]
    first = np.where(mask, rows, 2 * len(mask))
    return np.asarray(np.minimum.accumulate(first[::-1])[::-1] - rows, np.float32)


def _throat(skin: BoolArray, x: Float64Array) -> BoolArray:
    """Return the parts of the skin that are seen below the jaw; x is beside its middle, units."""
    _, parts = cv2.connectedComponents(skin.astype(np.uint8))
    kept = np.unique(parts[skin & (x < _BEARD_SIDES)])
    return np.asarray(skin & np.isin(parts, kept), bool)


def _neck_color(
    clothes: Clothes,
    own: Float32Array,
    throat: BoolArray,
    front: Float32Array,
    aside: Float64Array,
    from_collar: Float32Array,
    unit: float,
) -> Float32Array:
    """Return (C, C, 3) the photo's neck where it stays, and what it goes over into behind the jaw.

    Args:
        clothes: that were found.
        own: (C, C, 3) the person's colours.
        throat: (C, C) bare skin of the neck.
        front: (C, C) of Neck.
        aside: (1, C) from the middle of the neck, 1 at its sides.
        from_collar: (C, C) units.
        unit: px.
    """
    known = shrink(throat, 3)
    if (known & (front < _TELLING)).sum() >= _ENOUGH:
        known &= front < _TELLING
    if known.sum() < _ENOUGH:
        tone = np.broadcast_to(clothes.skin, own.shape).astype(np.float32)
    else:
        cover = blur(known.astype(np.float32), _TONE * unit)
        smooth = blur(own * known[..., None], _TONE * unit) / np.maximum(cover, 1e-3)[..., None]
        tone = push_pull(smooth, cover > 0.05)
        seen = own[known].mean(0)
        seen *= np.percentile(own[known].mean(-1), _LIT) / max(float(seen.mean()), 1.0)
        # What is seen of a neck may be its deepest crease alone.
        trust = known.sum() / (known.sum() + (_TELLS * unit) ** 2)
        mean = seen**trust * clothes.skin ** (1 - trust)
        tone = mean + (tone - mean) * np.exp(-distance_to(known) / (_NEAR * unit))[..., None]
    stays = smoothstep(1 - front, *_STAYS)
    beyond = distance_to(stays > 0.5) / unit
    shade = 1 - _JAW_SHADE * smoothstep(beyond, 0, _JAW_REACH)
    shade *= 1 - _SIDE_SHADE * np.clip(aside, 0, 1) ** 2 * smoothstep(beyond, 0, _SIDE_REACH)
    shade *= 1 - _COLLAR_SHADE * np.exp(-from_collar / _COLLAR_REACH)
    painted = tone * shade[..., None]
    return np.asarray(painted + stays[..., None] * (own - painted), np.float32)
