"""Where clothes begin: what stays with the shoulders when the head above it moves.

Head and torso are seeded where there is no doubt, and both grow over the picture until they meet,
at the strongest edge between them (watershed, Meyer 1992): hair ends at a collar as well as skin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.patch_tools import blur, sample
from avatar_service.portrait.pixels import AREA, LINEAR, NEAREST, distance_to, grow, resize, shrink
from avatar_service.signals import Float32Array

BoolArray = NDArray[np.bool_]

_SEARCH_PX: Final = 256
"""Clothes are found on a frame of this side."""
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
_COLLAR_ABOVE: Final = 0.6
"""Above the chin by this no collar begins, units."""
_NUM_COLOURS: Final = 300
_SMOOTH: Final = 0.02
"""Sigma by which the outline is evened, units."""
_STRAND: Final = 0.05
"""Hair and skin that are narrower than this (units) do not hang together with the head."""
_LINEN: Final = 0.10
"""Bright things that are narrower than this (units) are no linen."""
_SKIN_SPOTS: Final = (50, 280, 101, 330, 151, 4, 152)
_SKIN_SHADES: Final = (0.3, 1.25)
_SKIN_HUE: Final = (0.07, 4.0)
"""Skin may be so much darker or brighter than the face's, and off its hue by a share and by grey
levels."""
_EDGE_NEAR: Final = 0.05
"""The border lies within this of where it was found on the small one, units."""
_CLEAR_LEVELS, _CLEAR_SHARE = 20.0, 0.9
"""Grey levels by which both sides of the border differ on so much of its length at least: 1.00 on
eleven photos but for a painting of a child (.68) and Mona Lisa (.00)."""
_MISPLACED: Final = 0.08
"""Area that looks like linen and yet counts as head, units squared, from which the two were mixed
up: .00 to .06 on eleven photos, a collar has .1 and more."""
_MIN_BORDER: Final = 0.3
"""Length of the border, units, below which there is nothing to gain."""
_BESIDE_PX: Final = 5
_SHOULDER_SIDE: Final = 0.95
_ENOUGH: Final = 60
_SHADE: Final = 0.6
"""Pixels of bare neck that tell how much it is in shade; and the shade without them."""
_SHADED: Final = 0.7
"""Share of that shade that the rest of the neck lies in: what is bare lies right below the chin."""
_COLOUR_SIGMA: Final = 0.03
"""Colours are compared when smoothed by this, units."""


@dataclass(frozen=True, slots=True)
class Clothes:
    """What was told apart on the frame plus margins.

    Attributes:
        mask: (C, C) clothes, and what lies below where nothing moves with the head.
        head: (C, C) head, hair and neck; each pixel of the canvas belongs to one of the two.
        bare: (C, C) skin of the neck.
        skin: (3,) colour of the neck's skin: the face's, in shade nearly as the bare neck.
    """

    mask: BoolArray
    head: BoolArray
    bare: BoolArray
    skin: Float32Array


def find_clothes(fit: FaceFit, colors: Float32Array) -> Clothes | None:
    """Tell clothes from the head, or return None where there are none to be told.

    Args:
        fit: of the photo.
        colors: (2C, 2C, 3) float32, the person's own (texture.own_colors).
    """
    side = fit.canvas_alpha.shape[0]
    # Always at the same size: what is an edge depends on it.
    small = side * _SEARCH_PX // fit.size_px
    scale = side / small
    unit = fit.head.unit_px / scale
    picture = resize(fit.canvas2x, (small, small), AREA)
    alpha = resize(fit.canvas_alpha, (small, small), AREA)
    place = _places(fit, small)
    x = np.abs(place[..., 0])
    below = place[..., 1] - fit.head.to_head(fit.landmarks)[topology.CHIN, 1]
    sure = shrink(alpha > 0.9, 5)
    face = face_mask(fit, small)
    smooth = blur(picture.astype(np.float32), _COLOUR_SIGMA * unit)
    spots = (fit.landmarks[list(_SKIN_SPOTS), :2] + fit.margin_px) / scale
    skin = np.median(sample(smooth, spots), 0)
    depth, beside = _THROAT
    like_skin = _like_skin(smooth, skin)
    throat = sure & like_skin & (below > 0) & (below < depth) & (x < beside)
    width = 2 * max(1, round(_STRAND * unit / 2)) + 1
    bare = _hanging_together(like_skin & (alpha > 0.5) & ~face, face | throat, width)
    # Smoothed colours reach across edges.
    blurred = 2 * max(1, round(_COLOUR_SIGMA * unit)) + 1
    bare = shrink(bare | face, blurred) & ~face
    lower, away, upper = _SHOULDERS
    torso = sure & ((below > lower) | ((below > upper) & (x > away)))
    hair = sure & ~like_skin & (below < -_HAIR_ABOVE) & ~face
    body = (alpha > 0.5) & ~face & (below > -_HAIR_ABOVE)
    hanging = _hanging_hair(smooth, hair, body & ~torso & ~bare, width)

    seeds = np.zeros((small, small), np.int32)
    seeds[alpha < 0.1] = _ROOM
    seeds[torso & ~bare] = _TORSO
    seeds[throat | shrink(face, 5) | (sure & (below < -_HAIR_ABOVE))] = _HEAD
    seeds[sure & (bare | hanging)] = _HEAD
    if not (seeds == _TORSO).any():
        return None
    found = cv2.watershed(np.ascontiguousarray(picture), seeds)
    clothes = (found == _TORSO) & body
    # Between a white collar and a dark coat lies the strongest edge of all: what is brighter than
    # skin and unlike it is linen.
    is_bright = (smooth - skin).mean(-1) > _BRIGHTER
    linen = body & ~like_skin & ~hanging & is_bright & (below > -_COLLAR_ABOVE)
    # A rim of light on a neck is narrow.
    clothes |= _hanging_together(linen, clothes, 2 * max(1, round(_LINEN * unit / 2)) + 1)
    clothes &= ~hanging & ~bare
    clothes = _reached(clothes, clothes & torso)
    # What is cut off from the head lies between a collar and a coat.
    rest = (alpha > 0.5) & ~clothes
    clothes |= rest & ~_hanging_together(rest, face, width) & (below > -_COLLAR_ABOVE)
    clothes = blur(clothes.astype(np.float32), _SMOOTH * unit) > 0.5
    whole = (side, side)
    upper_most = below > -_HAIR_ABOVE
    head = _hanging_together((alpha > 0.5) & ~clothes, face, width) | face | ~upper_most
    clothes = resize(clothes.astype(np.float32), whole, LINEAR) > 0.5
    # The soft outline of the person belongs to what it surrounds.
    head = resize(head.astype(np.float32), whole, LINEAR) > 0.5
    mask = _to_the_edge(fit, colors, distance_to(clothes) < distance_to(head))
    of_head = resize((~mask).astype(np.uint8), (small, small), NEAREST) > 0
    if (linen & of_head).sum() > _MISPLACED * unit**2 or not _is_clear(fit, colors, mask):
        return None
    neck = smooth[bare & (below > 0)].mean(-1)
    shade = float(np.median(neck) / skin.mean()) if len(neck) > _ENOUGH else _SHADE
    return Clothes(
        mask=mask,
        head=~mask,
        bare=resize(bare.astype(np.float32), whole, LINEAR) > 0.5,
        skin=skin * (_SHADED * min(shade, 1.0) + 1 - _SHADED),
    )


def _to_the_edge(fit: FaceFit, colors: Float32Array, mask: BoolArray) -> BoolArray:
    """Return the mask with its border on the strongest edge nearby, at full size."""
    side = mask.shape[0]
    width = 2 * max(1, round(_EDGE_NEAR * fit.head.unit_px)) + 1
    on_person = fit.canvas_alpha > 0.5
    seeds = np.zeros((side, side), np.int32)
    seeds[shrink(on_person & ~mask, width)] = _HEAD
    seeds[shrink(on_person & mask, width)] = _TORSO
    # Beyond the outline there are the person's own colours, no room.
    picture = np.clip(resize(colors, (side, side), AREA) + 0.5, 0, 255).astype(np.uint8)
    found = cv2.watershed(picture, seeds)
    torso = distance_to(found == _TORSO) < distance_to(found == _HEAD)
    near = grow(on_person & mask, width) & grow(on_person & ~mask, width)
    return blur(np.where(near, torso, mask).astype(np.float32), 1.0) > 0.5


def _is_clear(fit: FaceFit, colors: Float32Array, mask: BoolArray) -> bool:
    """Whether clothes and head differ almost everywhere they meet and one moves without the other.

    Dark hair on a dark coat, or skin in the shade of a painting, are not cut apart where the edge
    may be anywhere.
    """
    side, unit = mask.shape[0], fit.head.unit_px
    picture = resize(colors, (side, side), AREA)
    person = fit.canvas_alpha > 0.9
    place = _places(fit, side)
    x, y = np.abs(place[..., 0]), place[..., 1]
    below = y - fit.head.to_head(fit.landmarks)[topology.CHIN, 1]
    _, away, upper = _SHOULDERS
    loose = (below < away) & ((below < upper) | (x < _SHOULDER_SIDE))
    border = mask & grow(person & ~mask, 3) & shrink(person, 2 * _BESIDE_PX - 1) & loose
    if border.sum() < _MIN_BORDER * unit:
        return False
    sides = []
    for part in (mask, ~mask):
        inside = (person & shrink(part, _BESIDE_PX)).astype(np.float32)
        cover = blur(inside, _COLOUR_SIGMA * unit)[border] + 1e-4
        sides.append(
            blur(picture * inside[..., None], _COLOUR_SIGMA * unit)[border] / cover[:, None]
        )
    apart = np.abs(sides[0] - sides[1]).max(-1)
    return bool((apart > _CLEAR_LEVELS).mean() >= _CLEAR_SHARE)


def face_mask(fit: FaceFit, side: int) -> BoolArray:
    """Return (side, side) the face's oval on the canvas, at another size."""
    outline = (fit.landmarks[list(topology.FACE_OVAL), :2] + fit.margin_px) * (
        side / len(fit.canvas_alpha)
    )
    face = np.zeros((side, side), np.uint8)
    cv2.fillPoly(face, [np.round(outline).astype(np.int32)], 1)
    return face > 0


