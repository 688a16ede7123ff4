"""All 52 ARKit shapes and two of the portrait's own, solved on this portrait's mesh.

The two more undo what the photo itself does: `sourceClose` closes lips that are parted in the
photo, `sourceUnsmile` relaxes its smile, so that an expression of zeros is a neutral face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.camera import camera_from_frame
from avatar_service.portrait.deformation import DeformationSpace
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.mesh import FaceMesh
from avatar_service.portrait.shapes_eyes import brow_shapes, lid_shapes
from avatar_service.portrait.shapes_mouth import UPPER_LIP_CLOSES, MouthShapes
from avatar_service.portrait.topology import Int32Array
from avatar_service.schema import EXPRESSION_NAMES, NUM_EXPRESSIONS
from avatar_service.signals import Float32Array

SHAPE_NAMES: Final = (*EXPRESSION_NAMES, "sourceClose", "sourceUnsmile")
SOURCE_CLOSE: Final = NUM_EXPRESSIONS
SOURCE_UNSMILE: Final = NUM_EXPRESSIONS + 1
NUM_SHAPES: Final = len(SHAPE_NAMES)

_NEGLIGIBLE_PX: Final = 0.01
"""A vertex that moves less than this at coefficient 1 is left out of its shape."""


@dataclass(frozen=True, slots=True)
class Blendshapes:
    """Sparse displacement fields in camera space.

    Shape k moves the vertices vertex[start[k]:start[k + 1]] by delta[same rows].

    Attributes:
        start: (NUM_SHAPES + 1,) int32.
        vertex: (N,) int32.
        delta: (N, 3) float32, camera-space px at coefficient 1.
        jaw_gap: opening of the inner lips at jawOpen = 1, units.
        source_gap: of the photo where its mouth is open, else 0; units.
        source_smile: of the photo, 0..1.
    """

    start: Int32Array
    vertex: Int32Array
    delta: Float32Array
    jaw_gap: float
    source_gap: float
    source_smile: float

    def displacement(self, name: str, num_vertices: int) -> Float32Array:
        """Return one shape as a dense (V, 3) field, camera-space px."""
        k = SHAPE_NAMES.index(name)
        rows = slice(self.start[k], self.start[k + 1])
        dense = np.zeros((num_vertices, 3), np.float32)
        dense[self.vertex[rows]] = self.delta[rows]
        return dense


def solve_blendshapes(mesh: FaceMesh, fit: FaceFit) -> Blendshapes:
    """Solve every shape."""
    head = fit.head
    position = head.to_head(mesh.vertices)
    space = DeformationSpace(mesh, position)
    source_gap = fit.lip_gap if fit.is_mouth_open else 0.0
    mouth = MouthShapes(space, position, head.to_head(head.hinge)).build(
        source_gap=source_gap, source_smile=fit.smile, corners_height=_corners_height(fit)
    )
    neutral = position + mouth.shapes["sourceUnsmile"]
    lids = lid_shapes(space, neutral, -head.rotation[2])
    fields = {**mouth.shapes, **brow_shapes(space), **lids}
    assert set(fields) == set(SHAPE_NAMES)
    starts, vertices, deltas = [0], [], []
    for name in SHAPE_NAMES:
        delta = _to_camera(mesh.vertices, position, fields[name][mesh.anchor], fit)
        moved = np.flatnonzero(np.linalg.norm(delta, axis=1) > _NEGLIGIBLE_PX)
        vertices.append(moved)
        deltas.append(delta[moved])
        starts.append(starts[-1] + len(moved))
    return Blendshapes(
        start=np.array(starts, np.int32),
        vertex=np.concatenate(vertices).astype(np.int32),
        delta=np.concatenate(deltas).astype(np.float32),
        jaw_gap=mouth.jaw_gap,
        source_gap=source_gap,
        source_smile=fit.smile,
    )


def _corners_height(fit: FaceFit) -> float:
    """Return how far the mouth's corners lie above the line of the lips once these are closed.

    Measured in the picture, units: the corners lie deeper than the lips, and the head's own axes
    lean a little.
    """
    points = fit.landmarks[:, :2]
    rows = topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER
    right, left = points[rows[0][0]], points[rows[0][-1]]
    along = (left - right) / np.linalg.norm(left - right)
    upper, lower = (float((points[row[5]] - right) @ [-along[1], along[0]]) for row in rows)
    return (upper + UPPER_LIP_CLOSES * max(lower - upper, 0.0)) / float(fit.head.unit_px)


def _to_camera(
    rest: Float64Array, position: Float64Array, displacement: Float64Array, fit: FaceFit
) -> Float64Array:
    moved = fit.head.to_frame(position + displacement)
    return camera_from_frame(moved, fit.head, fit.size_px) - camera_from_frame(
        rest, fit.head, fit.size_px
    )
