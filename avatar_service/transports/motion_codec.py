"""MotionFrame to and from its two wire forms.

- the packed blob of 97 bytes (gRPC, ZeroMQ): integers, see protos/avatar/v1/motion.proto;
- the struct of 71 float32 (ring, files), in the order of motion_schema.CHANNELS.

The tables stand in protos/ring/v1/frame_ring.toml.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.schema import NUM_EXPRESSIONS
from avatar_service.signals import Float32Array, MotionFrame
from avatar_service.transports import ring_layout as layout

BLOB_BYTES: Final = layout.BLOB_BYTES
NUM_FLOATS: Final = layout.MOTION_FLOATS

_ROTATION: Final = slice(NUM_EXPRESSIONS, NUM_EXPRESSIONS + 3)
_TRANSLATION: Final = slice(_ROTATION.stop, _ROTATION.stop + 3)
_GAZE: Final = slice(_TRANSLATION.stop, _TRANSLATION.stop + 4)
_EMOTION: Final = slice(_GAZE.stop, _GAZE.stop + 8)
_SPEECH: Final = _EMOTION.stop

_U8_MAX: Final = 255
_I16_MAX: Final = 32767


def to_floats(motion: MotionFrame, out: Float32Array | None = None) -> Float32Array:
    """Write a latent as the float32 struct.

    Args:
        motion: the latent.
        out: (71,) float32 to write to; None: a new array.

    Raises:
        ValueError: a value is not finite, or a field has another shape. `out` is then undefined.
    """
    floats = np.empty(NUM_FLOATS, np.float32) if out is None else out
    floats[:NUM_EXPRESSIONS] = motion.expression
    floats[_ROTATION] = motion.head_rotation
    floats[_TRANSLATION] = motion.head_translation
    floats[_GAZE] = motion.gaze.reshape(4)
    floats[_EMOTION] = motion.emotion
    floats[_SPEECH] = motion.speech
    if not np.isfinite(floats).all():
        raise ValueError("motion latent: a value is not finite")
    return floats


def from_floats(floats: Float32Array, *, pts_nanos: int, seq: int, epoch: int) -> MotionFrame:
    """Make a latent from a copy of the float32 struct.

    Raises:
        ValueError: not 71 values, or one is not finite.
    """
    if floats.shape != (NUM_FLOATS,):
        raise ValueError(f"motion struct: shape {floats.shape}, ({NUM_FLOATS},) is expected")
    if not np.isfinite(floats).all():
        raise ValueError("motion struct: a value is not finite")
    own = floats.astype(np.float32, copy=True)
    return MotionFrame(
        pts_nanos=pts_nanos,
        seq=seq,
        epoch=epoch,
        expression=own[:NUM_EXPRESSIONS],
        head_rotation=own[_ROTATION],
        head_translation=own[_TRANSLATION],
        gaze=own[_GAZE].reshape(2, 2),
        emotion=own[_EMOTION],
        speech=float(own[_SPEECH]),
    )


def encode_blob(motion: MotionFrame) -> bytes:
    """Pack a latent into 97 bytes.

    Values are rounded to the nearest step and limited to the integer's range; the epoch is cut to
    its low 16 bits, the seq to 32.

    Raises:
        ValueError: a value is not finite, a field has another shape, or pts_nanos is no int64.
    """
    floats = to_floats(motion).astype(np.float64)
    if not -(1 << 63) <= motion.pts_nanos < 1 << 63:
        raise ValueError(f"motion latent: pts_nanos {motion.pts_nanos} is no int64")
    record: NDArray[Any] = np.zeros(1, layout.BLOB_DTYPE)
    record["format"] = layout.BLOB_FORMAT
    record["epoch"] = motion.epoch & 0xFFFF
    record["seq"] = motion.seq & 0xFFFFFFFF
    record["pts_nanos"] = motion.pts_nanos
    translation = floats[_TRANSLATION]
    record["head_rotation"] = _signed(floats[_ROTATION], layout.BLOB_HEAD_ROTATION_STEP)
    record["head_xy"] = _signed(translation[:2], layout.BLOB_HEAD_XY_STEP)
    record["head_z"] = _signed(translation[2:], layout.BLOB_HEAD_Z_STEP)
    record["gaze"] = _signed(floats[_GAZE], layout.BLOB_GAZE_STEP)
    record["expression"] = _unsigned(floats[:NUM_EXPRESSIONS], layout.BLOB_EXPRESSION_STEP)
    record["emotion"] = _unsigned(floats[_EMOTION], layout.BLOB_EMOTION_STEP)
    record["speech"] = _unsigned(floats[_SPEECH:], layout.BLOB_SPEECH_STEP)
    return record.tobytes()


def decode_blob(blob: bytes | bytearray | memoryview) -> MotionFrame:
    """Unpack a latent; its epoch holds the low 16 bits only.

    Raises:
        ValueError: another length or format, or a reserved byte or value is set.
    """
    if len(blob) != BLOB_BYTES:
        raise ValueError(f"motion blob: {len(blob)} bytes, {BLOB_BYTES} are expected")
    record: Any = np.frombuffer(blob, layout.BLOB_DTYPE)[0]
    if record["format"] != layout.BLOB_FORMAT:
        raise ValueError(f"motion blob: format {record['format']}, {layout.BLOB_FORMAT} is known")
    if record["reserved"] != 0:
        raise ValueError(f"motion blob: reserved byte is {record['reserved']}, 0 is expected")
    floats = np.empty(NUM_FLOATS, np.float32)
    floats[:NUM_EXPRESSIONS] = record["expression"] * layout.BLOB_EXPRESSION_STEP
    floats[_ROTATION] = _scaled(record["head_rotation"], layout.BLOB_HEAD_ROTATION_STEP)
    floats[_TRANSLATION][:2] = _scaled(record["head_xy"], layout.BLOB_HEAD_XY_STEP)
    floats[_TRANSLATION][2:] = _scaled(record["head_z"], layout.BLOB_HEAD_Z_STEP)
    floats[_GAZE] = _scaled(record["gaze"], layout.BLOB_GAZE_STEP)
    floats[_EMOTION] = record["emotion"] * layout.BLOB_EMOTION_STEP
    floats[_SPEECH] = record["speech"] * layout.BLOB_SPEECH_STEP
    return from_floats(
        floats,
        pts_nanos=int(record["pts_nanos"]),
        seq=int(record["seq"]),
        epoch=int(record["epoch"]),
    )


def widen_epoch(low: int, near: int) -> int:
    """Return the epoch with the low 16 bits `low` that is nearest to the full epoch `near`."""
    distance = ((low - near + 0x8000) & 0xFFFF) - 0x8000
    return max(near + distance, low)


def _signed(values: NDArray[np.float64], step: float) -> NDArray[np.int16]:
    return np.clip(np.rint(values / step), -_I16_MAX, _I16_MAX).astype(np.int16)


def _unsigned(values: NDArray[np.float64], step: float) -> NDArray[np.uint8]:
    return np.clip(np.rint(values / step), 0, _U8_MAX).astype(np.uint8)


def _scaled(steps: Any, step: float) -> NDArray[np.float64]:
    values = np.asarray(steps, np.int64)
    if (values < -_I16_MAX).any():
        raise ValueError("motion blob: -32768 is not a value")
    return values.astype(np.float64) * step
