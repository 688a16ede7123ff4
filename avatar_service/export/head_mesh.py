"""A head that can be written into a model file: mesh, 52 shapes, texture, eyes, pivot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.schema import NUM_EXPRESSIONS
from avatar_service.signals import Float32Array

Int32Array = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class EyeBalls:
    """Two eyeballs of one size; gaze turns them about their centres.

    Attributes:
        centers: (2, 3) float32, left and right, in the head's coordinates.
        radius: in outer-eye distances.
        texture: PNG or JPEG, square, the iris in the middle, seen along -z.
    """

    centers: Float32Array
    radius: float
    texture: bytes


@dataclass(frozen=True, slots=True)
class HeadMesh:
    """A head at rest with its 52 shapes.

    Lengths are in outer-eye distances, axes as in schema.py, any origin.

    Attributes:
        vertices: (V, 3) float32.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        uv: (V, 2) float32, (0, 0) the upper left corner of the texture (glTF's convention).
        deltas: (52, V, 3) float32, added at coefficient 1, order of schema.EXPRESSION_NAMES.
        texture: PNG or JPEG bytes.
        pivot: (3,) float32, the point about which the head rotates.
        head_weight: (V,) float32 in 0..1, 1 moves with the head, 0 stays; None is 1 throughout.
        eyes: eyeballs to add, or None if the mesh and texture hold the eyes.
        lit: False for a photo, whose light is in the texture.
        has_alpha: whether the texture's alpha cuts the head out.
    """

    vertices: Float32Array
    triangles: Int32Array
    uv: Float32Array
    deltas: Float32Array
    texture: bytes
    pivot: Float32Array
    head_weight: Float32Array | None = None
    eyes: EyeBalls | None = None
    lit: bool = False
    has_alpha: bool = False

    def __post_init__(self) -> None:
        count = len(self.vertices)
        shapes = {
            "vertices": (self.vertices.shape, (count, 3)),
            "uv": (self.uv.shape, (count, 2)),
            "deltas": (self.deltas.shape, (NUM_EXPRESSIONS, count, 3)),
            "triangles": (self.triangles.shape, (len(self.triangles), 3)),
            "pivot": (self.pivot.shape, (3,)),
        }
        if self.head_weight is not None:
            shapes["head_weight"] = (self.head_weight.shape, (count,))
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise AvatarError(
                    Reason.INVALID_FIELD, f"head mesh: {name} has shape {found}, not {wanted}"
                )
        if count == 0 or len(self.triangles) == 0:
            raise AvatarError(Reason.INVALID_FIELD, "head mesh: it is empty")
        if self.triangles.min() < 0 or self.triangles.max() >= count:
            raise AvatarError(Reason.INVALID_FIELD, "head mesh: a triangle names no vertex")
        if not all(np.isfinite(a).all() for a in (self.vertices, self.uv, self.deltas)):
            raise AvatarError(Reason.INVALID_FIELD, "head mesh: it holds NaN or infinity")
        image_mime_type(self.texture)

    @property
    def normals(self) -> Float32Array:
        """(V, 3) float32 unit normals, area-weighted; +z where a vertex has no area."""
        corners = self.vertices[self.triangles]  # (T, 3, 3)
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        sums = np.zeros_like(self.vertices, np.float64)
        for k in range(3):
            np.add.at(sums, self.triangles[:, k], faces)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        units = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 1e-12)
        units[lengths[:, 0] <= 1e-12] = (0, 0, 1)
        normals: Float32Array = units.astype(np.float32)
        return normals


def image_mime_type(image: bytes) -> str:
    """Tell PNG from JPEG by its first bytes.

    Raises:
        AvatarError: INVALID_FIELD if it is neither.
    """
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if image.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    raise AvatarError(Reason.INVALID_FIELD, "head mesh: the texture is neither PNG nor JPEG")
