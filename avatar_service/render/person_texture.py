"""A portrait's texture and triangles, prepared for one output size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait.patch_tools import smoothstep
from avatar_service.portrait.pixels import AREA, LINEAR, gaussian, resize
from avatar_service.portrait.portrait import Geometry, Portrait
from avatar_service.portrait.topology import Int32Array
from avatar_service.render.raster import MAX_TEXTURE_PX
from avatar_service.signals import Float32Array, UInt8Array

_TEXELS_PER_PX: Final = 2.0
_PREFILTER: Final = 0.45
"""Blur, in texels, at two texels per px: without it detail flickers as the head drifts."""
_HALF_BAND: Final = np.array([-1, 0, 9, 16, 9, 0, -1], np.float32) / 32
"""Takes away what is finer than a px at two texels per px, and little else (the maximally flat
half-band filter of seven taps)."""
_FINE_REACH: Final = 13
_FINE: Final = (2.0, 5.0)
"""Side of the window (texels) and mean difference (grey levels) from which and by which a place is
so full of detail finer than a px, as a grizzled beard, that it would sparkle under slow motion."""
_OPAQUE: Final = 250
_SHADE_REACH: Final = 0.4
"""How far beyond the face's outline its shading fades out, units."""
_MARGIN_SHADING: Final = 0.3
"""Share of the shading that the margins of the lips take."""


