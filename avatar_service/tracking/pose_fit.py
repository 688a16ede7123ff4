"""Head pose and expression of one picture, fitted together to the landmarks.

Gauss-Newton on the reprojection error. In each step the six numbers of the pose are eliminated
(variable projection, Golub and Pereyra 1973) and the coefficients solved by non-negative least
squares (Lawson and Hanson 1974) with a ridge that keeps shapes the landmarks cannot tell apart
small. Landmarks that fit badly count less (Huber 1964).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import nnls

from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS, Float64Array
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_MAX, EXPRESSION_NAMES
from avatar_service.tracking.face_rig import FaceRig, HeadPose

NOISE: Final = 0.010
"""Standard error of a landmark, units: the models' scatter is .002, their errors on an expression
about this much, and they are not independent of their neighbours."""
_CORRELATED: Final = 3.0
"""Neighbouring landmarks err together: the data count as if there were 1/9 as many."""
_HUBER: Final = 2.0
CLOSED_LIP_GAP: Final = 0.012
"""Opening of the inner lips that the landmark model sees on touching lips, units."""
_ITERATIONS: Final = 4

# What landmarks cannot see, or what eyes_fit.py measures better.
_ELSEWHERE: Final = ("eyeBlink", "eyeLook", "eyeSquint", "eyeWide", "tongueOut")
ACTIVE: Final = np.array(
    [i for i, name in enumerate(EXPRESSION_NAMES) if not name.startswith(_ELSEWHERE)], np.intp
)

# How large coefficients usually are (standard deviations of speech and expression; ARKit values of
# speech: the SAiD data set's coeffs_std.csv): shapes that look alike share a motion in these
# proportions.
_USUAL: Final = {
    "jawOpen": 0.6,
    "mouthSmile": 0.5,
    "mouthPucker": 0.5,
    "mouthFunnel": 0.4,
    "brow": 0.35,
    "noseSneer": 0.2,
    "mouthShrug": 0.15,
    "mouthClose": 0.15,
    "mouthPress": 0.2,
    "mouthRoll": 0.25,
    "mouthDimple": 0.2,
    "jaw": 0.2,
    "cheek": 0.2,
}
_USUAL_OTHERS: Final = 0.3


def _usual(name: str) -> float:
    # The first match counts: jawOpen stands before jaw.
    return next((v for start, v in _USUAL.items() if name.startswith(start)), _USUAL_OTHERS)


_RIDGE: Final = np.array([1 / _usual(EXPRESSION_NAMES[k]) ** 2 for k in ACTIVE])


def _weights() -> Float64Array:
    """Return how much each landmark counts, (468,), about 1."""
    weights = np.full(NUM_LANDMARKS, 0.6)
    weights[[168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 33, 133, 263, 362, 10, 151, 9, 8]] = 2.0
    for row in (topology.BROW_UPPER, topology.BROW_LOWER):
        weights[[*row, *topology.mirrored(row)]] = 1.2
    weights[
        [
            *(*topology.LIP_INNER_UPPER, *topology.LIP_INNER_LOWER),
            *(*topology.LIP_OUTER_UPPER, *topology.LIP_OUTER_LOWER),
        ]
    ] = 1.5
    # Whether lips touch is what a viewer sees first.
    weights[[*topology.LIP_INNER_UPPER, *topology.LIP_INNER_LOWER]] = 4.0
    # The outline slides over the skin as the head turns.
    weights[list(topology.FACE_OVAL)] = 0.25
    # Lids are fitted by eyes_fit.py.
    for lid in (
        *(topology.LID_UPPER[1:-1], topology.LID_LOWER[1:-1]),
        *(topology.LID_UPPER_ROW2, topology.LID_LOWER_ROW2),
    ):
        weights[[*lid, *topology.mirrored(lid)]] = 0.02
    return weights


_WEIGHT: Final = _weights()


@dataclass(frozen=True, slots=True)
class FaceFitted:
    """Pose and expression of one picture.

    Attributes:
        pose: of the skull.
        expression: (52,) 0..1.25; the eyes' coefficients are zero.
        error: weighted root mean square of what is left, units.
    """

    pose: HeadPose
    expression: Float64Array
    error: float


@dataclass(frozen=True, slots=True)
class Points:
    """Points of the rig and where they are seen.

    Attributes:
        rest: (N, 3) camera space.
        deltas: (N, 3, NUM_SHAPES) camera-space px at coefficient 1.
        seen: (N, 2) frame px.
        weight: (N,) how much each counts, a usual landmark about 1.
    """

    rest: Float64Array
    deltas: Float64Array
    seen: Float64Array
    weight: Float64Array

    def and_more(self, other: Points) -> Points:
        """Return both."""
        return Points(
            np.concatenate([self.rest, other.rest]),
            np.concatenate([self.deltas, other.deltas]),
            np.concatenate([self.seen, other.seen]),
            np.concatenate([self.weight, other.weight]),
        )


def landmark_points(rig: FaceRig, landmarks: Float64Array) -> Points:
    """Return the landmarks (468, 2), frame px, as points to fit."""
    return Points(rig.landmarks, rig.deltas, _with_closed_lips(landmarks, rig.unit_px), _WEIGHT)


def _with_closed_lips(landmarks: Float64Array, unit_px: float) -> Float64Array:
    """Take off the gap that the landmark model sees between lips that touch."""
    upper, lower = (
        np.array(row[1:-1]) for row in (topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER)
    )
    gap = landmarks[lower] - landmarks[upper]
    size = np.maximum(np.hypot(*gap.T), 1e-9)[:, None]
    taken = gap / size * np.minimum(size, CLOSED_LIP_GAP * unit_px) / 2
    moved = landmarks.copy()
    moved[upper] += taken
    moved[lower] -= taken
    return moved


def fit_pose(
    rig: FaceRig, points: Points, start: FaceFitted | None = None, *, iterations: int = 4
) -> FaceFitted:
    """Fit one picture.

    Args:
        rig: of the portrait.
        points: what is seen.
        start: the last picture's fit.
        iterations: Gauss-Newton steps.
    """
    unit, focal = rig.unit_px, rig.portrait.geometry.focal_px
    pivot = rig.portrait.geometry.pivot.astype(np.float64)
    pose = start.pose if start else HeadPose.rest()
    expression = start.expression.copy() if start else np.zeros(len(EXPRESSION_NAMES))
    no_gaze = np.zeros((2, 2))
    count = len(points.rest)
    error = 0.0
    for _ in range(iterations):
        shapes, _ = rig.shapes_of(expression, no_gaze)
        slopes = rig.shape_slopes(expression, no_gaze, ACTIVE)
        arm = (points.rest + points.deltas @ shapes - pivot) @ pose.turn.T
        posed = arm + pivot + pose.shift
        residual = (points.seen - rig.project(posed)) / unit

        # d projected / d camera point: rows (x, y) of a (2, 3) matrix per point.
        stretch = 1 + posed[:, 2] / focal
        by_point = np.zeros((count, 2, 3))
        by_point[:, 0, 0] = by_point[:, 1, 1] = 1 / stretch
        by_point[:, :, 2] = -posed[:, :2] / (focal * stretch**2)[:, None]
        by_turn = np.zeros((count, 3, 3))  # d (turn x arm) / d turn
        by_turn[:, 0, 1], by_turn[:, 0, 2] = arm[:, 2], -arm[:, 1]
        by_turn[:, 1, 0], by_turn[:, 1, 2] = -arm[:, 2], arm[:, 0]
        by_turn[:, 2, 0], by_turn[:, 2, 1] = arm[:, 1], -arm[:, 0]
        pose_columns = np.concatenate([by_point @ by_turn / unit, by_point], 2)  # shift in units
        moves = pose.turn @ (points.deltas @ slopes)
        shape_columns = by_point @ moves / unit

        size = np.linalg.norm(residual, axis=1) / NOISE
        robust = points.weight / np.maximum(1, size / _HUBER)
        root = np.repeat(np.sqrt(robust), 2) / (NOISE * _CORRELATED)
        of_pose = pose_columns.reshape(-1, 6) * root[:, None]
        of_shape = shape_columns.reshape(-1, len(ACTIVE)) * root[:, None]
        # Coefficients are solved for as such, not as steps: the ridge holds them, not their change.
        wanted = residual.reshape(-1) * root + of_shape @ expression[ACTIVE]

        basis, upper = np.linalg.qr(of_pose)
        free_shape = of_shape - basis @ (basis.T @ of_shape)
        free_wanted = wanted - basis @ (basis.T @ wanted)
        lower = np.linalg.cholesky(free_shape.T @ free_shape + np.diag(_RIDGE))
        solved, _ = nnls(lower.T, np.linalg.solve(lower, free_shape.T @ free_wanted))
        expression[ACTIVE] = np.minimum(solved, EXPRESSION_MAX)
        step = np.linalg.solve(upper, basis.T @ (wanted - of_shape @ expression[ACTIVE]))
        pose = HeadPose(_turn_by(step[:3]) @ pose.turn, pose.shift + step[3:] * unit)
        spread = (points.weight * (residual**2).sum(1)).sum() / points.weight.sum()
        error = float(np.sqrt(spread))
    return FaceFitted(pose, expression, error)


def _turn_by(vector: Float64Array) -> Float64Array:
    """Return the rotation by a vector (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: Float64Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turn


assert EXPRESSION_INDEX["jawOpen"] in ACTIVE
