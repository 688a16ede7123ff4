"""`avatar serve --record`: what a session's motion stage was given, for `avatar replay`.

The stage knows no clock, so the order of its calls and what they carried is all that its latents
depend on. A recorded session computes its motion alone instead of in a batch with others (a batch
rounds differently): it costs a little more and can be repeated bit for bit.

Without record.audio a file holds no samples, no phones and of the latents only digests: when
somebody spoke and what was controlled, not what was said.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import platform
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgpack
import numba
import numpy as np

from avatar_service import __version__
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone
from avatar_service.session.session_request import SessionRequest
from avatar_service.session.stages import MotionSource
from avatar_service.signals import AudioChunk, Controls, MotionFrame

log = logging.getLogger(__name__)

FORMAT: Final = "avatar.recording.v1"
SUFFIX: Final = ".avatar-recording"
MAX_WAITING_BYTES: Final = 32 << 20
"""Beyond this the disk is too slow, and the recording is given up rather than the frames."""
DIGEST_BYTES: Final = 16
PUSH, PHONES, CONTROLS, RESET, PULL = range(5)
"""First element of each record behind the header; see RecordingMotion for the others."""


def frame_bytes(frame: MotionFrame) -> bytes:
    """Return all that a latent says, bit for bit: pts, 70 float32, and speech as float64."""
    arrays = (
        frame.expression,
        frame.head_rotation,
        frame.head_translation,
        frame.gaze,
        frame.emotion,
    )
    values = b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays)
    return np.int64(frame.pts_nanos).tobytes() + values + np.float64(frame.speech).tobytes()


def frame_digest(data: bytes) -> bytes:
    """Return the digest that stands for a latent in a recording without audio."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


def controls_record(controls: Controls) -> dict[str, Any]:
    """Write controls down."""
    record = {item.name: getattr(controls, item.name) for item in dataclasses.fields(controls)}
    return {**record, "background": controls.background.value, "emotion": dict(controls.emotion)}


def environment() -> dict[str, str]:
    """Return what the last bits of a latent may depend on."""
    return {
        "version": __version__,
        "machine": f"{platform.machine()} {platform.system()}",
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


@dataclasses.dataclass(frozen=True, slots=True)
class Recorder:
    """Makes the recordings of a service.

    Attributes:
        folder: where; made with mode 0700 where it is missing.
        has_audio: whether speech and latents are kept.
        max_bytes: of one file; beyond it the recording ends.
        date: tells the wall clock's time for the files' names; nothing is timed by it.
    """

    folder: Path
    has_audio: bool
    max_bytes: int
    date: Callable[[], datetime]

    def check(self) -> None:
        """Make the folder. Raises INVALID_FILE where it cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = self.folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise AvatarError(
                Reason.INVALID_FILE,
                f"record.folder: cannot write in {self.folder}: {error.strerror}",
                field="record.folder",
            ) from error

    def wrap(
        self, motion: MotionSource, session_id: str, request: SessionRequest, lookahead_nanos: int
    ) -> MotionSource:
        """Return the stage with its recording around it; without one where the disk is full."""
        path = self.folder / f"{self.date():%Y%m%dT%H%M%S%f}-{session_id[:6]}{SUFFIX}"
        header = {
            "format": FORMAT,
            "environment": environment(),
            "has_audio": self.has_audio,
            "rate": [request.rate.numerator, request.rate.denominator],
            "lookahead_nanos": lookahead_nanos,
            "controls": controls_record(request.controls),
        }
        try:
            file = _RecordingFile(path, self.max_bytes)
        except OSError as error:
            log.error("a session is not recorded: %s", error.strerror)
            return motion
        file.write(header)
        return RecordingMotion(motion, file, has_audio=self.has_audio)


class RecordingMotion:
    """A MotionSource that notes every call.

    [PUSH, pts, epoch, role, is_speech, num_samples, samples or nil], [PHONES, alphabet, pts,
    [[start, end, symbol]]], [CONTROLS, controls, effective_pts, applied_pts], [RESET, epoch] and
    [PULL, [latent or its digest]].
    """

    def __init__(self, inner: MotionSource, file: _RecordingFile, *, has_audio: bool) -> None:
        self._inner = inner
        self._file = file
        self._has_audio = has_audio

    @property
    def needed_until_nanos(self) -> int:
        """See MotionSource."""
        return self._inner.needed_until_nanos

    def push(self, chunk: AudioChunk) -> None:
        """See MotionSource."""
        keeps = self._has_audio and chunk.is_speech
        samples = np.ascontiguousarray(chunk.samples, "<f4").tobytes() if keeps else None
        role, count = chunk.role.value, len(chunk.samples)
        self._file.write(
            [PUSH, chunk.pts_nanos, chunk.epoch, role, chunk.is_speech, count, samples]
        )
        self._inner.push(chunk)

    def push_phones(self, phones: Sequence[TimedPhone], alphabet: str, pts_nanos: int) -> None:
        """See MotionSource."""
        if self._has_audio:
            rows = [[one.start_secs, one.end_secs, one.symbol] for one in phones]
            self._file.write([PHONES, alphabet, pts_nanos, rows])
        self._inner.push_phones(phones, alphabet, pts_nanos)

    def pull(self) -> Iterator[MotionFrame]:
        """See MotionSource."""
        frames = list(self._inner.pull())
        told = [frame_bytes(frame) for frame in frames]
        self._file.write([PULL, told if self._has_audio else [frame_digest(one) for one in told]])
        yield from frames

    def set_controls(self, controls: Controls, effective_pts_nanos: int) -> int:
        """See MotionSource."""
        applied = self._inner.set_controls(controls, effective_pts_nanos)
        self._file.write([CONTROLS, controls_record(controls), effective_pts_nanos, applied])
        return applied

    def reset(self, epoch: int) -> None:
        """See MotionSource."""
        self._file.write([RESET, epoch])
        self._inner.reset(epoch)

    def close(self) -> None:
        """See MotionSource."""
        self._inner.close()
        self._file.close()


class _RecordingFile:
    """Writes records on a thread of its own: a slow disk holds no frame up.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(fd, "wb")
        self._left = max_bytes
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._num_waiting_bytes = 0
        self._lock = threading.Lock()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def write(self, record: object) -> None:
        """Let a record be written; never waits, and never raises for want of space."""
        if self._is_over:
            return
        data = msgpack.packb(record)
        with self._lock:
            self._num_waiting_bytes += len(data)
            is_too_much = self._num_waiting_bytes > MAX_WAITING_BYTES
        if is_too_much:
            self._give_up("the disk is too slow")
        else:
            self._waiting.put(data)

    def close(self) -> None:
        """Write what waits and close the file; idempotent."""
        self._is_over = True
        self._waiting.put(None)
        self._thread.join()

    def _give_up(self, why: str) -> None:
        if not self._is_over:
            self._is_over = True
            log.error("a recording ends early: %s", why)

    def _run(self) -> None:
        try:
            with self._file:
                while (data := self._waiting.get()) is not None:
                    with self._lock:
                        self._num_waiting_bytes -= len(data)
                    self._left -= len(data)
                    if self._left < 0:
                        self._give_up("it has reached record.max_mb")
                        return
                    self._file.write(data)
                    if self._waiting.empty():
                        self._file.flush()
        except OSError as error:
            self._give_up(error.strerror or type(error).__name__)
