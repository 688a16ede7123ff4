"""The torso as a layer of its own behind the head: clothes, continued behind head, hair and neck.

Where clothes can be told from the head, the person is drawn in two layers: head and neck, a mesh,
over the torso, a picture that moves with the shoulders only. Jaw and hair slide over collars; the
lower end of the neck stays at the collar. Where they cannot, the mesh is the whole person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.background import repair_background
from avatar_service.portrait.clothes import Clothes
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.hidden_torso import disc_px, scale_of, upper_end
from avatar_service.portrait.neck import split_neck
from avatar_service.portrait.patch_tools import blur, push_pull, smoothstep
from avatar_service.portrait.pixels import AREA, grow, resize, shrink, twice
from avatar_service.portrait.skin_grain import skin_grain, spread_grain
from avatar_service.portrait.texture import premultiplied
from avatar_service.signals import Float32Array, UInt8Array

BoolArray = NDArray[np.bool_]

NO_TORSO_ROWS: Final = 2
"""A layer of no more rows shows nothing."""
_EDGE_SIGMA: Final = 0.8
_EDGE_EVEN, _EDGE_GAIN = 2.0, 2.5
"""The border of head and clothes is this soft; its course is evened by the second sigma, as a
stretched staircase would be seen, and made sharp again. This and all px below: at 512."""
_MIXED_PX: Final = 5
"""Diameter of the disc within which clothes beside the head are mixed with its colours."""
_BAND_PX: Final = 9
_TELLING: Final = (25.0, 60.0)
"""Within this band (diameter) colours tell how head and clothes mix, where those of the two are so
many grey levels apart and what is seen lies less far from all their mixtures."""


@dataclass(frozen=True, slots=True)
class TorsoAssets:
    """The torso's picture.

    Attributes:
        texture: (R, 2C, 4) uint8 premultiplied RGBA, rows `top` and below of a texture as the
            person's (texture.build_texture); NO_TORSO_ROWS transparent rows for no layer.
        top: first row.
        depth: of the whole torso, camera space.
    """

    texture: UInt8Array
    top: int
    depth: float

    @property
    def is_shown(self) -> bool:
        """Whether there is a layer."""
        return len(self.texture) > NO_TORSO_ROWS


@dataclass(frozen=True, slots=True)
class TorsoSplit:
    """A person in two layers.

    Attributes:
        head: the fit, its canvas_alpha that of head and neck alone.
        alpha: (C, C) coverage of the head's texture: as canvas_alpha, but the neck ends softly.
        colors: (2C, 2C, 3) float32, the head's own colours.
        texture: (2C, 2C, 4) premultiplied RGBA of the torso, or none.
    """

    head: FaceFit
    alpha: Float32Array
    colors: Float32Array
    texture: UInt8Array | None

    @classmethod
    def none(cls, fit: FaceFit, colors: Float32Array) -> TorsoSplit:
        """Return a person who is drawn as one mesh."""
        return cls(fit, fit.canvas_alpha, colors, None)

    def assets(self, depths: Float32Array) -> TorsoAssets:
        """Return the layer, at the mean of the depths (N,) of what moves with it."""
        if self.texture is None:
            return TorsoAssets(np.zeros((NO_TORSO_ROWS, 2, 4), np.uint8), 0, 0.0)
        rows = np.flatnonzero(self.texture[..., 3].max(1))
        top = max(int(rows[0]) - 1, 0) if len(rows) else 0
        depth = float(depths.mean()) if len(depths) else 0.0
        return TorsoAssets(np.ascontiguousarray(self.texture[top:]), top, depth)


def split_torso(fit: FaceFit, colors: Float32Array, clothes: Clothes) -> TorsoSplit:
    """Take head and torso apart.

    Args:
        fit: of the photo.
        colors: (2C, 2C, 3) float32, the person's own (texture.own_colors).
        clothes: that were found.
    """
    alpha, side = fit.canvas_alpha, fit.canvas_alpha.shape[0]
    own = resize(colors, (side, side), AREA)
    share = _soft_share(own, clothes, fit)
    head_alpha = np.asarray(alpha * (1 - share), np.float32)

    neck = split_neck(fit, clothes, own)
    faded = head_alpha * neck.front
    upper = np.maximum(upper_end(fit, clothes), neck.coverage)
    inside = np.clip(2 * alpha - 1, 0, 1)
    torso_alpha = alpha * share + (1 - share) * upper * inside
    # The two together cover as much as without the soft end.
    covered = head_alpha + (1 - head_alpha) * torso_alpha
    behind_neck = (covered - faded) / np.maximum(1 - faded, 1e-3)
    torso_alpha = np.where(neck.front < 0.999, behind_neck, torso_alpha)

    clean = clothes.mask & (alpha > 0.97) & ~grow(head_alpha > 0.05, disc_px(_MIXED_PX, fit))
    picture = np.clip(own + 0.5, 0, 255).astype(np.uint8)
    of_torso = repair_background(picture, 1 - clean.astype(np.float32)).astype(np.float32)
    of_torso += neck.seen[..., None] * (neck.color - of_torso)
    of_head = push_pull(own, shrink(head_alpha > 0.97, 3))
    behind = np.asarray(1 - (1 - share) * neck.front, np.float32)
    head_colors, torso_colors = _unmix(colors, of_head, of_torso, behind)
    grain = spread_grain(skin_grain(fit.image2x.astype(np.float32), fit), torso_colors.shape[:2])
    torso_colors += grain[..., None] * twice(neck.painted * neck.seen)[..., None]
    return TorsoSplit(
        head=replace(fit, canvas_alpha=head_alpha),
        alpha=np.asarray(faded, np.float32),
        colors=head_colors,
        texture=premultiplied(torso_colors, twice(torso_alpha.astype(np.float32))),
    )


def _unmix(
    colors: Float32Array, of_head: Float32Array, of_torso: Float32Array, share: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Return the colours nearest to those expected that mix to what the photo shows.

    Args:
        colors: (2C, 2C, 3) what the photo shows.
        of_head: (C, C, 3) what the head alone is expected to show.
        of_torso: the same of the torso.
        share: (C, C) of the torso in the mixture.
    """
    head, torso, back = twice(of_head), twice(of_torso), twice(share)[..., None]
    front = 1 - back
    missing = (colors - front * head - back * torso) / (front**2 + back**2)
    return (
        np.clip(head + front * missing, 0, 255).astype(np.float32),
        np.clip(torso + back * missing, 0, 255).astype(np.float32),
    )


