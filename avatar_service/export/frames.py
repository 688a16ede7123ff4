"""What every writer takes: checked frames at a constant rate, and rows of them in constant memory.

Time 0 of an export is the first sample of the audio: frame times are never shifted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.part_file import begin_part
from avatar_service.schema import NUM_EMOTIONS, NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame

MIN_FPS: Final = 1
MAX_FPS: Final = 240
_NANOS: Final = 1_000_000_000

_SHAPES: Final = (
    ("expression", (NUM_EXPRESSIONS,)),
    ("head_rotation", (3,)),
    ("head_translation", (3,)),
    ("gaze", (2, 2)),
    ("emotion", (NUM_EMOTIONS,)),
)

ROW_DTYPE: Final = np.dtype(
    [("pts_nanos", "<i8"), *((name, "<f4", shape) for name, shape in _SHAPES), ("speech", "<f4")]
)
"""One frame as it is spooled to disk."""


def check_fps(fps: Fraction | float) -> Fraction:
    """Return the rate as a fraction.

    Raises:
        AvatarError: INVALID_FIELD unless it is finite and within MIN_FPS..MAX_FPS.
    """
    try:
        rate = Fraction(fps).limit_denominator(100_000)
    except (ValueError, OverflowError):
        rate = Fraction(0)
    if not MIN_FPS <= rate <= MAX_FPS:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"fps {fps}: {MIN_FPS} to {MAX_FPS} frames per second",
            field="fps",
        )
    return rate


def checked(frames: Iterable[MotionFrame]) -> Iterator[MotionFrame]:
    """Pass frames on whose arrays have the schema's shapes, whose values are finite, in time order.

    Raises:
        AvatarError: INVALID_FIELD naming the frame and what is wrong with it.
    """
    last_nanos: int | None = None
    for number, frame in enumerate(frames):
        for name, shape in _SHAPES:
            value = getattr(frame, name)
            if np.shape(value) != shape:
                raise _bad_frame(number, f"{name} has shape {np.shape(value)}, not {shape}")
            if not np.isfinite(value).all():
                raise _bad_frame(number, f"{name} holds NaN or infinity")
        if not np.isfinite(frame.speech):
            raise _bad_frame(number, "speech is NaN or infinite")
        if last_nanos is not None and frame.pts_nanos <= last_nanos:
            raise _bad_frame(number, "its time does not follow the frame before")
        last_nanos = frame.pts_nanos
        yield frame


def _bad_frame(number: int, what: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FIELD, f"motion frame {number}: {what}", field="motion")


def resampled(frames: Iterable[MotionFrame], fps: Fraction) -> Iterator[MotionFrame]:
    """Interpolate linearly to frames at k / fps, k = 0, 1, ...; streaming, two frames in memory.

    The first frame is held back to time 0 if it starts later; frames before time 0 only serve
    interpolation. The last output is the last k / fps not after the last input (half a frame of
    tolerance, so that a track of the same rate keeps its length).
    """
    tolerance = float(_NANOS / fps / 2)
    previous: MotionFrame | None = None
    k = 0
    for frame in frames:
        while (due := _due_nanos(k, fps)) <= frame.pts_nanos:
            yield _between(previous, frame, due, seq=k)
            k += 1
        previous = frame
    if previous is not None and (due := _due_nanos(k, fps)) - previous.pts_nanos < tolerance:
        yield replace(previous, pts_nanos=due, seq=k)


def _due_nanos(k: int, fps: Fraction) -> int:
    return k * _NANOS * fps.denominator // fps.numerator


def _between(
    previous: MotionFrame | None, following: MotionFrame, due: int, *, seq: int
) -> MotionFrame:
    if previous is None or due == following.pts_nanos:
        return replace(following, pts_nanos=due, seq=seq)
    t = np.float32((due - previous.pts_nanos) / (following.pts_nanos - previous.pts_nanos))
    mixed: dict[str, Any] = {
        name: getattr(previous, name) * (1 - t) + getattr(following, name) * t
        for name, _ in _SHAPES
    }
    speech = float(previous.speech * (1 - t) + following.speech * t)
    return replace(following, pts_nanos=due, seq=seq, speech=speech, **mixed)


@dataclass(frozen=True, slots=True)
class MotionRows:
    """A whole track on disk, for writers that need it by column.

    Attributes:
        rows: (N,) of ROW_DTYPE, a memory map.
        fps: frames per second.
    """

    rows: NDArray[np.void]
    fps: Fraction

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def times(self) -> NDArray[np.float32]:
        """(N,) float32 seconds from the first audio sample."""
        return (self.rows["pts_nanos"] / _NANOS).astype(np.float32)


@contextmanager
def spooled(frames: Iterable[MotionFrame], fps: Fraction) -> Iterator[MotionRows]:
    """Write frames to a temporary file and map it.

    Raises:
        AvatarError: INVALID_FIELD if there are no frames.
    """
    with tempfile.TemporaryFile() as file:
        count = 0
        for frame in frames:
            row = np.zeros((), ROW_DTYPE)
            row["pts_nanos"], row["speech"] = frame.pts_nanos, frame.speech
            for name, _ in _SHAPES:
                row[name] = getattr(frame, name)
            file.write(row.tobytes())
            count += 1
        if count == 0:
            raise AvatarError(Reason.INVALID_FIELD, "the motion holds no frames", field="motion")
        file.flush()
        yield MotionRows(np.memmap(file, ROW_DTYPE, "r", shape=(count,)), fps)


@contextmanager
def output_file(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when the block ends well.

    Args:
        path: the output's name.
        mode: "wb" or "w" (UTF-8, LF line ends).

    Raises:
        AvatarError: INVALID_FIELD if the place cannot be written.
    """
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        part = begin_part(path)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FIELD, f"{path}: cannot be written ({error.strerror})", field="out"
        ) from None
    try:
        fd = part.file.fileno()
        with open(fd, mode, closefd=False, **text) as file:  # type: ignore[call-overload]
            yield file
        part.rename(path)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FIELD, f"{path}: cannot be written ({error.strerror})", field="out"
        ) from None
    finally:
        part.close()
