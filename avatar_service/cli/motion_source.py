"""Motion of a file: speech is animated as it is read, motion of other tools is imported."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from avatar_service.cli import decoding
from avatar_service.errors import AvatarError, Reason
from avatar_service.export.formats import READERS
from avatar_service.signals import AudioChunk, Controls, Float32Array, MotionFrame

_SAMPLE_NANOS: Final = 62_500
_TAIL_STEP: Final = 1600
_PIECE_SAMPLES: Final = 32_000
"""Two seconds: the articulation network hears many steps in one pass, 3 times as fast as singly."""
_MAX_TAIL_STEPS: Final = 20
"""Two seconds of silence at most, until the last frame's look-ahead is complete."""
_LOOKAHEAD_NANOS: Final = 80_000_000
"""A file can wait: the longer look-ahead gives better lips."""


def is_motion_file(path: Path) -> bool:
    """Tell by the suffix whether a file holds motion rather than sound."""
    return path.suffix.lower() in READERS


def seconds_of(path: Path, *, start_secs: float, duration_secs: float | None) -> int | None:
    """Estimate the seconds that motion_frames will yield, for a progress bar; None: unknown."""
    is_heard = path.is_file() and not is_motion_file(path)
    length = decoding.probe_seconds(path) if is_heard else None
    rest = None if length is None else max(length - start_secs, 0.0)
    known = [secs for secs in (rest, duration_secs) if secs is not None and math.isfinite(secs)]
    return round(min(known)) if known else None


def motion_frames(
    path: Path,
    *,
    rate: Fraction,
    controls: Controls,
    start_secs: float = 0.0,
    duration_secs: float | None = None,
    advance: Callable[[float], None] = lambda secs: None,
) -> Iterator[MotionFrame]:
    """Yield the motion of a sound or motion file, in constant memory.

    Args:
        path: speech that FFmpeg reads, or motion by its suffix.
        rate: frames per second for speech; imported motion keeps its own times.
        controls: for speech.
        start_secs: begin here; becomes time 0.
        duration_secs: only so many seconds.
        advance: told the seconds done, for a progress bar.

    Raises:
        AvatarError: INVALID_FILE, INVALID_AUDIO, INVALID_FIELD.
    """
    if is_motion_file(path):
        frames = _cut(decoding.import_motion(path), start_secs, duration_secs)
    else:
        if not path.is_file():
            raise AvatarError(Reason.INVALID_FILE, f"{path}: there is no such file")
        frames = _animated(path, rate, controls, start_secs, duration_secs)
    for frame in frames:
        advance(frame.pts_nanos / 1e9)
        yield frame


def _cut(
    frames: Iterator[MotionFrame], start_secs: float, duration_secs: float | None
) -> Iterator[MotionFrame]:
    if duration_secs is not None and not (math.isfinite(duration_secs) and duration_secs > 0):
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"duration is {duration_secs} s; allowed: more than 0",
            field="duration",
        )
    start = round(start_secs * 1e9)
    end = None if duration_secs is None else start + round(duration_secs * 1e9)
    for frame in frames:
        if end is not None and frame.pts_nanos >= end:
            return
        if frame.pts_nanos >= start:
            yield replace(frame, pts_nanos=frame.pts_nanos - start)


def _joined(chunks: Iterable[Float32Array]) -> Iterator[Float32Array]:
    """Join short chunks to pieces of about _PIECE_SAMPLES."""
    waiting: list[Float32Array] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(map(len, waiting)) >= _PIECE_SAMPLES:
            yield np.concatenate(waiting)
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting)


def _animated(
    path: Path,
    rate: Fraction,
    controls: Controls,
    start_secs: float,
    duration_secs: float | None,
) -> Iterator[MotionFrame]:
    # Late: imported motion needs neither nets nor FFmpeg, and they take seconds to load.
    from avatar_service.motion.stage import MAX_FRAME_RATE, MotionStage
    from avatar_service.session.compilation import MOTION, compile_ahead

    compile_ahead(MOTION)
    stage = MotionStage(
        min(rate, Fraction(MAX_FRAME_RATE)), controls, lookahead_nanos=_LOOKAHEAD_NANOS
    )
    line = 0
    last = -1
    for samples in _joined(
        decoding.stream_audio(path, start_secs=start_secs, duration_secs=duration_secs)
    ):
        stage.push(AudioChunk(samples, line * _SAMPLE_NANOS))
        line += len(samples)
        for frame in stage.pull():
            last = frame.pts_nanos
            yield frame
    end = line * _SAMPLE_NANOS
    for _ in range(_MAX_TAIL_STEPS):
        stage.push(
            AudioChunk(np.zeros(_TAIL_STEP, np.float32), line * _SAMPLE_NANOS, is_speech=False)
        )
        line += _TAIL_STEP
        for frame in stage.pull():
            if frame.pts_nanos >= end:
                return
            last = frame.pts_nanos
            yield frame
    raise RuntimeError(f"the motion stage stopped at {last} of {end} ns")