def _like_skin(smooth: Float32Array, skin: Float32Array) -> BoolArray:
    """Tell what has the skin's hue, in light or in shade."""
    shade = smooth @ skin / float(skin @ skin)
    off = np.sqrt(((smooth - shade[..., None] * skin) ** 2).sum(-1))
    share, levels = _SKIN_HUE
    alike = off < share * shade * float(np.sqrt(skin @ skin)) + levels
    return np.asarray(alike & (shade > _SKIN_SHADES[0]) & (shade < _SKIN_SHADES[1]))


def _hanging_hair(
    smooth: Float32Array, hair: BoolArray, doubtful: BoolArray, width_px: int
) -> BoolArray:
    """Return which doubtful pixels are hair that hangs down from the head.

    Long hair and what it hangs on often have no edge between them: what hangs together with the
    hair above and has one of its colours (it has lights and shades) is hair.
    """
    like = np.zeros(doubtful.shape, bool)
    colours = smooth[hair]
    if not len(colours) or not doubtful.any():
        return like
    some = colours[:: max(1, len(colours) // _NUM_COLOURS)]
    away, _ = scipy.spatial.cKDTree(some).query(
        smooth[doubtful], p=np.inf, distance_upper_bound=_ALIKE
    )
    like[doubtful] = away < _ALIKE
    return _hanging_together(like, hair, width_px)


def _hanging_together(mask: BoolArray, start: BoolArray, width_px: int) -> BoolArray:
    """Return the parts of a mask that reach something else by more than thin lines."""
    wide = shrink(mask | start, width_px)
    return mask & grow(_reached(wide, start & wide), width_px)


def _reached(mask: BoolArray, start: BoolArray) -> BoolArray:
    """Return the parts of a mask that hang together with something else."""
    _, parts = cv2.connectedComponents((mask | start).astype(np.uint8))
    kept = np.unique(parts[start])
    return np.asarray(mask & np.isin(parts, kept[kept > 0]), bool)


def _places(fit: FaceFit, small: int) -> Float64Array:
    """Return (small, small, 3) head coordinates of the canvas, all at the depth of the eyes."""
    scale = fit.canvas_alpha.shape[0] / small
    at = (np.arange(small) + 0.5) * scale - 0.5 - fit.margin_px
    points = np.stack([*np.meshgrid(at, at), np.full((small, small), fit.head.center[2])], -1)
    return fit.head.to_head(points)
