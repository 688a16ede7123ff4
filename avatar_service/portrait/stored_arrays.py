"""A stored portrait is checked before it is drawn: compiled kernels trust every shape and index.

A file may be cut, damaged, made by hand or by another program; what is wrong is told by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.expression_folds import GROUPS
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS
from avatar_service.portrait.strands import NUM_KINDS

Arrays = Mapping[str, NDArray[Any]]

SHAPES: Final[Mapping[str, Mapping[str, str]]] = {
    "uint8": {
        "texture": "D D 4",
        "folds": "C C 2",
        "background": "S S 3",
        "photo": "S S 3",
        "torso.texture": "_ _ 4",
    },
    "int32": {
        "geometry.triangles": "_ 3",
        "geometry.solid_triangles": "_ 3",
        "geometry.oval": "_",
        "shapes.start": "K",
        "shapes.vertex": "N",
        "eyes.margin_ids": "2 2 9",
        "eyes.row_ids": "2 2 7",
        "mouth.lip_ids": "2 11",
        "mouth.outer_ids": "2 11",
    },
    "float32": {
        "geometry.rest": "V 3",
        "geometry.uv": "V 2",
        "geometry.skin_weight": "V",
        "geometry.rise_weight": "V",
        "geometry.sway": "V",
        "geometry.strand_amount": "V",
        "geometry.strand_kind": "V",
        "geometry.rotation": "3 3",
        "geometry.center": "3",
        "geometry.pivot": "3",
        "geometry.hinge": "3",
        "geometry.light": "4",
        "geometry.rest_light": "V",
        "shapes.delta": "N 3",
        "eyes.margin_rest": "2 2 9 3",
        "eyes.row_rest": "2 2 7 3",
        "eyes.axes": "3 3",
        "eyes.unit": "1",
        "eyes.shadow": "4",
        "eyes.patch_origin": "2 2",
        "eyes.sclera": "2 _ _ 3",
        "eyes.iris": "2 I I 3",
        "eyes.glint": "2 I I 3",
        "eyes.iris_center": "2 2",
        "eyes.iris_radius": "2",
        "eyes.iris_edge": "2 2",
        "eyes.lid_skin": "2 _ L 3",
        "eyes.lash_range": "2",
        "eyes.lash_ratio": "2 _ L",
        "eyes.lash_color": "2 3",
        "eyes.lash_strength": "2",
        "eyes.grain": "32 64",
        "mouth.lip_rest": "2 11 3",
        "mouth.axes": "3 3",
        "mouth.unit": "1",
        "mouth.is_open": "1",
        "mouth.cavity": "3",
        "mouth.tongue": "3",
        "mouth.seam": "3",
        "mouth.wet": "3",
        "mouth.arch_upper": "2 A 3",
        "mouth.arch_lower": "2 A 3",
        "mouth.teeth_upper": "_ _ 4",
        "mouth.teeth_lower": "_ _ 4",
        "mouth.tongue_tip": "3",
        "mouth.tongue_half_width": "1",
        "mouth.own_teeth": "_ _ 4",
        "mouth.own_origin": "2",
        "mouth.own_room": "_ _ 3",
        "mouth.room_origin": "2",
        "mouth.own_show": "1",
        "mouth.softness": "1",
        "mouth.flesh_tint": "1",
        "spectacles.texture": "_ _ 4",
        "spectacles.origin": "2",
        "spectacles.anchor": "3",
        "spectacles.axes": "3 3",
        "spectacles.unit": "1",
        "spectacles.hinge": "1",
    },
}
"""Extents by name: a number; S the frame's side, C the canvas' (frame and margins), D twice that, V
vertices, K shapes and one; another letter is the same wherever it stands; _ is any, but not 0."""

_OF_VERTICES: Final = (
    "geometry.triangles",
    "geometry.solid_triangles",
    "geometry.oval",
    "shapes.vertex",
)
_OF_LANDMARKS: Final = ("eyes.margin_ids", "eyes.row_ids", "mouth.lip_ids", "mouth.outer_ids")
_POSITIVE: Final = ("size_px", "geometry.unit_px", "geometry.focal_px", "eyes.unit", "mouth.unit")


def check_stored(arrays: Arrays) -> None:
    """Raise ValueError with what is wrong, KeyError where something is missing."""
    size, margin = int(arrays["size_px"].item()), int(arrays["margin_px"].item())
    extents = {
        "S": size,
        "C": size + 2 * margin,
        "D": 2 * (size + 2 * margin),
        "K": NUM_SHAPES + 1,
        "V": len(np.atleast_1d(arrays["geometry.rest"])),
    }
    for kind, shapes in SHAPES.items():
        for name, shape in shapes.items():
            _check_shape(name, arrays[name], kind, shape.split(), extents)
    for name, values in arrays.items():
        if values.dtype.kind in "fc" and not np.isfinite(values).all():
            raise ValueError(f"{name} holds values that are not finite")
    for name in _POSITIVE:
        if not (arrays[name] > 0).all():
            raise ValueError(f"{name} is not positive")
    _check_indices(arrays, extents)


def _check_shape(
    name: str, values: NDArray[Any], kind: str, shape: list[str], extents: dict[str, int]
) -> None:
    if values.dtype != np.dtype(kind):
        raise ValueError(f"{name} holds {values.dtype}, not {kind}")
    if values.ndim != len(shape):
        raise ValueError(f"{name} has {values.ndim} axes, not {len(shape)}")
    for extent, symbol in zip(values.shape, shape, strict=True):
        if symbol == "_":
            is_right = extent > 0
        elif symbol.isdecimal():
            is_right = extent == int(symbol)
        else:
            is_right = extent == extents.setdefault(symbol, extent)
        if not is_right:
            raise ValueError(f"{name} has the shape {values.shape}, which does not fit")


def _check_indices(arrays: Arrays, extents: Mapping[str, int]) -> None:
    num_vertices = extents["V"]
    if not NUM_LANDMARKS <= int(arrays["geometry.num_face"].item()) <= num_vertices:
        raise ValueError("geometry.num_face does not fit the mesh")
    for names, count in ((_OF_VERTICES, num_vertices), (_OF_LANDMARKS, NUM_LANDMARKS)):
        for name in names:
            values = arrays[name]
            if values.size and not 0 <= int(values.min()) <= int(values.max()) < count:
                raise ValueError(f"{name} points beyond the {count} that there are")
    start = arrays["shapes.start"]
    if start[0] != 0 or start[-1] != extents["N"] or (np.diff(start) < 0).any():
        raise ValueError("shapes.start does not divide the shapes")
    if arrays["folds"][..., 0].max() > len(GROUPS):
        raise ValueError(f"folds name more than {len(GROUPS)} groups")
    kinds = arrays["geometry.strand_kind"]
    if not 0 <= kinds.min() <= kinds.max() < NUM_KINDS - 1:
        raise ValueError("geometry.strand_kind is out of range")