@dataclass(frozen=True, slots=True)
class PersonTexture:
    """What the raster reads.

    Attributes:
        texels: (side_px ** 2,) uint32 premultiplied RGBA8.
        side_px: of the square texture.
        folds: (folds_px ** 2,) uint16, a fold's group in the high byte, 128 + shade in the low one;
            a texel stands for 2 x 2 texels of the texture.
        folds_px: side of that map.
        uv: (V, 2) float32 texture px.
        opaque: (T, 3) triangles over opaque texels only; mixed: the others that show anything.
    """

    texels: NDArray[np.uint32]
    side_px: int
    folds: NDArray[np.uint16]
    folds_px: int
    uv: Float32Array
    opaque: Int32Array
    mixed: Int32Array

    @classmethod
    def of(cls, portrait: Portrait, size_px: int) -> PersonTexture:
        """Scale to at most two texels per output px and sort the triangles by coverage."""
        texture, scale = scaled_texture(portrait.texture, portrait.size_px, size_px)
        side = texture.shape[0]
        uv = (portrait.geometry.uv + 0.5) * scale - 0.5
        triangles = portrait.geometry.triangles
        low, high = _alpha_range(texture[..., 3], uv, triangles)
        packed = np.ascontiguousarray(texture).reshape(-1).view(np.uint32)
        return cls(
            texels=packed,
            side_px=side,
            folds=_pack_folds(portrait.folds, (side + 1) // 2),
            folds_px=(side + 1) // 2,
            uv=np.ascontiguousarray(uv, np.float32),
            opaque=np.ascontiguousarray(triangles[low >= _OPAQUE]),
            mixed=np.ascontiguousarray(triangles[(low < _OPAQUE) & (high > 0)]),
        )


def scaled_texture(texture: UInt8Array, portrait_px: int, size_px: int) -> tuple[UInt8Array, float]:
    """Scale a texture of two texels per frame px to at most two per output px, and calm it.

    Args:
        texture: (rows, columns, 4) premultiplied.
        portrait_px: side of the frame that was fitted.
        size_px: side of the output.

    Returns:
        The texture, and its texels per texel of the argument.
    """
    per_px = 2 * portrait_px / size_px
    scale = min(1.0, _TEXELS_PER_PX / per_px)
    rows, columns = (round(extent * scale) for extent in texture.shape[:2])
    if max(rows, columns) > MAX_TEXTURE_PX:
        raise AvatarError(Reason.INVALID_FIELD, f"The texture of {columns} px is too large.")
    if scale < 1:
        texture = resize(texture, (columns, rows), AREA)
    if per_px * scale > 1:
        texture = _calm(texture)
    return texture, scale


def _calm(texture: UInt8Array) -> UInt8Array:
    """Filter a premultiplied texture of two texels per output px so that it does not flicker."""
    sharp = gaussian(texture, _PREFILTER)
    calm = cv2.sepFilter2D(texture, -1, _HALF_BAND, _HALF_BAND, borderType=cv2.BORDER_REPLICATE)
    calm[..., :3] = np.minimum(calm[..., :3], calm[..., 3:])
    difference = cv2.cvtColor(cv2.absdiff(sharp, calm), cv2.COLOR_RGBA2GRAY)
    roughness = cv2.blur(difference.astype(np.float32), (_FINE_REACH, _FINE_REACH))
    share = smoothstep(roughness, *_FINE)
    mixed = cv2.blendLinear(calm, sharp, share, 1 - share)
    return np.asarray(mixed, np.uint8)


def _pack_folds(folds: UInt8Array, side_px: int) -> NDArray[np.uint16]:
    """Scale the map, each group by itself, and pack it."""
    groups = int(folds[..., 0].max(initial=0))
    packed = np.full((side_px, side_px), 128, np.uint16)
    best = np.zeros((side_px, side_px), np.float32)
    way = AREA if side_px < folds.shape[0] else LINEAR
    for group in range(1, groups + 1):
        shade = np.where(folds[..., 0] == group, folds[..., 1].astype(np.float32) - 128, 0)
        scaled = resize(shade.astype(np.float32), (side_px, side_px), way)
        chosen = np.abs(scaled) > np.maximum(np.abs(best), 0.5)
        best[chosen] = scaled[chosen]
        packed[chosen] = (group << 8) + 128 + np.rint(scaled[chosen]).astype(np.uint16)
    return packed.reshape(-1)


@dataclass(frozen=True, slots=True)
class ShadingSource:
    """Where each vertex takes its shading from; see rig.shade."""

    triangles: Int32Array
    source: Int32Array
    weight: Float32Array


def face_shading_source(geometry: Geometry, lip_margins: Int32Array) -> ShadingSource:
    """Shade the face by its own normals and let that fade out over neck and hair.

    Args:
        geometry: of the portrait.
        lip_margins: vertices where the lips meet. Pressed or rolled lips turn the surface edge-on
            there, and a row of dark triangles lower than a px would be a staircase.
    """
    count, num_face = len(geometry.rest), geometry.num_face
    solid = geometry.solid_triangles
    outer = np.arange(num_face, count)
    gaps = geometry.rest[outer, None, :2] - geometry.rest[None, geometry.oval, :2]
    distance = np.sqrt((gaps**2).sum(-1))  # (outer, oval)
    nearest = distance.argmin(1)
    fade = 1 - np.clip(distance.min(1) / (_SHADE_REACH * geometry.unit_px), 0, 1)
    source = np.arange(count, dtype=np.int32)
    source[outer] = geometry.oval[nearest]
    weight = np.ones(count, np.float32)
    weight[outer] = 0.8 * fade * fade * (3 - 2 * fade)
    weight[geometry.oval] = 0.8
    weight[lip_margins] = _MARGIN_SHADING
    return ShadingSource(
        triangles=np.ascontiguousarray(solid[(solid < num_face).all(1)]),
        source=source,
        weight=weight,
    )


def _alpha_range(
    alpha: NDArray[np.uint8], uv: Float32Array, triangles: Int32Array
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the least and largest alpha in each triangle's box of texels (slightly grown)."""
    corners = uv[triangles]  # (T, 3, 2)
    last = alpha.shape[0] - 1
    low = np.clip(np.floor(corners.min(1)) - 1, 0, last).astype(int)
    high = np.clip(np.ceil(corners.max(1)) + 1, 0, last).astype(int)
    least = np.empty(len(triangles), np.uint8)
    largest = np.empty(len(triangles), np.uint8)
    for i, ((x0, y0), (x1, y1)) in enumerate(zip(low, high, strict=True)):
        box = alpha[y0 : y1 + 1, x0 : x1 + 1]
        least[i], largest[i] = box.min(), box.max()
    return least, largest
