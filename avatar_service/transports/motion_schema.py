"""The motion latent as a list of channels: what a client is told once per session.

Channels stand in the order of the float32 struct of ring and files; receivers map by name.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from avatar_service import schema
from avatar_service.transports import ring_layout as layout


class Unit(Enum):
    """Unit of a channel."""

    COEFFICIENT = "coefficient"
    RADIANS = "radians"
    OUTER_EYE_DISTANCES = "outer_eye_distances"


class Group(Enum):
    """Field of MotionFrame that a channel belongs to."""

    EXPRESSION = "expression"
    HEAD_ROTATION = "head_rotation"
    HEAD_TRANSLATION = "head_translation"
    GAZE = "gaze"
    EMOTION = "emotion"
    SPEECH = "speech"


@dataclass(frozen=True, slots=True)
class Channel:
    """One number of the latent.

    Attributes:
        minimum: smallest value that the wire carries; `maximum` the largest.
        rest: value in the rest pose.
        blob_offset: byte offset in the packed blob.
        blob_step: value of one step of the integer there.
    """

    name: str
    group: Group
    unit: Unit
    minimum: float
    maximum: float
    rest: float
    blob_offset: int
    blob_step: float


HEAD_ROTATION_NAMES: Final = ("headYaw", "headPitch", "headRoll")
HEAD_TRANSLATION_NAMES: Final = ("headX", "headY", "headZ")
GAZE_NAMES: Final = ("gazeLeftYaw", "gazeLeftPitch", "gazeRightYaw", "gazeRightPitch")
EMOTION_CHANNEL_NAMES: Final = tuple(f"emotion{name.capitalize()}" for name in schema.EMOTION_NAMES)
SPEECH_NAME: Final = "speech"


def _blob_offset(field: str, index: int) -> int:
    fields = layout.BLOB_DTYPE.fields
    if fields is None:
        raise TypeError("the blob's record type has no fields")
    dtype, offset = fields[field][:2]
    return int(offset) + index * dtype.base.itemsize


def _channels() -> Iterator[Channel]:
    for i, name in enumerate(schema.EXPRESSION_NAMES):
        yield Channel(
            name=name,
            group=Group.EXPRESSION,
            unit=Unit.COEFFICIENT,
            minimum=0.0,
            maximum=schema.EXPRESSION_MAX,
            rest=0.0,
            blob_offset=_blob_offset("expression", i),
            blob_step=layout.BLOB_EXPRESSION_STEP,
        )
    for i, name in enumerate(HEAD_ROTATION_NAMES):
        offset = _blob_offset("head_rotation", i)
        yield _angle(name, Group.HEAD_ROTATION, offset, layout.BLOB_HEAD_ROTATION_STEP)
    for i, name in enumerate(HEAD_TRANSLATION_NAMES):
        field, index = ("head_xy", i) if i < 2 else ("head_z", 0)
        step = layout.BLOB_HEAD_XY_STEP if i < 2 else layout.BLOB_HEAD_Z_STEP
        yield Channel(
            name=name,
            group=Group.HEAD_TRANSLATION,
            unit=Unit.OUTER_EYE_DISTANCES,
            minimum=-32767 * step,
            maximum=32767 * step,
            rest=0.0,
            blob_offset=_blob_offset(field, index),
            blob_step=step,
        )
    for i, name in enumerate(GAZE_NAMES):
        yield _angle(name, Group.GAZE, _blob_offset("gaze", i), layout.BLOB_GAZE_STEP)
    for i, name in enumerate(EMOTION_CHANNEL_NAMES):
        offset = _blob_offset("emotion", i)
        yield _share(name, Group.EMOTION, offset, layout.BLOB_EMOTION_STEP)
    offset = _blob_offset("speech", 0)
    yield _share(SPEECH_NAME, Group.SPEECH, offset, layout.BLOB_SPEECH_STEP)


def _angle(name: str, group: Group, blob_offset: int, blob_step: float) -> Channel:
    return Channel(name, group, Unit.RADIANS, -math.pi, math.pi, 0.0, blob_offset, blob_step)


def _share(name: str, group: Group, blob_offset: int, blob_step: float) -> Channel:
    return Channel(name, group, Unit.COEFFICIENT, 0.0, 1.0, 0.0, blob_offset, blob_step)


CHANNELS: Final = tuple(_channels())
NUM_CHANNELS: Final = len(CHANNELS)


def schema_hash() -> int:
    """Return the first 8 bytes, little-endian, of SHA-256 over schema id and channel names."""
    text = "\n".join((schema.SCHEMA_ID, *(channel.name for channel in CHANNELS)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
