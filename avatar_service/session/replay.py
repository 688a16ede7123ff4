"""`avatar replay`: gives a motion stage what a recorded one was given, and compares the latents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NoReturn

import msgpack
import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.stage import MotionStage
from avatar_service.schema import EMOTION_NAMES, EXPRESSION_NAMES
from avatar_service.session.compilation import MOTION, compile_ahead
from avatar_service.session.recording import (
    CONTROLS,
    FORMAT,
    PHONES,
    PULL,
    PUSH,
    RESET,
    environment,
    frame_bytes,
    frame_digest,
)
from avatar_service.signals import AudioChunk, AudioRole, Background, Controls, MotionFrame

MAX_RECORD_BYTES: Final = 64 << 20
MAX_CHUNK_SAMPLES: Final = 16_000 * 60
CHANNELS: Final = (
    *EXPRESSION_NAMES,
    "head.yaw", "head.pitch", "head.roll", "head.x", "head.y", "head.z",
    "gaze.left.yaw", "gaze.left.pitch", "gaze.right.yaw", "gaze.right.pitch",
    *(f"emotion.{name}" for name in EMOTION_NAMES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """The first latent that came out otherwise.

    Attributes:
        frame: its number, from 0.
        pts_nanos: its time, as replayed.
        channel: first that differs, "pts" for the time; "" where only digests were recorded.
        recorded, replayed: its values; NaN where they are not known.
    """

    frame: int
    pts_nanos: int
    channel: str
    recorded: float
    replayed: float


@dataclass(slots=True)
class ReplayReport:
    """What a replay has shown.

    Attributes:
        frames: latents in the recording.
        compared: of these, compared bit for bit.
        difference: the first that differs; None: all are equal.
        is_cut: whether the file ends within a record, as after a crash.
        needs_audio: whether the rest depends on speech that was not recorded.
        environment: what is otherwise here, as {name: (there, here)}.
    """

    frames: int = 0
    compared: int = 0
    secs: float = 0.0
    difference: Difference | None = None
    is_cut: bool = False
    needs_audio: bool = False
    environment: dict[str, tuple[str, str]] = field(default_factory=dict)


def replay(path: Path) -> ReplayReport:
    """Repeat a recording.

    Raises:
        AvatarError: INVALID_FILE where it is none.
    """
    try:
        with path.open("rb") as file:
            return _Replay(path, _records(file)).run()
    except OSError as error:
        raise AvatarError(Reason.INVALID_FILE, f"cannot read {path}: {error.strerror}") from error


class _CutOff(Exception):
    """The file ends within a record."""


def _records(file: Any) -> Iterator[Any]:
    unpacker = msgpack.Unpacker(file, max_buffer_size=MAX_RECORD_BYTES, strict_map_key=True)
    while True:
        start = unpacker.tell()
        try:
            yield unpacker.unpack()
        except msgpack.OutOfData:
            if file.seek(0, 2) > start:
                raise _CutOff from None
            return


class _Replay:
    def __init__(self, path: Path, records: Iterator[Any]) -> None:
        self._path = path
        self._records = records
        self._report = ReplayReport()
        self._is_comparing = True

    def run(self) -> ReplayReport:
        try:
            self._stage = self._begin(next(self._records))
            for record in self._records:
                self._step(record)
        except _CutOff:
            self._report.is_cut = True
        except StopIteration:
            self._refuse("is empty")
        except AvatarError as error:
            if error.reason is Reason.INVALID_FILE:
                raise
            self._refuse(f"holds what a motion stage refuses: {error.message}")
        except (
            ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError,
            ZeroDivisionError, msgpack.UnpackException,
        ) as error:  # fmt: skip
            self._refuse(f"is damaged ({type(error).__name__})")
        return self._report

    def _begin(self, header: Any) -> MotionStage:
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            self._refuse(f"is no recording of a session ({FORMAT})")
        self._has_audio = bool(header["has_audio"])
        here = environment()
        there = {name: str(header["environment"].get(name, "")) for name in here}
        self._report.environment = {
            name: (there[name], here[name]) for name in here if there[name] != here[name]
        }
        numerator, denominator = header["rate"]
        compile_ahead(MOTION)
        return MotionStage(
            Fraction(int(numerator), int(denominator)),
            _controls(header["controls"]),
            lookahead_nanos=int(header["lookahead_nanos"]),
        )

    def _step(self, record: Any) -> None:
        kind, *values = record
        match kind:
            case 0 if kind == PUSH:
                self._push(*values)
            case 1 if kind == PHONES:
                alphabet, pts, rows = values
                phones = [TimedPhone(float(a), float(b), str(symbol)) for a, b, symbol in rows]
                self._stage.push_phones(phones, str(alphabet), int(pts))
            case 2 if kind == CONTROLS:
                controls, effective, _ = values
                self._stage.set_controls(_controls(controls), int(effective))
            case 3 if kind == RESET:
                self._stage.reset(int(values[0]))
            case 4 if kind == PULL:
                self._pull(values[0])
            case _:
                self._refuse(f"holds a record of the unknown kind {str(kind)[:20]}")

    def _push(
        self, pts: int, epoch: int, role: str, is_speech: bool, count: int, data: bytes | None
    ) -> None:
        if not 0 <= count <= MAX_CHUNK_SAMPLES:
            self._refuse(f"holds a chunk of {count} samples")
        if data is None:
            samples = np.zeros(count, np.float32)
            if is_speech and self._is_comparing:
                self._report.needs_audio, self._is_comparing = True, False
        else:
            samples = np.frombuffer(data, "<f4").astype(np.float32)
            if len(samples) != count:
                self._refuse(f"says {count} samples and holds {len(samples)}")
        self._stage.push(AudioChunk(samples, pts, epoch, AudioRole(role), is_speech=is_speech))

    def _pull(self, recorded: list[bytes]) -> None:
        frames = list(self._stage.pull())
        report = self._report
        for index, told in enumerate(recorded):
            number = report.frames
            report.frames += 1
            if not self._is_comparing:
                continue
            report.compared += 1
            frame = frames[index] if index < len(frames) else None
            if frame is None or not self._is_equal(frame, told):
                report.difference = self._difference(number, frame, told)
                self._is_comparing = False
        if frames:
            report.secs = frames[-1].pts_nanos / 1e9
        if len(frames) > len(recorded) and self._is_comparing:
            extra = frames[len(recorded)]
            report.difference = Difference(
                report.frames, extra.pts_nanos, "pts", np.nan, extra.pts_nanos / 1e9
            )
            self._is_comparing = False

    def _is_equal(self, frame: MotionFrame, told: bytes) -> bool:
        data = frame_bytes(frame)
        return told == (data if self._has_audio else frame_digest(data))

    def _difference(self, number: int, frame: MotionFrame | None, told: bytes) -> Difference:
        if frame is None:
            return Difference(number, -1, "pts", np.nan, np.nan)
        if not self._has_audio:
            return Difference(number, frame.pts_nanos, "", np.nan, np.nan)
        now, then = (np.frombuffer(data[8:-8], "<f4") for data in (frame_bytes(frame), told))
        pts_then = int(np.frombuffer(told[:8], "<i8")[0])
        if pts_then != frame.pts_nanos:
            return Difference(number, frame.pts_nanos, "pts", pts_then / 1e9, frame.pts_nanos / 1e9)
        # Bits, not values: -0 and 0 differ, NaN equals itself.
        differing = np.flatnonzero(now.view("<u4") != then.view("<u4"))
        if len(differing) == 0:
            speech = float(np.frombuffer(told[-8:], "<f8")[0])
            return Difference(number, frame.pts_nanos, "speech", speech, frame.speech)
        first = int(differing[0])
        values = float(then[first]), float(now[first])
        return Difference(number, frame.pts_nanos, CHANNELS[first], *values)

    def _refuse(self, problem: str) -> NoReturn:
        raise AvatarError(Reason.INVALID_FILE, f"{self._path} {problem}")


def _controls(record: dict[str, Any]) -> Controls:
    known = {item.name for item in fields(Controls)}
    values = {name: value for name, value in record.items() if name in known}
    for name in ("gaze", "look_at", "background_color"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    values["background"] = Background(values["background"])
    return Controls(**values)
