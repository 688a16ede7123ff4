"""Live Link Face's CSV, as the app records it and Unreal's importer reads it.

Facts, measured on recordings of the app and read in Unreal's importer: 63 columns in the app's own
order; `HH:MM:SS:FF.mmm` with FF on a base of 60 whatever the rate; 61 in BlendShapeCount; 10
decimals; LF; no byte-order mark; no empty cell (the importer aborts on one).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import (
    LIVE_LINK_CSV_HEADER,
    LIVE_LINK_CSV_NAMES,
    LIVE_LINK_EYE_SIGNS,
    LIVE_LINK_HEAD_SIGNS,
    LIVE_LINK_NAMES,
    PASCAL_NAMES,
    ROTATION_NAMES,
    expression_index,
    gaze_from_look,
    live_link_values,
)
from avatar_service.export.frames import output_file
from avatar_service.schema import EXPRESSION_MAX, NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame

TIMECODE_BASE: Final = 60
_COLUMNS: Final = [LIVE_LINK_NAMES.index(name) for name in LIVE_LINK_CSV_NAMES]
_TIMECODE: Final = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2}):(\d{1,3}(?:\.\d+)?)")
_MAX_ROWS: Final = 10_000_000
_NANOS: Final = 1_000_000_000


def timecode(pts_nanos: int) -> str:
    """Write a time as HH:MM:SS:FF.mmm, FF in 60ths of a second."""
    # Rounded to the smallest digit first, so that 59.9996 does not print as frame 60.
    thousandths = round(pts_nanos * TIMECODE_BASE * 1000 / _NANOS)
    seconds, rest = divmod(thousandths, TIMECODE_BASE * 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    frame, milli = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frame:02d}.{milli:03d}"


def write_rows(file: IO[str], frames: Iterable[MotionFrame]) -> int:
    """Write header and rows; returns the number of rows."""
    file.write(LIVE_LINK_CSV_HEADER + "\n")
    row_format = "%s,61," + ",".join(["%.10f"] * len(_COLUMNS)) + "\n"
    count = 0
    for frame in frames:
        values = live_link_values(frame)[_COLUMNS] + np.float32(0)  # -0 becomes 0
        file.write(row_format % (timecode(frame.pts_nanos), *values.tolist()))
        count += 1
    return count


def write(path: Path, frames: Iterable[MotionFrame]) -> int:
    """Write a CSV file; returns the number of rows."""
    with output_file(path, "w") as file:
        return write_rows(file, frames)


def read(path: Path) -> Iterator[MotionFrame]:
    """Read a Live Link Face CSV, ours or the app's; time 0 is the first row.

    Columns are found by name. Eye angles of all zero (head and eyes switched off in the app) are
    replaced by what the eyeLook coefficients say.

    Raises:
        AvatarError: INVALID_FILE with the line and what is wrong with it.
    """
    try:
        file = path.open(encoding="utf-8-sig", newline=None)
    except OSError as error:
        raise _bad(path, f"cannot be read ({error.strerror})") from None
    with file:
        try:
            yield from _read_rows(path, file)
        except UnicodeDecodeError:
            raise _bad(path, "is not a text file") from None


def _bad(path: Path, what: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FILE, f"{path.name}: {what}", field="motion")


def _read_rows(path: Path, file: IO[str]) -> Iterator[MotionFrame]:
    header = file.readline(65_536).rstrip("\r\n").split(",")
    if header[0].strip().lower() != "timecode":
        raise _bad(path, "is not a Live Link Face CSV (its first column is not Timecode)")
    coefficients: dict[int, int] = {}
    angles: dict[str, int] = {}
    for column, name in enumerate(header):
        index = expression_index(name.strip())
        if index is not None:
            coefficients[column] = index
        elif name.strip() in ROTATION_NAMES:
            angles[name.strip()] = column
    missing = [n for i, n in enumerate(PASCAL_NAMES) if i not in coefficients.values()]
    if len(missing) == NUM_EXPRESSIONS:
        raise _bad(path, "has no column named as an ARKit coefficient")
    if missing and missing != ["TongueOut"]:  # older recordings lack the tongue
        raise _bad(path, f"lacks the column {missing[0]} ({len(missing)} missing)")
    first_nanos: int | None = None
    last_nanos = -1
    for number, line in enumerate(_lines(path, file), start=2):
        cells = line.rstrip("\r\n").split(",")
        if not line.strip() or len(cells) == 2 or cells[1:2] == ["0"]:
            continue  # the app writes rows without values while no face is seen
        if len(cells) != len(header):
            raise _bad(path, f"line {number} has {len(cells)} cells, the header {len(header)}")
        nanos = _nanos(path, number, cells[0])
        first_nanos = nanos if first_nanos is None else first_nanos
        if nanos <= last_nanos:
            raise _bad(path, f"line {number}: time {cells[0]} does not follow the line before")
        last_nanos = nanos
        yield _frame(path, number, cells, coefficients, angles, nanos - first_nanos, number - 2)
    if first_nanos is None:
        raise _bad(path, "holds no rows of motion")


def _lines(path: Path, file: IO[str]) -> Iterator[str]:
    for number in range(_MAX_ROWS):
        line = file.readline(65_536)
        if not line:
            return
        if not line.endswith("\n") and len(line) == 65_536:
            raise _bad(path, f"line {number + 2} is longer than 65536 characters")
        yield line
    raise _bad(path, f"has more than {_MAX_ROWS} lines")


def _nanos(path: Path, number: int, text: str) -> int:
    match = _TIMECODE.fullmatch(text.strip())
    if match is None:
        raise _bad(path, f"line {number}: {text[:40]!r} is not a timecode HH:MM:SS:FF.mmm")
    hours, minutes, seconds = (int(part) for part in match.groups()[:3])
    frames = float(match[4])
    if frames >= TIMECODE_BASE or seconds >= 60 or minutes >= 60:
        raise _bad(path, f"line {number}: {text[:40]!r} is not a timecode HH:MM:SS:FF.mmm")
    whole = ((hours * 60 + minutes) * 60 + seconds) * _NANOS
    return whole + round(frames / TIMECODE_BASE * _NANOS)


def _frame(
    path: Path,
    number: int,
    cells: list[str],
    coefficients: dict[int, int],
    angles: dict[str, int],
    pts_nanos: int,
    seq: int,
) -> MotionFrame:
    def value(column: int) -> float:
        try:
            parsed = float(cells[column])
        except ValueError:
            raise _bad(path, f"line {number}: {cells[column][:40]!r} is not a number") from None
        if not math.isfinite(parsed) or abs(parsed) > 1000:
            raise _bad(path, f"line {number}: {cells[column][:40]!r} is out of range")
        return parsed

    expression = np.zeros(NUM_EXPRESSIONS, np.float32)
    for column, index in coefficients.items():
        expression[index] = min(max(value(column), 0.0), EXPRESSION_MAX)
    turn = {name: value(column) for name, column in angles.items()}
    head = np.array([turn.get(f"Head{axis}", 0.0) for axis in ("Yaw", "Pitch", "Roll")])
    eyes = np.array(
        [[turn.get(f"{side}Eye{axis}", 0.0) for axis in ("Yaw", "Pitch")] for side in _SIDES]
    )
    gaze = (eyes * LIVE_LINK_EYE_SIGNS).astype(np.float32) if eyes.any() else None
    return MotionFrame(
        pts_nanos=pts_nanos,
        seq=seq,
        expression=expression,
        head_rotation=(head * LIVE_LINK_HEAD_SIGNS).astype(np.float32),
        gaze=gaze_from_look(expression) if gaze is None else gaze,
    )


_SIDES: Final = ("Left", "Right")
