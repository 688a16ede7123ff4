"""What a renderer reads of a portrait: everything that depends on the person and the output's size.

Made once and read by all renderers that draw this person at this size, whatever they draw with.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import archive, topology
from avatar_service.portrait.blendshapes import Blendshapes
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS
from avatar_service.portrait.pixels import scale_to
from avatar_service.portrait.portrait import SIZES_PX, Geometry, Portrait
from avatar_service.portrait.topology import Int32Array
from avatar_service.render.eyes import scale_eyes
from avatar_service.render.mouth import scale_mouth
from avatar_service.render.person_texture import (
    PersonTexture,
    ShadingSource,
    face_shading_source,
)
from avatar_service.render.projection import make_projection
from avatar_service.render.raster import UInt32Array
from avatar_service.render.spectacles import scale_spectacles
from avatar_service.render.torso import TorsoTexture
from avatar_service.signals import Float32Array, UInt8Array

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class ScaledPortrait:
    """One person at one size. Nothing in it changes, so threads may share it.

    Attributes:
        content_hash: of the portrait; with size_px it names what was made.
        size_px: side of the frames.
        scale: output px per frame px of the portrait.
        geometry, shapes: of the portrait.
        projection: (4,) see projection.py.
        texture: of the head and what moves with it.
        shading: where each vertex takes its shading from.
        lips, lids: (P, 2) facing points of the margins.
        torso: the layer behind the head.
        picture: (size_px ** 2,) the room behind the person, one opaque RGBA8 per px.
        eyes, mouth, spectacles: what their drawers read, filtered for the size.
    """

    content_hash: str
    size_px: int
    scale: float
    geometry: Geometry
    shapes: Blendshapes
    projection: Float32Array
    texture: PersonTexture
    shading: ShadingSource
    lips: Int32Array
    lids: Int32Array
    torso: TorsoTexture
    picture: UInt32Array
    eyes: Arrays
    mouth: Arrays
    spectacles: Arrays

    @property
    def key(self) -> tuple[str, int]:
        """What it is, by name."""
        return self.content_hash, self.size_px

    @classmethod
    def of(cls, portrait: Portrait, size_px: int) -> ScaledPortrait:
        """Scale, filter and pack a portrait; the portrait itself is needed no longer.

        Raises:
            AvatarError: INVALID_FIELD for a size that is not offered.
        """
        archive.check_size(size_px, SIZES_PX)
        geometry, scale = portrait.geometry, size_px / portrait.size_px
        lips = lip_pairs(geometry)
        return cls(
            content_hash=portrait.content_hash,
            size_px=size_px,
            scale=scale,
            geometry=geometry,
            shapes=portrait.shapes,
            projection=make_projection(portrait.size_px, geometry.focal_px, size_px),
            texture=PersonTexture.of(portrait, size_px),
            shading=face_shading_source(geometry, lips.ravel()),
            lips=lips,
            lids=lid_pairs(geometry),
            torso=TorsoTexture.of(portrait, size_px),
            picture=packed_picture(portrait.background, size_px),
            eyes=scale_eyes(portrait.eyes.to_arrays(), scale),
            mouth=scale_mouth(portrait.mouth.to_arrays(), scale),
            spectacles=scale_spectacles(portrait.spectacles.to_arrays(), scale),
        )


def lip_pairs(geometry: Geometry) -> Int32Array:
    """Return the (P, 2) facing points of upper and lower lip."""
    return margin_pairs(geometry, topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER)


def lid_pairs(geometry: Geometry) -> Int32Array:
    """Return the (P, 2) facing points of upper and lower lids, both eyes."""
    return np.concatenate(
        [
            margin_pairs(geometry, mirror(topology.LID_UPPER), mirror(topology.LID_LOWER))
            for mirror in (tuple, topology.mirrored)
        ]
    )


def margin_pairs(geometry: Geometry, upper: tuple[int, ...], lower: tuple[int, ...]) -> Int32Array:
    """Return (P, 2) pairs of facing points of two margins that share their ends.

    The mesh has a vertex in the middle between any two landmarks of a margin: they face each
    other too.
    """
    rest, refined = geometry.rest, geometry.rest[NUM_LANDMARKS : geometry.num_face]

    def with_middles(row: tuple[int, ...]) -> list[int]:
        found = [row[0]]
        for a, b in itertools.pairwise(row):
            away = ((refined - (rest[a] + rest[b]) / 2) ** 2).sum(1)
            found += [NUM_LANDMARKS + int(away.argmin()), b]
        return found[1:-1]

    return np.array(list(zip(with_middles(upper), with_middles(lower), strict=True)), np.int32)


def packed_picture(picture: UInt8Array, size_px: int) -> UInt32Array:
    """Scale an opaque picture to the output and pack it, one uint32 per px."""
    opaque = np.dstack([scale_to(picture, size_px), np.full((size_px, size_px), 255, np.uint8)])
    return np.ascontiguousarray(opaque).reshape(-1).view(np.uint32)
