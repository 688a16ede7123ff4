"""Targets of the brow and lid blendshapes.

Convention:
    Head coordinates in units of the outer-eye distance: x to the subject's left, y down, z away.
    Brow and lid rows run from the outer end (t = 0) to the inner one (t = 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.deformation import DeformationSpace
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.shapes_mouth import SIDES

_FOREHEAD: Final = (108, 337, 69, 299)
_STILL: Final = (168, 6, 195, 2, 98, 327, 10, 151)
_STILL_BROW: Final = (2, 98, 327, 1, 4, 5, 195, 168, 6, 10, 9, 234, 454, 127, 356)
_FOLLOW_BLINK: Final = (0.62, 0.14)
"""How far the two rows above the upper lid follow it."""
_MEETS, _RISES = 1.01, 0.06
"""The lids of a blink meet a little before its end, and the lower one comes up by this share."""
_OVER_BALL: Final = 0.025
"""So far forward, units, a lid slides over the ball."""
_FOLLOW_LOWER: Final = (0.5, 0.15)

BrowTarget = Callable[[float, float], tuple[float, float, float]]
LidTarget = Callable[[Float64Array], Float64Array]


def _row(row: tuple[int, ...], side: float) -> tuple[int, ...]:
    return topology.mirrored(row) if side > 0 else row


def brow_shapes(space: DeformationSpace) -> dict[str, Float64Array]:
    """Return name -> (V, 3) displacements of the five brow shapes."""
    handles = {*_FOREHEAD, *_STILL_BROW, *_lips()}
    for row in (
        *(topology.BROW_UPPER, topology.BROW_LOWER, topology.LID_UPPER_ROW2),
        *(topology.LID_UPPER, topology.LID_LOWER, topology.LID_LOWER_ROW3),
    ):
        handles |= {*row, *topology.mirrored(row)}
    solver = space.solver(handles)

    def solve(target: BrowTarget, sides: tuple[float, ...]) -> Float64Array:
        targets: dict[int, tuple[float, float, float]] = {}
        for side in sides:
            for brow in (topology.BROW_UPPER, topology.BROW_LOWER):
                for i, landmark in enumerate(_row(brow, side)):
                    targets[landmark] = target(i / 4, side)
            for i, landmark in enumerate(_row(topology.LID_UPPER_ROW2, side)):
                x, y, _ = target(i / 6, side)
                targets[landmark] = (0.15 * x, 0.18 * y, 0.0)
            # The forehead follows, so that the skin does not fold at the brow.
            near, far = (337, 299) if side > 0 else (108, 69)
            targets[near] = (0.0, 0.35 * target(1.0, side)[1], 0.0)
            targets[far] = (0.0, 0.35 * target(0.5, side)[1], 0.0)
        return solver.solve(targets)

    shapes = {
        "browInnerUp": solve(lambda t, side: (0, -0.10 * _smoothstep(t, 0.1, 1.0), 0), (-1.0, 1.0))
    }
    for side, suffix in SIDES:
        shapes["browDown" + suffix] = solve(
            lambda t, s: (-s * 0.03 * t, 0.04 + 0.035 * t, 0.0), (side,)
        )
        shapes["browOuterUp" + suffix] = solve(
            lambda t, s: (0, -0.09 * (1 - 0.75 * _smoothstep(t, 0.3, 1.0)), 0), (side,)
        )
    return shapes


def lid_shapes(
    space: DeformationSpace, neutral: Float64Array, to_camera: Float64Array
) -> dict[str, Float64Array]:
    """Return name -> (V, 3) displacements of blink, squint, wide, look and cheekSquint.

    Args:
        space: of the photo.
        neutral: (V, 3) without the photo's own expression, whose smile narrows the eyes: a lid that
            closes the photo's gap leaves a slit of the neutral face's.
        to_camera: (3,) unit vector: lids meet in the picture, so that a closing lid may come
            forward along no other way.
    """
    handles = {*_STILL, *_lips(), *topology.FACE_OVAL}
    for row in (
        *(topology.LID_UPPER, topology.LID_LOWER, topology.LID_UPPER_ROW2, topology.LID_UPPER_ROW3),
        *(topology.LID_LOWER_ROW2, topology.LID_LOWER_ROW3, topology.CHEEKBONE_ROW),
        *(topology.BROW_UPPER, topology.BROW_LOWER),
    ):
        handles |= {*row, *topology.mirrored(row)}
    solver = space.solver(handles)

    def solve(
        side: float, upper: LidTarget, lower: LidTarget, cheek: tuple[float, ...] = (0.0, 0.0, 0.0)
    ) -> Float64Array:
        targets = _lid_targets(neutral, side, upper, lower)
        for row in (topology.CHEEKBONE_ROW, topology.LID_LOWER_ROW3):
            for landmark in _row(row, side):
                targets[landmark] = targets.get(landmark, np.zeros(3)) + np.array(cheek)
        return solver.solve(targets)

    shapes: dict[str, Float64Array] = {}
    forward = _OVER_BALL * to_camera
    for side, suffix in SIDES:
        shapes |= {
            "eyeBlink" + suffix: solve(
                side,
                lambda g: (_MEETS - _RISES) * g + forward,
                lambda g: -_RISES * g,
            ),
            "eyeSquint" + suffix: solve(
                side, lambda g: 0.14 * g, lambda g: -0.24 * g, (0, -0.01, 0)
            ),
            "eyeWide" + suffix: solve(side, lambda g: -0.20 * g, lambda g: 0.06 * g),
            "eyeLookDown" + suffix: solve(side, lambda g: 0.36 * g, lambda g: 0.07 * g),
            "eyeLookUp" + suffix: solve(side, lambda g: -0.12 * g, lambda g: -0.03 * g),
            "eyeLookIn" + suffix: solve(side, lambda g: 0.02 * g, lambda g: 0.0 * g),
            "eyeLookOut" + suffix: solve(side, lambda g: 0.02 * g, lambda g: 0.0 * g),
            "cheekSquint" + suffix: solve(
                side, lambda g: 0.0 * g, lambda g: -0.14 * g, (0.0, -0.045, -0.015)
            ),
        }
    return shapes


def _lid_targets(
    position: Float64Array, side: float, upper: LidTarget, lower: LidTarget
) -> dict[int, Float64Array]:
    """Move the lid margins by a function of the gap between them; the rows around follow."""
    up, low = _row(topology.LID_UPPER, side), _row(topology.LID_LOWER, side)
    targets: dict[int, Float64Array] = {}
    for i in range(1, 8):
        gap = position[low[i]] - position[up[i]]
        move_up, move_low = np.asarray(upper(gap)), np.asarray(lower(gap))
        targets[up[i]], targets[low[i]] = move_up, move_low
        near, far = _FOLLOW_BLINK
        end = 0.6 if i in (1, 7) else 1.0
        targets[_row(topology.LID_UPPER_ROW2, side)[i - 1]] = near * end * move_up
        targets[_row(topology.LID_UPPER_ROW3, side)[i - 1]] = far * move_up
        near, far = _FOLLOW_LOWER
        targets[_row(topology.LID_LOWER_ROW2, side)[i - 1]] = near * move_low
        targets[_row(topology.LID_LOWER_ROW3, side)[i - 1]] = far * move_low
    return targets


def _lips() -> set[int]:
    return {
        *topology.LIP_OUTER_UPPER,
        *topology.LIP_OUTER_LOWER,
        *topology.LIP_INNER_UPPER,
        *topology.LIP_INNER_LOWER,
    }


def _smoothstep(value: float, low: float, high: float) -> float:
    t = float(np.clip((value - low) / (high - low), 0, 1))
    return t * t * (3 - 2 * t)
