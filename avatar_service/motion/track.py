"""A whole clip of motion as arrays, and its file motion.npz."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.schema import (
    EMOTION_NAMES,
    EXPRESSION_NAMES,
    NUM_EMOTIONS,
    NUM_EXPRESSIONS,
    SCHEMA_ID,
)
from avatar_service.signals import Float32Array, MotionFrame

_MAX_FILE_BYTES: Final = 1 << 30
_MAX_ARRAY_BYTES: Final = 1 << 30
_MAX_FRAMES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class MotionTrack:
    """All frames of a clip; arrays as in MotionFrame with the frame as first axis.

    Attributes:
        pts_nanos: (N,) int64, strictly rising.
        expression: (N, 52) float32, order of schema.EXPRESSION_NAMES.
        head_rotation: (N, 3) float32 yaw, pitch, roll in radians.
        head_translation: (N, 3) float32 in outer-eye distances.
        gaze: (N, 2, 2) float32 left and right eye, yaw and pitch in radians, head frame.
        speech: (N,) float32, 0..1.
        emotion: (N, 8) float32, order of schema.EMOTION_NAMES.
        frame_rate: frames per second.
    """

    pts_nanos: NDArray[np.int64]
    expression: Float32Array
    head_rotation: Float32Array
    head_translation: Float32Array
    gaze: Float32Array
    speech: Float32Array
    emotion: Float32Array
    frame_rate: Fraction

    def __len__(self) -> int:
        return len(self.pts_nanos)

    @staticmethod
    def from_frames(frames: Iterable[MotionFrame], frame_rate: Fraction) -> MotionTrack:
        """Stack frames (in order) into a track."""
        rows = list(frames)

        def stack(name: str, *shape: int) -> Float32Array:
            values = [getattr(row, name) for row in rows]
            return np.asarray(values, np.float32).reshape(len(rows), *shape)

        return MotionTrack(
            pts_nanos=np.array([row.pts_nanos for row in rows], np.int64),
            expression=stack("expression", NUM_EXPRESSIONS),
            head_rotation=stack("head_rotation", 3),
            head_translation=stack("head_translation", 3),
            gaze=stack("gaze", 2, 2),
            speech=stack("speech"),
            emotion=stack("emotion", NUM_EMOTIONS),
            frame_rate=frame_rate,
        )

    def frames(self) -> list[MotionFrame]:
        """Give the frames back, numbered from 1."""
        return [
            MotionFrame(
                pts_nanos=int(self.pts_nanos[i]),
                seq=i + 1,
                expression=self.expression[i],
                head_rotation=self.head_rotation[i],
                head_translation=self.head_translation[i],
                gaze=self.gaze[i],
                emotion=self.emotion[i],
                speech=float(self.speech[i]),
            )
            for i in range(len(self))
        ]

    def save(self, path: Path | str) -> None:
        """Write motion.npz; the file appears whole or not at all.

        Raises:
            AvatarError: INVALID_FILE where the file cannot be written there.
        """
        path = Path(path)
        arrays: dict[str, Any] = {
            "pts_nanos": self.pts_nanos,
            "expression": self.expression,
            "expression_names": np.array(EXPRESSION_NAMES),
            "head_rotation": self.head_rotation,
            "head_translation": self.head_translation,
            "gaze": self.gaze,
            "speech": self.speech,
            "emotion": self.emotion,
            "emotion_names": np.array(EMOTION_NAMES),
            "fps": np.float64(self.frame_rate),
            "fps_fraction": np.array(
                [self.frame_rate.numerator, self.frame_rate.denominator], np.int64
            ),
            "schema": np.array(SCHEMA_ID),
        }
        temporary: Path | None = None
        try:
            handle, name = tempfile.mkstemp(
                prefix=f".{path.name}.", suffix=".part", dir=path.parent
            )
            temporary = Path(name)
            with os.fdopen(handle, "wb") as out:
                np.savez_compressed(out, **arrays)
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        except OSError as fault:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise AvatarError(
                Reason.INVALID_FILE, f"cannot write {path} ({fault.strerror})"
            ) from fault

    @staticmethod
    def load(path: Path | str) -> MotionTrack:
        """Read motion.npz, mapping coefficients by name; nothing in the file is executed.

        Raises:
            AvatarError: INVALID_FILE where the file is missing, damaged, too large, lacks an array,
                or holds shapes, names or values that are no motion.
        """
        path = Path(path)
        arrays = _read_arrays(path)
        num_frames = len(arrays["pts_nanos"])
        order = _order(arrays["expression_names"], EXPRESSION_NAMES, path)
        emotion = np.zeros((num_frames, NUM_EMOTIONS), np.float32)
        if "emotion" in arrays:
            emotion = _floats(arrays, "emotion", (num_frames, NUM_EMOTIONS), path)
            if "emotion_names" in arrays:
                emotion = emotion[:, _order(arrays["emotion_names"], EMOTION_NAMES, path)]
        expression = _floats(arrays, "expression", (num_frames, NUM_EXPRESSIONS), path)
        return MotionTrack(
            pts_nanos=_times(arrays["pts_nanos"], path),
            expression=np.ascontiguousarray(expression[:, order]),
            head_rotation=_floats(arrays, "head_rotation", (num_frames, 3), path),
            head_translation=_floats(arrays, "head_translation", (num_frames, 3), path),
            gaze=_floats(arrays, "gaze", (num_frames, 2, 2), path),
            speech=_floats(arrays, "speech", (num_frames,), path),
            emotion=emotion,
            frame_rate=_rate(arrays, path),
        )


_REQUIRED: Final = (
    "pts_nanos",
    "expression",
    "expression_names",
    "head_rotation",
    "head_translation",
    "gaze",
    "speech",
    "fps",
)
_OPTIONAL: Final = ("emotion", "emotion_names", "fps_fraction")


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise _invalid(path, "is larger than 1 GiB")
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        names = [name for name in (*_REQUIRED, *_OPTIONAL) if f"{name}.npy" in sizes]
        missing = [name for name in _REQUIRED if name not in names]
        if missing:
            raise _invalid(path, f"lacks {', '.join(missing)}")
        if sum(sizes[f"{name}.npy"] for name in names) > _MAX_ARRAY_BYTES:
            raise _invalid(path, "unpacks to more than 1 GiB")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in names}
    except AvatarError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        TypeError,
        SyntaxError,
        MemoryError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as fault:
        if isinstance(fault, FileNotFoundError):
            raise _invalid(path, "does not exist") from fault
        raise _invalid(path, "is not a motion file (damaged or of another kind)") from fault
    if arrays["pts_nanos"].ndim != 1 or len(arrays["pts_nanos"]) > _MAX_FRAMES:
        raise _invalid(path, f"pts_nanos has shape {arrays['pts_nanos'].shape}, not (frames,)")
    return arrays


def _times(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    if values.dtype.kind not in "iu":
        raise _invalid(path, f"pts_nanos is {values.dtype}, not int64")
    times = values.astype(np.int64)
    if len(times) and (times[0] < 0 or not (np.diff(times) > 0).all()):
        raise _invalid(path, "pts_nanos does not rise")
    return times


def _floats(
    arrays: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...], path: Path
) -> Float32Array:
    values = arrays[name]
    if values.shape != shape or values.dtype.kind not in "fiu":
        raise _invalid(path, f"{name} is {values.dtype} {values.shape}, not float32 {shape}")
    with np.errstate(over="ignore"):
        floats = values.astype(np.float32)
    if not np.isfinite(floats).all():
        raise _invalid(path, f"{name} holds NaN or infinite values")
    return floats


def _order(stored: NDArray[Any], wanted: tuple[str, ...], path: Path) -> NDArray[np.int64]:
    names = [str(name) for name in stored.tolist()] if stored.ndim == 1 else []
    if stored.dtype.kind != "U" or sorted(names) != sorted(wanted):
        raise _invalid(path, f"its names are not the {len(wanted)} of {SCHEMA_ID}")
    return np.array([names.index(name) for name in wanted], np.int64)


def _rate(arrays: dict[str, NDArray[Any]], path: Path) -> Fraction:
    fps, exact = arrays["fps"], arrays.get("fps_fraction")
    if exact is not None and exact.shape == (2,) and exact.dtype.kind in "iu" and exact[1] > 0:
        rate = Fraction(int(exact[0]), int(exact[1]))
    elif fps.shape == () and fps.dtype.kind in "fiu" and np.isfinite(fps):
        rate = Fraction(float(fps)).limit_denominator(1001)
    else:
        raise _invalid(path, "fps is not a number")
    if not 0 < rate <= 1000:
        raise _invalid(path, f"fps is {float(rate):g}; allowed: above 0, at most 1000")
    return rate


def _invalid(path: Path, what: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FILE, f"{path.name} {what}")
