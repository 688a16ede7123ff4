"""Lays the hidden side of a turned face out flat, so that the mesh does not fold over its outline.

On a face turned away from the camera the landmarks of the far cheek lie behind the outline. Texture
coordinates are positions in the photo: a folded strip would show the background as skin.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.head_frame import HeadFrame
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS, Float64Array

BoolArray = NDArray[np.bool_]

_PASSES: Final = 40
_SECTOR_RADIANS: Final = np.radians(7)
_CLEARANCE: Final = 0.012
"""The outline is pushed this far (units) beyond what lies in its sector."""

_FLATTEN: Final = 0.42
_TURNED: Final = (7.0, 18.0)
"""Share of the far cheek's depth that is taken away, growing over this turn, degrees."""
_FROM, _TO = 0.38, 0.75
"""Where the far cheek begins and where it is flattened fully, units from the middle."""


def unfold(landmarks: Float64Array, unit_px: float) -> Float64Array:
    """Return (468, 3) landmarks without triangles that face backwards near the outline.

    Outline points behind another landmark are pushed out; the rows between are spread by
    averaging neighbours. Lips, lids and everything that faces the camera stay where they are.

    Args:
        landmarks: (468, 3) frame px.
        unit_px: distance of the outer eye corners.
    """
    result = landmarks.copy()
    if not _folded(result).any():
        return result
    oval = np.array(topology.FACE_OVAL)
    _push_out(result, oval, _CLEARANCE * unit_px)
    neighbours = _neighbours()
    fixed = np.zeros(NUM_LANDMARKS, bool)
    fixed[oval] = True
    for row in (
        *(topology.LIP_OUTER_UPPER, topology.LIP_OUTER_LOWER),
        *(topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER),
        *(topology.LID_UPPER, topology.LID_LOWER),
    ):
        fixed[[*row, *topology.mirrored(row)]] = True
    for _ in range(_PASSES):
        folded = _folded(result)
        if not folded.any():
            break
        loose = np.unique(topology.TRIANGLES[folded])
        loose = loose[~fixed[loose]]
        for i in loose:
            result[i, :2] = 0.3 * result[i, :2] + 0.7 * result[neighbours[i], :2].mean(0)
    return result


def flatten_far_side(landmarks: Float64Array, head: HeadFrame) -> Float64Array:
    """Return landmarks whose far cheek lies less deep on a turned face.

    A strip of a few pixels stands there for a whole cheek. With its full depth it would swell when
    the head turns back; the flatter it is, the less of it comes into view.

    Args:
        landmarks: (468, 3) frame px.
        head: its axes and turn.
    """
    turned = abs(float(np.degrees(head.yaw)))
    share = _FLATTEN * float(np.clip((turned - _TURNED[0]) / (_TURNED[1] - _TURNED[0]), 0, 1))
    if share == 0:
        return landmarks
    points = head.to_head(landmarks)
    # The far side is that of the nose: a head turned to image left hides its image-left cheek.
    toward = np.sign(head.rotation[0, 2]) * -1.0
    far = np.clip((toward * points[:, 0] - _FROM) / (_TO - _FROM), 0, 1)
    far = far * far * (3 - 2 * far)
    flattened = landmarks.copy()
    middle = float(landmarks[topology.NOSE_TIP, 2])
    flattened[:, 2] -= share * far * np.maximum(landmarks[:, 2] - middle, 0)
    return flattened


def _folded(landmarks: Float64Array) -> BoolArray:
    """Return which triangles (852,) face backwards: they run clockwise on a front view."""
    a, b, c = (landmarks[topology.TRIANGLES[:, i], :2] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    folded: BoolArray = area < 0
    return folded


def _push_out(landmarks: Float64Array, oval: NDArray[np.intp], clearance_px: float) -> None:
    center = landmarks[oval, :2].mean(0)
    arms = landmarks[:, :2] - center
    angle, radius = np.arctan2(arms[:, 1], arms[:, 0]), np.hypot(arms[:, 0], arms[:, 1])
    inner = np.setdiff1d(np.arange(NUM_LANDMARKS), oval)
    for i in oval:
        turn = np.abs(np.angle(np.exp(1j * (angle[inner] - angle[i]))))
        needed = radius[inner][turn < _SECTOR_RADIANS].max(initial=0) + clearance_px
        if radius[i] < needed:
            landmarks[i, :2] = center + arms[i] * needed / radius[i]


def _neighbours() -> list[NDArray[np.intp]]:
    found: list[set[int]] = [set() for _ in range(NUM_LANDMARKS)]
    for triangle in topology.TRIANGLES.tolist():
        for i in triangle:
            found[i] |= set(triangle) - {i}
    return [np.array(sorted(numbers)) for numbers in found]
