"""The torso's layer: its picture, moved with the shoulders, under what the mesh has drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.jit import kernel
from avatar_service.portrait.portrait import Portrait
from avatar_service.render.composite import under
from avatar_service.render.person_texture import scaled_texture
from avatar_service.render.raster import SHADE_ONE, UInt32Array, sample_texel
from avatar_service.signals import Float32Array

NUM_PLACE: Final = 4
"""place = float32 [u per x, u at 0, v per y, v at 0]: output px to texels of the layer."""


@kernel
def place_torso(
    shift_px: Float32Array, projection: Float32Array, layer: Float32Array, out: Float32Array
) -> None:
    """Work out where the layer lies in the picture.

    Args:
        shift_px: (4,) of breathing.pose_torso.
        projection: (4,) see projection.py.
        layer: (4,) depth (camera-space px), texels per frame px, texel of the frame's first px in
            u and in v.
        out: (NUM_PLACE,) out.
    """
    center, focal, scale, _ = projection
    half = np.float32(0.5)
    rest = focal / (focal + layer[0])
    k = focal / max(focal + layer[0] + shift_px[2], np.float32(0.05) * focal)
    for axis in range(2):
        widen = np.float32(1) + (shift_px[3] if axis == 0 else np.float32(0))
        # Output px to camera space there, back to rest, to the frame, to texels.
        slope = rest / (k * widen)
        first = (half / scale - half - center) * slope - shift_px[axis] * rest / widen + center
        out[2 * axis] = slope / scale * layer[1]
        out[2 * axis + 1] = first * layer[1] + layer[2 + axis]


@kernel
def draw_under(
    person: UInt32Array,
    texels: UInt32Array,
    columns: int,
    place: Float32Array,
    size_px: int,
) -> None:
    """Lay the premultiplied person over the layer, in place.

    Args:
        person: (size_px ** 2,) premultiplied RGBA.
        texels: (rows * columns,) premultiplied RGBA.
        columns: of the layer.
        place: (NUM_PLACE,) of place_torso.
        size_px: side of the picture.
    """
    rows = texels.shape[0] // columns
    fixed = np.float32(256)
    max_u, max_v = np.float32(columns - 1.01), np.float32(rows - 1.01)
    zero = np.float32(0)
    for y in range(size_px):
        v = place[2] * np.float32(y) + place[3]
        if v < zero:
            continue
        iv = np.int32(min(v, max_v) * fixed)
        row = np.uintp((iv >> 8) * np.int32(columns))
        for x in range(size_px):
            o = np.uintp(y * size_px + x)
            front = person[o]
            if front >> np.uint32(24) == np.uint32(255):
                continue
            u = place[0] * np.float32(x) + place[1]
            iu = np.int32(max(zero, min(max_u, u)) * fixed)
            texel = row + np.uintp(iu >> 8)
            back = sample_texel(
                texels, texel, np.uintp(columns), iu & 255, iv & 255, np.int32(SHADE_ONE)
            )
            person[o] = under(front, back)


@dataclass(frozen=True, slots=True)
class TorsoTexture:
    """The torso of a person, prepared for one output size.

    Attributes:
        is_shown: whether there is a layer.
        texels: (rows * columns,) uint32 premultiplied RGBA8; empty where there is no layer.
        columns: of them.
        layer: (4,) of place_torso.
    """

    is_shown: bool
    texels: UInt32Array
    columns: int
    layer: Float32Array

    @classmethod
    def of(cls, portrait: Portrait, size_px: int) -> TorsoTexture:
        """Scale it to at most two texels per output px."""
        torso = portrait.torso
        texture, scale = torso.texture, 1.0
        if torso.is_shown:
            texture, scale = scaled_texture(texture, portrait.size_px, size_px)
        first = (2 * portrait.margin_px + 1.0) * scale - 0.5
        layer = [torso.depth, 2 * scale, first, first - torso.top * scale]
        return cls(
            is_shown=torso.is_shown,
            texels=np.ascontiguousarray(texture).reshape(-1).view(np.uint32),
            columns=texture.shape[1],
            layer=np.array(layer, np.float32),
        )


class TorsoLayer:
    """Draws the torso for one renderer."""

    def __init__(self, torso: TorsoTexture, size_px: int) -> None:
        self._torso = torso
        self._size_px = size_px
        self._place = np.zeros(NUM_PLACE, np.float32)

    def draw(self, shift_px: Float32Array, projection: Float32Array, person: UInt32Array) -> None:
        """Draw the layer under the person; see draw_under and place_torso."""
        torso = self._torso
        if not torso.is_shown:
            return
        place_torso(shift_px, projection, torso.layer, self._place)
        draw_under(person, torso.texels, torso.columns, self._place, self._size_px)
