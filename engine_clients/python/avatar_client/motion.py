"""The motion latent on the client's side: numbers with names, from blob or float32 struct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_client import ring_layout as layout
from avatar_client.gen.avatar.v1 import motion_pb2

Float32Array = NDArray[np.float32]

NUM_FLOATS: Final = layout.MOTION_FLOATS
_EXPRESSION: Final = slice(0, 52)
_ROTATION: Final = slice(52, 55)
_TRANSLATION: Final = slice(55, 58)
_GAZE: Final = slice(58, 62)
_EMOTION: Final = slice(62, 70)
_SPEECH: Final = 70


@dataclass(frozen=True, slots=True)
class Motion:
    """One step of the motion latent; avatar/v1/motion.proto has axes, signs and units.

    Attributes:
        values: (71,) float32 in the order of MotionSchema.channels; map them by name.
    """

    pts_nanos: int
    seq: int
    epoch: int
    values: Float32Array

    @property
    def expression(self) -> Float32Array:
        """(52,) ARKit coefficients, 0 to 1.25; clamp where the rig asks for it."""
        return self.values[_EXPRESSION]

    @property
    def head_rotation(self) -> Float32Array:
        """(3,) yaw, pitch, roll, radians."""
        return self.values[_ROTATION]

    @property
    def head_translation(self) -> Float32Array:
        """(3,) x, y, z, outer-eye distances."""
        return self.values[_TRANSLATION]

    @property
    def gaze(self) -> Float32Array:
        """(2, 2) rows left and right eye, columns yaw and pitch, radians, head frame."""
        return self.values[_GAZE].reshape(2, 2)

    @property
    def emotion(self) -> Float32Array:
        """(8,) weights of the emotions."""
        return self.values[_EMOTION]

    @property
    def speech(self) -> float:
        """Voice activity, 0 to 1."""
        return float(self.values[_SPEECH])


class MotionNames:
    """Names of a session's channels, from its schema.

    Raises:
        ValueError: the schema has another number of channels than this client can decode.
    """

    def __init__(self, schema: motion_pb2.MotionSchema) -> None:
        if len(schema.channels) != NUM_FLOATS:
            raise ValueError(
                f"motion schema {schema.schema_id} has {len(schema.channels)} channels, "
                f"{NUM_FLOATS} are known"
            )
        self.schema_id = schema.schema_id
        self.names: tuple[str, ...] = tuple(channel.name for channel in schema.channels)
        self.expression_names: tuple[str, ...] = self.names[_EXPRESSION]

    def by_name(self, motion: Motion) -> Mapping[str, float]:
        """Return the latent's values by channel name."""
        return dict(zip(self.names, motion.values.tolist(), strict=True))


def decode_blob(blob: bytes, *, near_epoch: int = 0) -> Motion:
    """Unpack MotionLatent.blob.

    Args:
        blob: 97 bytes.
        near_epoch: full epoch nearby; the blob holds 16 bits of it.

    Raises:
        ValueError: another length or format, or a reserved byte or value is set.
    """
    if len(blob) != layout.BLOB_BYTES:
        raise ValueError(f"motion blob: {len(blob)} bytes, {layout.BLOB_BYTES} are expected")
    record: Any = np.frombuffer(blob, layout.BLOB_DTYPE)[0]
    if record["format"] != layout.BLOB_FORMAT or record["reserved"] != 0:
        raise ValueError(f"motion blob: format {record['format']}, {layout.BLOB_FORMAT} is known")
    angles = np.concatenate([record["head_rotation"], record["head_xy"], record["gaze"]])
    if angles.min() == -32768 or record["head_z"] == -32768:
        raise ValueError("motion blob: -32768 is not a value")
    values = np.empty(NUM_FLOATS, np.float32)
    values[_EXPRESSION] = record["expression"] * layout.BLOB_EXPRESSION_STEP
    values[_ROTATION] = record["head_rotation"] * layout.BLOB_HEAD_ROTATION_STEP
    values[_TRANSLATION][:2] = record["head_xy"] * layout.BLOB_HEAD_XY_STEP
    values[_TRANSLATION][2] = float(record["head_z"]) * layout.BLOB_HEAD_Z_STEP
    values[_GAZE] = record["gaze"] * layout.BLOB_GAZE_STEP
    values[_EMOTION] = record["emotion"] * layout.BLOB_EMOTION_STEP
    values[_SPEECH] = float(record["speech"]) * layout.BLOB_SPEECH_STEP
    epoch = widen_epoch(int(record["epoch"]), near_epoch)
    return Motion(int(record["pts_nanos"]), int(record["seq"]), epoch, values)


def widen_epoch(low: int, near: int) -> int:
    """Return the epoch with the low 16 bits `low` that is nearest to the full epoch `near`."""
    distance = ((low - near + 0x8000) & 0xFFFF) - 0x8000
    return max(near + distance, low)
