"""A portrait as the kernels read it: the CPU renderer's own preparations, gathered.

Textures, filters and pairs are made by the same functions that the CPU renderer uses; only the
order of some arrays differs (shape by shape, triangles by vertex).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.topology import Int32Array
from avatar_service.render.cuda.layout import (
    AVATAR,
    AVATAR_ARRAYS,
    MAX_ARCH,
    ROLE_LID,
    ROLE_UPPER,
)
from avatar_service.render.rig import down_in_picture
from avatar_service.render.scaled_portrait import ScaledPortrait

_ALIGNED_BYTES = 256


@dataclass(frozen=True, slots=True)
class AvatarArrays:
    """One portrait at one size.

    Attributes:
        record: (1,) of layout.AVATAR; its addresses are offsets into `data` until `placed_at`.
        data: (N,) uint8, all arrays one behind the other, each aligned to 256 bytes.
    """

    record: NDArray[Any]
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, scaled: ScaledPortrait) -> AvatarArrays:
        """Gather the arrays."""
        record = np.zeros(1, AVATAR)
        arrays: dict[str, NDArray[Any]] = {}
        for part in (_mesh, _person, _torso, _eyes, _mouth, _spectacles):
            part(scaled, record, arrays)
        offset = 0
        for name, kind in AVATAR_ARRAYS.items():
            arrays[name] = np.ascontiguousarray(arrays[name], kind)
            record[name] = offset
            offset += -(-arrays[name].nbytes // _ALIGNED_BYTES) * _ALIGNED_BYTES
        data = np.zeros(offset, np.uint8)
        for name in AVATAR_ARRAYS:
            start = int(record[name][0])
            data[start : start + arrays[name].nbytes] = arrays[name].reshape(-1).view(np.uint8)
        return cls(record, data)

    def placed_at(self, address: int) -> NDArray[Any]:
        """Return the record with the addresses of `data` copied to `address`."""
        record = self.record.copy()
        for name in AVATAR_ARRAYS:
            record[name] += np.uint64(address)
        return record


def _mesh(scaled: ScaledPortrait, record: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> None:
    geometry, shapes, shading = scaled.geometry, scaled.shapes, scaled.shading
    count = len(geometry.rest)
    dense = np.zeros((NUM_SHAPES, count, 3), np.float32)
    for k in range(NUM_SHAPES):
        rows = slice(shapes.start[k], shapes.start[k + 1])
        dense[k, shapes.vertex[rows]] = shapes.delta[rows]
    ring_start, ring = _triangles_by_vertex(shading.triangles, geometry.num_face)
    facing, role = _facing(scaled)
    arrays |= {
        "rest": geometry.rest, "shapes": dense, "skin_weight": geometry.skin_weight,
        "rise_weight": geometry.rise_weight, "sway": geometry.sway,
        "strand_amount": geometry.strand_amount,
        "strand_kind": geometry.strand_kind, "facing": facing, "margin_role": role,
        "face_triangles": shading.triangles, "ring_start": ring_start, "ring": ring,
        "shade_source": shading.source, "shade_weight": shading.weight,
        "rest_light": geometry.rest_light,
    }  # fmt: skip
    record["size_px"], record["num_vertices"] = scaled.size_px, count
    record["projection"] = scaled.projection
    record["light"], record["down"] = geometry.light, geometry.rotation[:, 1]
    record["lid_down"] = down_in_picture(geometry.rotation)


def _facing(scaled: ScaledPortrait) -> tuple[Int32Array, Int32Array]:
    """Tell each vertex of a margin which one it faces and what it is there."""
    count = len(scaled.geometry.rest)
    facing, role = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    for pairs, kind in ((scaled.lips, 0), (scaled.lids, ROLE_LID)):
        for upper, lower in pairs:
            if facing[upper] >= 0 or facing[lower] >= 0 or upper == lower:
                raise AvatarError(Reason.BUG, "A vertex of a margin faces two others.")
            facing[upper], facing[lower] = lower, upper
            role[upper], role[lower] = kind | ROLE_UPPER, kind
    return facing, role


def _triangles_by_vertex(triangles: Int32Array, count: int) -> tuple[Int32Array, Int32Array]:
    """Return (count + 1,) starts and the triangles around each vertex, in ascending order."""
    corners = triangles.reshape(-1)
    order = np.argsort(corners, kind="stable")
    starts = np.searchsorted(corners[order], np.arange(count + 1))
    return starts.astype(np.int32), (order // 3).astype(np.int32)


def _person(scaled: ScaledPortrait, record: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> None:
    texture = scaled.texture
    arrays |= {
        "uv": texture.uv,
        "triangles": np.concatenate([texture.opaque, texture.mixed]),
        "texels": texture.texels,
        "folds": texture.folds,
        "picture": scaled.picture,
    }
    record["num_triangles"] = len(texture.opaque) + len(texture.mixed)
    record["num_opaque"] = len(texture.opaque)
    record["texture_px"], record["folds_px"] = texture.side_px, texture.folds_px


def _torso(scaled: ScaledPortrait, record: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> None:
    torso = scaled.torso
    arrays["torso"] = torso.texels
    record["torso_columns"] = torso.columns
    record["torso_rows"] = len(torso.texels) // torso.columns
    record["torso_layer"] = torso.layer


def _eyes(scaled: ScaledPortrait, record: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> None:
    a = scaled.eyes
    for name in (
        "margin_ids", "row_ids", "margin_rest", "row_rest", "sclera", "iris", "glint", "lid_skin",
        "lash_ratio", "grain",
    ):  # fmt: skip
        arrays[name] = a[name]
    _, record["sclera_rows"], record["sclera_columns"], _ = a["sclera"].shape
    record["iris_side"] = a["iris"].shape[1]
    _, record["lid_rows"], record["lid_columns"], _ = a["lid_skin"].shape
    record["lash_depths"] = a["lash_ratio"].shape[1]
    record["grain_rows"], record["grain_columns"] = a["grain"].shape
    record["eye_anchor"] = a["margin_rest"].mean((1, 2)).reshape(-1)
    record["eye_axes"], record["eye_unit_px"] = a["axes"].reshape(-1), a["unit"][0]
    record["eye_shadow"] = a["shadow"]
    for name in (
        "patch_origin", "iris_center", "iris_radius", "iris_edge", "lash_range", "lash_color",
        "lash_strength",
    ):  # fmt: skip
        record[name] = a[name].reshape(-1)


def _mouth(scaled: ScaledPortrait, record: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> None:
    a = scaled.mouth
    for name in (
        "lip_ids", "outer_ids", "lip_rest", "arch_upper", "arch_lower", "teeth_upper",
        "teeth_lower", "own_teeth", "own_room",
    ):  # fmt: skip
        arrays[name] = a[name]
    record["arch_columns"] = a["arch_upper"].shape[1]
    if a["arch_upper"].shape != a["arch_lower"].shape or a["arch_upper"].shape[1] > MAX_ARCH:
        raise AvatarError(Reason.BUG, "The arches of teeth do not fit the kernels.")
    record["upper_rows"], record["upper_columns"], _ = a["teeth_upper"].shape
    record["lower_rows"], record["lower_columns"], _ = a["teeth_lower"].shape
    record["own_rows"], record["own_columns"], _ = a["own_teeth"].shape
    record["room_rows"], record["room_columns"], _ = a["own_room"].shape
    record["mouth_anchor"] = a["lip_rest"].mean((0, 1))
    record["mouth_unit_px"], record["mouth_is_open"] = a["unit"][0], a["is_open"][0]
    record["own_show"], record["tongue_half_width"] = a["own_show"][0], a["tongue_half_width"][0]
    record["flesh_tint"] = a["flesh_tint"][0]
    for name in ("cavity", "tongue", "seam", "wet", "tongue_tip", "own_origin", "room_origin"):
        record[name] = a[name]


def _spectacles(
    scaled: ScaledPortrait, record: NDArray[Any], arrays: dict[str, NDArray[Any]]
) -> None:
    a = scaled.spectacles
    arrays["spectacles"] = a["texture"]
    record["spectacles_rows"], record["spectacles_columns"], _ = a["texture"].shape
    record["spectacles_origin"], record["spectacles_anchor"] = a["origin"], a["anchor"]
    record["spectacles_axes"], record["spectacles_unit_px"] = a["axes"].reshape(-1), a["unit"][0]
    record["spectacles_step"] = a["step"][0]
    record["spectacles_hinge"] = a["hinge"][0]
