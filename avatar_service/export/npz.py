"""motion.npz, the project's own file: arrays by name, float32, one row per frame."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.frames import output_file, spooled
from avatar_service.schema import (
    EMOTION_NAMES,
    EXPRESSION_INDEX,
    EXPRESSION_NAMES,
    NUM_EMOTIONS,
    NUM_EXPRESSIONS,
    SCHEMA_ID,
)
from avatar_service.signals import MotionFrame

_MAX_UNPACKED_BYTES: Final = 4 << 30
_COLUMNS: Final[dict[str, tuple[int, ...]]] = {
    "head_rotation": (3,),
    "head_translation": (3,),
    "gaze": (2, 2),
    "emotion": (NUM_EMOTIONS,),
    "speech": (),
}
_OPTIONAL: Final = frozenset(_COLUMNS) - {"head_rotation"}


def write(path: Path, frames: Iterable[MotionFrame], fps: Fraction) -> int:
    """Write motion.npz; returns the number of frames."""
    with spooled(frames, fps) as rows, output_file(path) as file:
        data = rows.rows
        np.savez_compressed(
            file,
            pts_nanos=data["pts_nanos"],
            expression=data["expression"],
            expression_names=np.array(EXPRESSION_NAMES),
            allow_pickle=False,
            **{name: data[name] for name in _COLUMNS},
            emotion_names=np.array(EMOTION_NAMES),
            fps=np.float64(float(fps)),
            fps_fraction=np.array([fps.numerator, fps.denominator], np.int64),
            schema=np.array(SCHEMA_ID),
        )
        return len(rows)


def read(path: Path) -> Iterator[MotionFrame]:
    """Read motion.npz; coefficients are found by name, absent ones are 0.

    Raises:
        AvatarError: INVALID_FILE in one line.
    """
    arrays = _load(path)
    if "expression_names" not in arrays:
        raise _bad(path, "it has no expression_names, so its coefficients cannot be told apart")
    names = [str(name) for name in arrays["expression_names"].ravel()]
    pts = _array(path, arrays, "pts_nanos", None)
    count = len(pts)
    given = _array(path, arrays, "expression", (count, len(names)))
    known = [
        (k, EXPRESSION_INDEX[name]) for k, name in enumerate(names) if name in EXPRESSION_INDEX
    ]
    if not known:
        raise _bad(path, "none of its expression_names is an ARKit coefficient")
    expression = np.zeros((count, NUM_EXPRESSIONS), np.float32)
    for source, target in known:
        expression[:, target] = given[:, source]
    columns = {
        name: _array(path, arrays, name, (count, *shape)).astype(np.float32)
        for name, shape in _COLUMNS.items()
        if name in arrays or name not in _OPTIONAL
    }
    if "emotion" in columns and "emotion_names" in arrays:
        columns["emotion"] = columns["emotion"][:, _emotion_order(path, arrays["emotion_names"])]
    for k in range(count):
        row: dict[str, Any] = {name: column[k] for name, column in columns.items()}
        row["speech"] = float(row.get("speech", 0.0))
        yield MotionFrame(pts_nanos=int(pts[k]), seq=k, expression=expression[k], **row)


def _bad(path: Path, what: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FILE, f"{path.name}: {what}", field="motion")


def _emotion_order(path: Path, names: NDArray[Any]) -> list[int]:
    """Columns of the file in the schema's order."""
    given = [str(name) for name in names.ravel()]
    if sorted(given) != sorted(EMOTION_NAMES):
        raise _bad(path, "its emotion_names are not the schema's")
    return [given.index(name) for name in EMOTION_NAMES]


def _load(path: Path) -> dict[str, NDArray[Any]]:
    wanted = {"pts_nanos", "expression", "expression_names", "emotion_names", *_COLUMNS}
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {i.filename.removesuffix(".npy"): i.file_size for i in archive.infolist()}
        if sum(size for name, size in sizes.items() if name in wanted) > _MAX_UNPACKED_BYTES:
            raise _bad(path, f"unpacks to more than {_MAX_UNPACKED_BYTES >> 30} GiB")
        with np.load(path, allow_pickle=False) as data:
            # What is no array in the archive comes as bytes, and is refused as an array of them.
            return {name: np.asarray(data[name]) for name in data.files if name in wanted}
    except OSError as error:
        raise _bad(path, f"cannot be read ({error.strerror or 'not a motion file'})") from None
    except (
        # What zipfile and NumPy raise on damaged archives and headers of arrays.
        *(ValueError, KeyError, TypeError, SyntaxError, EOFError, MemoryError, OverflowError),
        *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error),
        tokenize.TokenError,
    ):
        raise _bad(path, "is not a motion file (.npz)") from None


def _array(
    path: Path, arrays: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...] | None
) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None:
        raise _bad(path, f"it has no {name}")
    if array.dtype.kind not in "fiu":
        raise _bad(path, f"{name} is not numbers")
    if (shape is None and (array.ndim != 1 or len(array) == 0)) or (
        shape is not None and array.shape != shape
    ):
        raise _bad(path, f"{name} has shape {array.shape}, not {shape or '(N,) with N > 0'}")
    if not np.isfinite(array).all():
        raise _bad(path, f"{name} holds NaN or infinity")
    return array
