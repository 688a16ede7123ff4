"""Plain tables: Unreal's curve tables, our latents as CSV and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.export.conventions import (
    LIVE_LINK_EYE_SIGNS,
    LIVE_LINK_HEAD_SIGNS,
    LIVE_LINK_NAMES,
)
from avatar_service.export.frames import MotionRows, output_file, spooled
from avatar_service.schema import EMOTION_NAMES, EXPRESSION_NAMES, SCHEMA_ID
from avatar_service.signals import MotionFrame

LATENT_COLUMNS: Final = (
    "seconds",
    *EXPRESSION_NAMES,
    "headYaw",
    "headPitch",
    "headRoll",
    "headX",
    "headY",
    "headZ",
    "leftEyeYaw",
    "leftEyePitch",
    "rightEyeYaw",
    "rightEyePitch",
    *(f"emotion.{name}" for name in EMOTION_NAMES),
    "speech",
)
_NANOS: Final = 1_000_000_000


def write_unreal_csv(path: Path, frames: Iterable[MotionFrame], fps: Fraction) -> int:
    """Write a CSV that Unreal imports as a curve table: one row per curve, one column per time.

    Curves, signs and units (radians) are Live Link's, so that MetaHuman's ARKit mapping applies.
    """
    with spooled(frames, fps) as rows, output_file(path, "w") as file:
        _row(file, "---", rows.times)
        for name, values in _unreal_curves(rows):
            _row(file, name, values)
        return len(rows)


def _row(file: IO[str], name: str, values: NDArray[np.float32]) -> None:
    file.write(name)
    for start in range(0, len(values), 4096):
        file.write("".join(f",{value:.6f}" for value in values[start : start + 4096].tolist()))
    file.write("\n")


def write_unreal_json(path: Path, frames: Iterable[MotionFrame], fps: Fraction) -> int:
    """Write the same curve table in Unreal's JSON form: a list of {"Name", "time": value, ...}."""
    with spooled(frames, fps) as rows, output_file(path, "w") as file:
        times = [f'"{time:.6f}"' for time in rows.times.tolist()]
        file.write("[")
        for number, (name, values) in enumerate(_unreal_curves(rows)):
            file.write(",\n" if number else "\n")
            file.write(f'{{"Name":"{name}"')
            for time, value in zip(times, values.tolist(), strict=True):
                file.write(f",{time}:{value:.6f}")
            file.write("}")
        file.write("\n]\n")
        return len(rows)


def _unreal_curves(rows: MotionRows) -> Iterator[tuple[str, NDArray[np.float32]]]:
    data = rows.rows
    still = np.zeros(len(rows), np.float32)
    for index, name in enumerate(LIVE_LINK_NAMES):
        if index < len(EXPRESSION_NAMES):
            yield name, data["expression"][:, index]
            continue
        place = index - len(EXPRESSION_NAMES)
        part, axis = divmod(place, 3)
        if part == 0:
            yield name, data["head_rotation"][:, axis] * LIVE_LINK_HEAD_SIGNS[axis]
        elif axis < 2:
            yield name, data["gaze"][:, part - 1, axis] * LIVE_LINK_EYE_SIGNS[axis]
        else:
            yield name, still


def write_latents_csv(path: Path, frames: Iterable[MotionFrame]) -> int:
    """Write the latents as they are: our names, axes and units, one row per frame."""
    row_format = "%.9f," + ",".join(["%.9g"] * (len(LATENT_COLUMNS) - 1)) + "\n"
    count = 0
    with output_file(path, "w") as file:
        file.write(",".join(LATENT_COLUMNS) + "\n")
        for frame in frames:
            file.write(row_format % (frame.pts_nanos / _NANOS, *_latents(frame)))
            count += 1
    return count


def _latents(frame: MotionFrame) -> list[float]:
    parts = (
        frame.expression,
        frame.head_rotation,
        frame.head_translation,
        frame.gaze.ravel(),
        frame.emotion,
        [frame.speech],
    )
    values: list[float] = np.concatenate(parts).tolist()
    return values


def write_latents_jsonl(path: Path, frames: Iterable[MotionFrame], fps: Fraction) -> int:
    """Write JSON Lines: the schema first, then one object per frame."""
    header = {
        "schema_id": SCHEMA_ID,
        "fps": float(fps),
        "expression_names": EXPRESSION_NAMES,
        "emotion_names": EMOTION_NAMES,
        "head_rotation": ["yaw", "pitch", "roll"],
        "gaze": [["left_yaw", "left_pitch"], ["right_yaw", "right_pitch"]],
    }
    count = 0
    with output_file(path, "w") as file:
        file.write(json.dumps(header) + "\n")
        for frame in frames:
            row = {
                "pts_nanos": frame.pts_nanos,
                "expression": _rounded(frame.expression),
                "head_rotation": _rounded(frame.head_rotation),
                "head_translation": _rounded(frame.head_translation),
                "gaze": [_rounded(eye) for eye in frame.gaze],
                "emotion": _rounded(frame.emotion),
                "speech": round(float(frame.speech), 6),
            }
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
            count += 1
    return count


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(value, 6) for value in values.tolist()]
