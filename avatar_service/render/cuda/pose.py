"""From latents to what the kernels need to know of a frame, for many sessions in one call.

The same kernels that the CPU renderer calls (render/expression.py, rig.py, sway.py), in the same
order; they are a few microseconds a frame, and stay on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel
from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.expression_folds import GROUPS
from avatar_service.portrait.strands import NUM_KINDS
from avatar_service.render import rig
from avatar_service.render.breathing import pose_torso
from avatar_service.render.expression import pull_folds, resolve_expression, resolve_gaze
from avatar_service.render.raster import FOLD_ONE
from avatar_service.render.renderer import MAX_FARTHER, MAX_NEARER, MAX_SHIFT
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.render.strands import lag_strands
from avatar_service.render.sway import (
    DAMPING,
    FREQUENCY_HZ,
    MAX_GAP_NANOS,
    SHIFT_LAG,
    TURN_LAG,
    swing,
)
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS
from avatar_service.signals import Float32Array, MotionFrame

_JAW_LEFT, _JAW_RIGHT, _JAW_FORWARD = (
    EXPRESSION_INDEX[name] for name in ("jawLeft", "jawRight", "jawForward")
)
_NEVER: Final = -(1 << 60)
"""Time of the frame before the first: too long ago for any spring."""
UNIT, JAW_GAP, SOURCE_GAP, SOURCE_SMILE, NEUTRALIZE, NUM_NUMBERS = range(6)
"""Columns of PoseTable.numbers."""


class PoseTable:
    """What posing needs of every session, one row each; rows are handed out and taken back."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self.rotation = np.zeros((0, 3, 3), np.float32)
        self.pivot = np.zeros((0, 3), np.float32)
        self.hinge = np.zeros((0, 3), np.float32)
        self.down = np.zeros((0, 3), np.float32)
        self.numbers = np.zeros((0, NUM_NUMBERS), np.float64)
        self.springs = np.zeros((0, 3, 6), np.float64)
        self.strand_springs = np.zeros((0, NUM_KINDS, 3, 6), np.float64)
        self.last_nanos = np.zeros(0, np.int64)

    def add(self, scaled: ScaledPortrait, neutralize: float) -> int:
        """Give a session a row."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        geometry, shapes = scaled.geometry, scaled.shapes
        self.rotation[row], self.pivot[row] = geometry.rotation, geometry.pivot
        self.hinge[row], self.down[row] = geometry.hinge, geometry.rotation[:, 1]
        self.numbers[row] = (
            geometry.unit_px, shapes.jaw_gap, shapes.source_gap, shapes.source_smile, neutralize,
        )  # fmt: skip
        self.last_nanos[row] = _NEVER
        return row

    def remove(self, row: int) -> None:
        """Take a row back."""
        self._free.append(row)

    def _grow(self) -> None:
        count = len(self.last_nanos)
        more = max(16, count)
        for name in (
            "rotation", "pivot", "hinge", "down", "numbers", "springs", "strand_springs",
            "last_nanos",
        ):  # fmt: skip
            old = getattr(self, name)
            added = np.zeros((more, *old.shape[1:]), old.dtype)
            setattr(self, name, np.concatenate([old, added]))
        self._free = list(range(count + more - 1, count - 1, -1))


class PoseBatch:
    """Buffers for up to `capacity` frames, contiguous per quantity."""

    def __init__(self, capacity: int) -> None:
        def zeros(*shape: int) -> Float32Array:
            return np.zeros((capacity, *shape), np.float32)

        self.capacity = capacity
        self._rows = np.zeros(capacity, np.int64)
        self._nanos = np.zeros(capacity, np.int64)
        self._expression = zeros(NUM_EXPRESSIONS)
        self._gaze_asked = zeros(2, 2)
        self._turn, self._shift = zeros(3), zeros(3)
        self._out: dict[str, NDArray[Any]] = {
            "shapes": zeros(NUM_SHAPES), "coefficients": zeros(NUM_EXPRESSIONS),
            "gaze": zeros(2, 2), "skull": zeros(3, 4), "jaw": zeros(3, 4),
            "lagging": zeros(3, 4), "strands": zeros(NUM_KINDS, 3, 4), "torso_shift": zeros(4),
            "image_down": zeros(3), "pull": np.zeros((capacity, 1 + len(GROUPS)), np.int32),
        }  # fmt: skip

    def fill(
        self,
        table: PoseTable,
        rows: Sequence[int],
        motions: Sequence[MotionFrame],
        frames: NDArray[Any],
    ) -> None:
        """Pose frames of different sessions, one each at most.

        Args:
            table: of the sessions.
            rows: of the table, one per frame.
            motions: checked, see renderer.check_motion.
            frames: (N,) of layout.FRAME, filled but for avatar and background.
        """
        count = len(rows)
        self._rows[:count] = rows
        for n, motion in enumerate(motions):
            self._nanos[n] = motion.pts_nanos
            self._expression[n] = motion.expression
            self._gaze_asked[n] = motion.gaze
            self._turn[n] = motion.head_rotation
            self._shift[n] = motion.head_translation
        out = self._out
        _pose_frames(
            count, self._rows, self._nanos, self._expression, self._gaze_asked, self._turn,
            self._shift, table.rotation, table.pivot, table.hinge, table.down, table.numbers,
            table.springs, table.strand_springs, table.last_nanos, out["shapes"],
            out["coefficients"], out["gaze"],
            out["skull"], out["jaw"], out["lagging"], out["torso_shift"], out["image_down"],
            out["pull"], out["strands"],
        )  # fmt: skip
        for name, values in out.items():
            frames[name] = values[:count].reshape(count, -1)


@kernel
def _pose_frames(
    count: int,
    rows: np.ndarray,
    nanos: np.ndarray,
    expression: Float32Array,
    gaze_asked: Float32Array,
    turn: Float32Array,
    shift: Float32Array,
    rotation: Float32Array,
    pivot: Float32Array,
    hinge: Float32Array,
    down: Float32Array,
    numbers: np.ndarray,
    springs: np.ndarray,
    strand_springs: np.ndarray,
    last_nanos: np.ndarray,
    shapes: Float32Array,
    coefficients: Float32Array,
    gaze: Float32Array,
    skull: Float32Array,
    jaw: Float32Array,
    lagging: Float32Array,
    torso_shift: Float32Array,
    image_down: Float32Array,
    pull: np.ndarray,
    strands: Float32Array,
) -> None:
    """Pose each frame as CpuRenderer does."""
    target, places = np.zeros(6, np.float32), np.zeros(6, np.float32)
    lagging_jaw, strand_places = np.zeros((3, 4), np.float32), np.zeros(6, np.float32)
    for n in range(count):
        row = rows[n]
        unit = numbers[row, UNIT]
        resolve_gaze(expression[n], gaze_asked[n], gaze[n])
        opening = resolve_expression(
            expression[n], gaze[n], numbers[row, JAW_GAP], numbers[row, SOURCE_GAP],
            numbers[row, SOURCE_SMILE], numbers[row, NEUTRALIZE], coefficients[n], shapes[n],
        )  # fmt: skip
        pull_folds(coefficients[n], FOLD_ONE, pull[n])
        for j in range(3):
            turn[n, j] = min(max(turn[n, j], np.float32(-1)), np.float32(1))
            low, high = (-MAX_FARTHER, MAX_NEARER) if j == 2 else (-MAX_SHIFT, MAX_SHIFT)
            shift[n, j] = min(max(shift[n, j], np.float32(low)), np.float32(high))
            target[j], target[3 + j] = turn[n, j], shift[n, j]
        rig.pose_head(
            rotation[row], pivot[row], hinge[row], unit, turn[n], shift[n], opening,
            float(coefficients[n, _JAW_LEFT] - coefficients[n, _JAW_RIGHT]),
            float(coefficients[n, _JAW_FORWARD]), skull[n], jaw[n],
        )  # fmt: skip
        gap = nanos[n] - last_nanos[row]
        last_nanos[row] = nanos[n]
        reset = not 0 < gap <= MAX_GAP_NANOS
        swing(
            springs[row], target, gap / 1e9, reset, FREQUENCY_HZ, DAMPING, TURN_LAG, SHIFT_LAG,
            places,
        )  # fmt: skip
        lag_strands(
            strand_springs[row], target, gap / 1e9, reset, rotation[row], pivot[row], hinge[row],
            unit, lagging_jaw, strand_places, strands[n],
        )  # fmt: skip
        rig.pose_head(
            rotation[row], pivot[row], hinge[row], unit, places[:3], places[3:], 0.0, 0.0, 0.0,
            lagging[n], lagging_jaw,
        )  # fmt: skip
        pose_torso(nanos[n], unit, shift[n], places[3:], torso_shift[n])
        rig.turn_axis(skull[n], down[row], image_down[n])
