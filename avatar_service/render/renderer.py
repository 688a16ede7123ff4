"""What every renderer does, and the limits of what one portrait can show.

Convention:
    MotionFrame as in schema.py. Output: (size_px, size_px, 4) uint8 RGBA, sRGB, straight alpha,
    row 0 on top.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait.portrait import Geometry
from avatar_service.schema import (
    EXPRESSION_MAX,
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
    NUM_EXPRESSIONS,
)
from avatar_service.signals import Background, Float32Array, Int8Array, MotionFrame, UInt8Array

MAX_YAW: Final = math.radians(24)
MAX_PITCH: Final = math.radians(18)
MAX_ROLL: Final = math.radians(25)
"""Furthest turn from the photo's pose that still looks like a head."""
MIN_YAW: Final = math.radians(6)
_TURNED_SHARE: Final = 0.8
"""A head already turned in the photo may turn less far in the same direction."""
_KNEE: Final = 0.7
"""Up to this share of a limit nothing changes; beyond, motion is compressed towards it."""
MAX_SHIFT: Final = 0.6
"""Largest shift sideways or up and down, units."""
MAX_NEARER: Final = 6.0
MAX_FARTHER: Final = 2.3
"""Nearest and farthest place, units: the body's texture ends where the camera would see more."""


class Batch(Protocol):
    """Draws frames of several renderers at once, on a device."""

    def draw(self, shots: Sequence[Any]) -> Sequence[Exception | None]:
        """Draw what `Renderer.shot` has made; return what kept each from being drawn."""
        ...


class Renderer(Protocol):
    """Draws one portrait. One thread at a time; several renderers may work in parallel."""

    @property
    def size_px(self) -> int:
        """Side of the frames."""
        ...

    def set_background(
        self, background: Background, color: tuple[int, int, int] = (0, 177, 64)
    ) -> None:
        """Choose what stands behind the person from the next frame on."""
        ...

    def set_mark(self, pattern: Int8Array | None) -> None:
        """Choose the watermark from the next frame on (signals.MARK_TILE_PX); None: none.

        A session's renderer always has one; benchmarks and tracking compare unmarked frames.
        """
        ...

    def set_badge(self, is_shown: bool) -> None:
        """Show the visible badge from the next frame on, or not."""
        ...

    def warm_up(self) -> None:
        """Do what the first frame would have to wait for (compilation, memory)."""
        ...

    def render(self, motion: MotionFrame, out: UInt8Array) -> None:
        """Draw one frame into out, (size_px, size_px, 4) uint8.

        Raises:
            AvatarError: INVALID_FIELD where the motion holds values that are not finite or the
                buffer has another shape.
        """
        ...

    @property
    def batch(self) -> Batch | None:
        """What draws frames of several renderers at once; None: each draws by itself."""
        ...

    def shot(self, motion: MotionFrame, out: UInt8Array) -> Any:
        """Make what `batch` draws; only where there is one."""
        ...

    def close(self) -> None:
        """Give resources back; idempotent. Not while a frame is drawn."""
        ...


class HasGeometry(Protocol):
    """A portrait, or one that was scaled."""

    @property
    def geometry(self) -> Geometry:
        """The mesh at rest."""
        ...


def limit_motion(portrait: HasGeometry, motion: MotionFrame) -> MotionFrame:
    """Return the motion that this portrait can show, so that latents describe what is shown.

    Rotation is compressed smoothly near the portrait's limits; small motion is left as it is.

    Raises:
        AvatarError: INVALID_FIELD where a value is not finite.
    """
    check_motion(motion)
    yaw, pitch, roll = (float(v) for v in motion.head_rotation)
    geometry = portrait.geometry
    yaw_limit = _turn_limit(MAX_YAW, geometry.source_yaw, yaw)
    pitch_limit = _turn_limit(MAX_PITCH, geometry.source_pitch, pitch)
    rotation = [_soften(yaw, yaw_limit), _soften(pitch, pitch_limit), _soften(roll, MAX_ROLL)]
    x, y, z = (float(v) for v in motion.head_translation)
    far_side = MAX_NEARER if z > 0 else MAX_FARTHER
    translation = [_soften(x, MAX_SHIFT), _soften(y, MAX_SHIFT), _soften(z, far_side)]
    gaze_limit = np.array([MAX_GAZE_YAW_RADIANS, MAX_GAZE_PITCH_RADIANS], np.float32)
    return dataclasses.replace(
        motion,
        expression=np.clip(motion.expression, 0, EXPRESSION_MAX).astype(np.float32),
        head_rotation=np.array(rotation, np.float32),
        head_translation=np.array(translation, np.float32),
        gaze=np.clip(motion.gaze, -gaze_limit, gaze_limit).astype(np.float32),
    )


def check_motion(motion: MotionFrame) -> None:
    """Raise INVALID_FIELD unless the motion's shapes are right and its values finite."""
    for name, values, shape in (
        ("expression", motion.expression, (NUM_EXPRESSIONS,)),
        ("head_rotation", motion.head_rotation, (3,)),
        ("head_translation", motion.head_translation, (3,)),
        ("gaze", motion.gaze, (2, 2)),
    ):
        if values.shape != shape:
            raise AvatarError(
                Reason.INVALID_FIELD, f"{name} has shape {values.shape}; it must be {shape}."
            )
        if not _all_finite(values):
            raise AvatarError(
                Reason.INVALID_FIELD, f"{name} holds values that are not finite.", field=name
            )


def _all_finite(values: Float32Array) -> bool:
    # The sum of finite float32 numbers in float64 is finite; no temporary array is made.
    return math.isfinite(float(values.sum(dtype=np.float64)))


def _turn_limit(limit: float, source: float, turn: float) -> float:
    """Return the limit for a turn, smaller where it goes on in the photo's own direction."""
    if source * turn <= 0:
        return limit
    return max(MIN_YAW, limit - _TURNED_SHARE * abs(source))


def _soften(value: float, limit: float) -> float:
    knee = _KNEE * limit
    if abs(value) <= knee:
        return value
    room = limit - knee
    return math.copysign(knee + room * math.tanh((abs(value) - knee) / room), value)
