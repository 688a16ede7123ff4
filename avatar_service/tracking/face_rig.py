"""The portrait's rig as the tracker uses it: landmarks that expression and head pose move.

Convention:
    Camera space and frame px as in render/projection.py; the latent as in schema.py. Everything
    that turns a latent into shapes is the renderer's own code, so that a tracked latent means what
    the renderer shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS, Float64Array
from avatar_service.portrait.portrait import Portrait
from avatar_service.render.expression import resolve_expression
from avatar_service.schema import NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame
from avatar_service.tracking.face_watch import FaceSeen

_STEP: Final = 1e-3
"""Step of the numeric derivative of shapes by coefficients."""
LIPS: Final = np.array(
    sorted(
        {
            *(*topology.LIP_OUTER_UPPER, *topology.LIP_OUTER_LOWER),
            *(*topology.LIP_INNER_UPPER, *topology.LIP_INNER_LOWER),
        }
    ),
    np.intp,
)
_SIGNS: Final = np.array([1.0, -1.0, -1.0])
"""Schema axes (x left, y up, z out) to camera axes (x right in the picture, y down, z away)."""


@dataclass(frozen=True, slots=True)
class HeadPose:
    """A rigid motion of the skull in camera space: x -> turn @ (x - pivot) + pivot + shift.

    Attributes:
        turn: (3, 3).
        shift: (3,) px.
    """

    turn: Float64Array
    shift: Float64Array

    @classmethod
    def rest(cls) -> HeadPose:
        """Return the photo's own pose."""
        return cls(np.eye(3), np.zeros(3))


@dataclass(frozen=True, slots=True)
class FaceRig:
    """Landmarks of one portrait in motion.

    Attributes:
        portrait: whose they are.
        landmarks: (468, 3) camera space at rest, placed where the tracker sees them in the
            reference picture, so that its constant errors cancel; the lips keep their own shape.
        deltas: (468, 3, NUM_SHAPES) camera-space px at coefficient 1.
        reference: what was seen in the reference picture, frame px.
    """

    portrait: Portrait
    landmarks: Float64Array
    deltas: Float64Array
    reference: FaceSeen

    @classmethod
    def of(cls, portrait: Portrait, reference: FaceSeen) -> FaceRig:
        """Bind a portrait to what the tracker sees in its photo.

        Args:
            portrait: the rig.
            reference: seen in the portrait's own frame, frame px.
        """
        shapes = portrait.shapes
        deltas = np.zeros((NUM_LANDMARKS, 3, NUM_SHAPES))
        for k in range(NUM_SHAPES):
            rows = slice(shapes.start[k], shapes.start[k + 1])
            vertex = shapes.vertex[rows]
            inside = vertex < NUM_LANDMARKS
            deltas[vertex[inside], :, k] = shapes.delta[rows][inside]
        rest = portrait.geometry.rest[:NUM_LANDMARKS].astype(np.float64)
        rig = cls(portrait, np.zeros((NUM_LANDMARKS, 3)), deltas, reference)
        points = reference.landmarks[:, :2].copy()
        # Lips touch or they do not: their shape is the portrait's, which was found in the photo
        # with care, or a closed mouth would be drawn open by the tracker's error on an open one.
        lips = rig.project(rest)[LIPS]
        points[LIPS] = lips + (points[LIPS] - lips).mean(0)
        return replace(rig, landmarks=rig.unproject(points, rest[:, 2]))

    @property
    def unit_px(self) -> float:
        """One schema length unit, frame px."""
        return self.portrait.geometry.unit_px

    def unproject(self, points: Float64Array, depth: Float64Array) -> Float64Array:
        """Lift (N, 2) frame px to (N, 3) camera space at the depths (N,)."""
        stretch = (1 + depth / self.portrait.geometry.focal_px)[:, None]
        return np.concatenate([(points - self._middle) * stretch, depth[:, None]], 1)

    def project(self, points: Float64Array) -> Float64Array:
        """Project (N, 3) camera space to (N, 2) frame px."""
        stretch = 1 + points[:, 2:] / self.portrait.geometry.focal_px
        projected: Float64Array = points[:, :2] / stretch + self._middle
        return projected

    def pose(self, points: Float64Array, pose: HeadPose) -> Float64Array:
        """Move (N, 3) camera-space points with the skull."""
        pivot = self.portrait.geometry.pivot.astype(np.float64)
        posed: Float64Array = (points - pivot) @ pose.turn.T + pivot + pose.shift
        return posed

    def shapes_of(
        self, expression: Float64Array, gaze: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Return what the renderer makes of a latent.

        Args:
            expression: (52,).
            gaze: (2, 2) radians, as the schema.

        Returns:
            shapes (NUM_SHAPES,), and the coefficients shown (52,) with eyeLook* from the gaze.
        """
        shapes = np.zeros(NUM_SHAPES, np.float32)
        shown = np.zeros(NUM_EXPRESSIONS, np.float32)
        known = self.portrait.shapes
        resolve_expression(
            expression.astype(np.float32),
            gaze.astype(np.float32),
            known.jaw_gap,
            known.source_gap,
            known.source_smile,
            1.0,
            shown,
            shapes,
        )
        return shapes.astype(np.float64), shown.astype(np.float64)

    def shape_slopes(
        self, expression: Float64Array, gaze: Float64Array, active: NDArray[np.intp]
    ) -> Float64Array:
        """Return d shapes / d coefficient, (NUM_SHAPES, len(active)), at a latent."""
        start, _ = self.shapes_of(expression, gaze)
        slopes = np.empty((NUM_SHAPES, len(active)))
        for column, k in enumerate(active):
            moved = expression.copy()
            moved[k] += _STEP
            slopes[:, column] = (self.shapes_of(moved, gaze)[0] - start) / _STEP
        return slopes

    def landmarks_of(self, motion: MotionFrame) -> Float64Array:
        """Return where a latent puts the landmarks, (468, 2) frame px: head_rotation's inverse."""
        yaw, pitch, roll = (float(v) for v in motion.head_rotation)
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        cr, sr = np.cos(roll), np.sin(roll)
        turn = (
            np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
            @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
            @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        )
        axes = self.portrait.geometry.rotation.astype(np.float64)
        in_camera = axes @ (_SIGNS[:, None] * turn * _SIGNS) @ axes.T
        shift = _SIGNS * motion.head_translation.astype(np.float64) * self.unit_px
        shapes, _ = self.shapes_of(
            motion.expression.astype(np.float64), motion.gaze.astype(np.float64)
        )
        return self.project(
            self.pose(self.landmarks + self.deltas @ shapes, HeadPose(in_camera, shift))
        )

    def head_rotation(self, pose: HeadPose) -> Float64Array:
        """Return (yaw, pitch, roll) of a pose, radians, schema's signs."""
        axes = self.portrait.geometry.rotation.astype(np.float64)
        # In head axes (x left, y down, z away) to the schema's by flipping y and z.
        turn = _SIGNS[:, None] * (axes.T @ pose.turn @ axes) * _SIGNS
        # Ry(yaw) Rx(pitch) Rz(roll).
        pitch = np.arcsin(np.clip(-turn[1, 2], -1, 1))
        yaw = np.arctan2(turn[0, 2], turn[2, 2])
        roll = np.arctan2(turn[1, 0], turn[1, 1])
        return np.array([yaw, pitch, roll])

    def head_translation(self, pose: HeadPose) -> Float64Array:
        """Return the head's shift in length units, schema's axes."""
        moved: Float64Array = _SIGNS * pose.shift / self.unit_px
        return moved

    @property
    def _middle(self) -> float:
        return (self.portrait.size_px - 1) / 2
