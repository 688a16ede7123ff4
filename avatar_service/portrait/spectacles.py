"""Spectacles: found in the photo, cut out of the skin, and kept to be drawn rigidly over it.

Left in the skin's texture, frames bend with the brows and are painted over by the lids. Where they
sit is found by spectacles_search.py; only rims and bridge together count as spectacles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.camera import camera_from_frame
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import (
    FloatArray,
    blur,
    no_paler,
    patch_bounds,
    push_pull,
    signed_distance,
    smoothstep,
)
from avatar_service.portrait.pixels import LINEAR, disc, resize, shrink
from avatar_service.portrait.skin_grain import quilt_skin
from avatar_service.portrait.spectacles_search import (
    BRIDGE_LANDMARK,
    MIN_BRIDGE_CONTRAST,
    MIN_RIM_CONTRAST,
    SpectaclesSearch,
    find_paths,
)
from avatar_service.portrait.topology import (
    FACE_OVAL,
    LID_LOWER,
    LID_UPPER,
    mirrored,
)

AnyArray = NDArray[Any]

_BAND: Final = 0.026
_THICK_BAND: Final = 0.042
_GROWTH: Final = 1.5
"""Half width (outer-eye distances) of the band around the paths that belongs to the frame where it
differs from the skin, for wire and for thick frames; connected differences may grow beyond it by
the factor (hinges)."""
_DIFFERENCE: Final = (9.0, 26.0)
"""Grey levels from which and by which a pixel surely is no skin."""

_HINGE_GAP: Final = 0.03
_HINGES: Final = (0.54, 0.72)
"""Rims are drawn flat this far beyond their end, within this range from the middle, units."""

_LINE_REACH: Final = 0.22
_LINE_THICKNESS: Final = 0.030
_LINE_LENGTH: Final = 0.06
_LINE_CONTRAST: Final = 22.0
"""Lines as thin and as long as this (units) that are joined to the frame belong to it, by their
contrast in grey levels."""


@dataclass(frozen=True, slots=True)
class SpectaclesAssets:
    """A rigid picture of the frames.

    Attributes:
        texture: (h, w, 4) premultiplied 0..255, the frames; (1, 1, 4) zeros where none are worn.
        origin: (2,) its first texel, 2x px.
        anchor: (3,) the bridge, camera space.
        axes: (3, 3) columns are the head's axes in frame coordinates.
        unit: (1,) outer-eye distance, frame px.
        hinge: (1,) how far from the middle the rims end and the temples run back, units.
    """

    texture: FloatArray
    origin: FloatArray
    anchor: FloatArray
    axes: FloatArray
    unit: FloatArray
    hinge: FloatArray

    @property
    def are_worn(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.texture.shape[0] > 1)

    def to_arrays(self) -> dict[str, AnyArray]:
        """Return the fields by name, for storage and for render.spectacles.SpectaclesDrawer."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> SpectaclesAssets:
        """Rebuild from what to_arrays returned."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _person(fit: FaceFit) -> NDArray[np.bool_]:
    """Return where the photo at 2x surely shows the person, well inside the outline."""
    margin, side = fit.margin_px, fit.size_px
    alpha = fit.canvas_alpha[margin : margin + side, margin : margin + side]
    inner = shrink(alpha > 0.97, 2 * round(0.03 * fit.head.unit_px) + 1)
    return np.asarray(resize(inner.astype(np.uint8), (2 * side, 2 * side), LINEAR) > 0)


def _distance_to_paths(
    paths: list[FloatArray], shape: tuple[int, int], origin: FloatArray
) -> FloatArray:
    drawn = np.full(shape, 255, np.uint8)
    for path in paths:
        cv2.polylines(drawn, [np.round(path - origin).astype(np.int32)], False, 0, 1)
    return np.asarray(cv2.distanceTransform(drawn, cv2.DIST_L2, 5), np.float32)


def _lines_joined_to(
    cover: FloatArray, luma: FloatArray, allowed: FloatArray, unit: float
) -> FloatArray:
    """Return the thin bright or dark lines that go on from the cover: rims a path missed."""
    side = 2 * round(0.5 * _LINE_THICKNESS * unit) + 1
    smooth = blur(luma, 0.8)
    bright = cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, disc(side))
    dark = cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, disc(side))
    contrast = np.maximum(bright, dark) * allowed
    candidates = (contrast > _LINE_CONTRAST).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    joined = np.unique(labels[(cover > 0.5) & (labels > 0)])
    extent = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    long = np.flatnonzero(extent > _LINE_LENGTH * unit)
    kept = np.isin(labels, np.intersect1d(joined, long)) & (labels > 0)
    soft = smoothstep(contrast, 0.5 * _LINE_CONTRAST, _LINE_CONTRAST)
    return np.asarray(soft * cv2.dilate(kept.astype(np.uint8), np.ones((5, 5), np.uint8)))


def take_off_spectacles(fit: FaceFit) -> tuple[FaceFit, SpectaclesAssets]:
    """Find spectacles and take them off.

    Returns:
        The fit with the frames removed from image2x and canvas2x (the same fit where none are
        worn), and the frames.
    """
    search = SpectaclesSearch(fit)
    paths, rim_contrast, bridge_contrast = find_paths(search)
    anchor = camera_from_frame(fit.landmarks[BRIDGE_LANDMARK], fit.head, fit.size_px)
    bridge = anchor.astype(np.float32)
    axes = fit.head.rotation.astype(np.float32)
    units = np.array([fit.head.unit_px], np.float32)
    if rim_contrast < MIN_RIM_CONTRAST or bridge_contrast < MIN_BRIDGE_CONTRAST:
        blank, origin = np.zeros((1, 1, 4), np.float32), np.zeros(2, np.float32)
        return fit, SpectaclesAssets(blank, origin, bridge, axes, units, np.zeros(1, np.float32))
    unit = search.unit
    x0, y0, x1, y1 = patch_bounds(np.concatenate(paths), 0.2 * unit, fit.image2x.shape)
    origin = np.array([x0, y0], np.float32)
    image = fit.image2x[y0:y1, x0:x1].astype(np.float32)
    shape = image.shape[:2]
    away = _distance_to_paths(paths, shape, origin) / unit
    oval = search.points[list(FACE_OVAL)]
    inside = signed_distance(oval, shape, (x0, y0))
    allowed = smoothstep(inside, -0.01 * unit, 0.02 * unit)
    person = _person(fit)[y0:y1, x0:x1]
    # On a turned face the far rim lies on the outline or beyond it: left there, it would go with
    # the temple while the rest of the rim goes with the nose.
    by_rim = 1 - smoothstep(_distance_to_paths(paths[:2], shape, origin) / unit, _BAND, 1.6 * _BAND)
    allowed = np.maximum(allowed, by_rim * smoothstep(inside, -0.16 * unit, -0.12 * unit))
    eyes = np.full(shape, -np.inf, np.float32)
    for side in (tuple, mirrored):
        ring = search.points[list(side(LID_LOWER)) + list(side(LID_UPPER))[-2:0:-1]]
        eyes = np.maximum(eyes, signed_distance(ring, shape, (x0, y0)))
    allowed = allowed * (1 - smoothstep(eyes, -0.05 * unit, -0.03 * unit))
    # Hairs are no frame, but for those that a rim lies on.
    on_rim = 1 - smoothstep(away, _BAND, 1.5 * _BAND)
    for brow in search.brows:
        hairs = smoothstep(signed_distance(brow, shape, (x0, y0)), -2.0, 0.0)
        allowed = allowed * (1 - hairs * (1 - on_rim))

    # Where the photo differs from bare skin, found in two rounds: away from the frames first,
    # then all that is like it.
    smooth = blur(image, 0.6)
    luma = smooth.mean(-1)
    candidates = allowed > 0.5
    bare = candidates & (away > 1.5 * _BAND)
    for reach, low, high in ((0.14, 0.70, 1.40), (0.09, 0.80, 1.25)):
        weight = blur(bare.astype(np.float32), reach * unit) + 1e-4
        tone = blur(luma * bare, reach * unit) / weight
        bare = candidates & (luma > low * tone) & (luma < high * tone)
    skin = push_pull(image, bare & (away > 1.5 * _BAND))
    for _ in range(2):
        difference = np.abs(smooth - skin).max(-1)
        frame_like = cv2.dilate((difference > _DIFFERENCE[1]).astype(np.uint8), np.ones((3, 3)))
        skin = push_pull(image, bare & (frame_like == 0))
    difference = np.abs(smooth - skin).max(-1)
    unlike = smoothstep(difference, *_DIFFERENCE) * allowed
    surely = smoothstep(difference, 2 * _DIFFERENCE[0], 2 * _DIFFERENCE[1]) * allowed
    beside = (away > 0.6 * _THICK_BAND) & (away < 0.75 * _THICK_BAND) & candidates
    is_thick = bool(beside.any()) and float(surely[beside].mean()) > 0.35
    band = _THICK_BAND if is_thick else _BAND
    seeds = (unlike > 0.5) & (away < band)
    _, labels = cv2.connectedComponents(
        ((surely > 0.3) & (away < _GROWTH * band)).astype(np.uint8), connectivity=8
    )
    grown = np.isin(labels, np.unique(labels[seeds])) & (labels > 0)
    near = 1 - smoothstep(away, 0.8 * band, 1.2 * band)
    cover = np.maximum(unlike * near, grown * surely)
    hairless = allowed * (away < _LINE_REACH)
    for brow in search.brows:  # hairs stand beyond the brow's outline
        distance = signed_distance(brow, shape, (x0, y0)) / unit
        hairless = hairless * (1 - smoothstep(distance, -0.030, -0.018))
    lines = _lines_joined_to(cover, luma, hairless, unit)
    cover = np.maximum(cover, lines * (1 - smoothstep(eyes, -0.09 * unit, -0.07 * unit)))
    cover = np.asarray(cv2.dilate(np.asarray(cover, np.float32), np.ones((3, 3), np.uint8)))
    cover = blur(cover, 1.0) * allowed
    # Beyond the outline there are temples and hair, which are continued as they are.
    around = (inside < -0.02 * unit) & (away > _THICK_BAND) & person
    known = (bare | around) & (cv2.dilate(cover, np.ones((5, 5), np.uint8)) < 0.04)
    skin = no_paler(push_pull(image, known), luma, bare, 0.12 * unit)
    image2x, canvas2x = fit.image2x.copy(), fit.canvas2x.copy()
    # What is painted anew has pores as well.
    skin = skin + quilt_skin(image2x.astype(np.float32), fit, shape)
    bare_face = image * (1 - cover[..., None]) + skin * cover[..., None]
    image2x[y0:y1, x0:x1] = np.clip(np.rint(bare_face), 0, 255).astype(np.uint8)
    margin, side = 2 * fit.margin_px, image2x.shape[0]
    canvas2x[margin : margin + side, margin : margin + side] = image2x
    texture = np.concatenate([image * cover[..., None], 255 * cover[..., None]], -1)
    middle = search.points[BRIDGE_LANDMARK] @ search.axes[0]
    ends = [float(np.abs(rim @ search.axes[0] - middle).max()) / unit for rim in paths[:2]]
    hinge = np.array([float(np.clip(max(ends) + _HINGE_GAP, *_HINGES))], np.float32)
    assets = SpectaclesAssets(np.asarray(texture, np.float32), origin, bridge, axes, units, hinge)
    return replace(fit, image2x=image2x, canvas2x=canvas2x), assets