def _soft_share(picture: Float32Array, clothes: Clothes, fit: FaceFit) -> Float32Array:
    """Return (C, C) 1 for clothes, 0 for the head, between them how their colours mix."""
    alpha, soft, width = fit.canvas_alpha, _EDGE_SIGMA * scale_of(fit), disc_px(_BAND_PX, fit)
    even = blur(clothes.mask.astype(np.float32), _EDGE_EVEN * scale_of(fit))
    plain = np.clip((even - 0.5) * _EDGE_GAIN + 0.5, 0, 1)
    band = grow(clothes.mask, width) & grow(clothes.head, width) & (alpha > 0.3)
    solid = alpha > 0.97
    of_clothes = push_pull(picture, solid & shrink(clothes.mask, width))
    of_head = push_pull(picture, solid & shrink(clothes.head, width))
    apart = of_clothes - of_head
    contrast = (apart**2).sum(-1)
    mixed = np.clip(((picture - of_head) * apart).sum(-1) / np.maximum(contrast, 1.0), 0, 1)
    unexplained = np.abs(picture - of_head - mixed[..., None] * apart).max(-1)
    trust = smoothstep(np.sqrt(contrast), *_TELLING) * (1 - smoothstep(unexplained, *_TELLING))
    trust *= blur(band.astype(np.float32), 1.0) * band
    return np.asarray(plain + blur(trust * (mixed - plain), soft), np.float32).clip(0, 1)
