"""Audio of any file that FFmpeg reads, whole or as a stream, as 16 kHz mono float32."""

from __future__ import annotations

import contextlib
import math
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from avatar_service.audio.ingest import SAMPLE_RATE_HZ, check_samples
from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array

MAX_CHANNELS: Final = 8
CHUNK_SECS: Final = 0.1
"""Length of the chunks of stream_audio; the last one may be shorter."""
_STREAMED_BYTES: Final = 0x7FFF_0000
"""Who writes a WAV into a pipe cannot know its size and writes 0, or one as large as may be."""
_MISSING_SECS: Final = 0.1
"""Less than that is a writer's slip."""


@dataclass(frozen=True, slots=True)
class AudioClip:
    """A whole file's audio.

    Attributes:
        samples: (num_samples,) float32 in [-1, 1], mono, 16 kHz, never empty.
        source_rate_hz: sample rate in the file.
        source_channels: channels in the file.
        codec: FFmpeg's name of the codec.
    """

    samples: Float32Array
    source_rate_hz: int
    source_channels: int
    codec: str

    @property
    def duration_secs(self) -> float:
        """Length of the clip."""
        return len(self.samples) / SAMPLE_RATE_HZ


def read_audio(
    path: Path | str, *, start_secs: float = 0.0, duration_secs: float | None = None
) -> AudioClip:
    """Read a file's first audio track, or the part [start_secs, start_secs + duration_secs).

    Raises:
        AvatarError: INVALID_FILE where there is no such file, no audio track, no sample in the
            asked part, or the data cannot be decoded; INVALID_AUDIO for NaN or infinite samples;
            INVALID_FIELD for a negative start or a duration that is not positive.
    """
    with _opened(path, start_secs, duration_secs) as source:
        samples = np.concatenate([np.zeros(0, np.float32), *source.chunks()])
        return AudioClip(samples, source.rate_hz, source.num_channels, source.codec)


def stream_audio(
    path: Path | str, *, start_secs: float = 0.0, duration_secs: float | None = None
) -> Iterator[Float32Array]:
    """Yield what read_audio returns in chunks of CHUNK_SECS, in bounded memory; same errors."""
    chunk_size = round(CHUNK_SECS * SAMPLE_RATE_HZ)
    waiting = np.zeros(0, np.float32)
    with _opened(path, start_secs, duration_secs) as source:
        for decoded in source.chunks():
            waiting = np.concatenate([waiting, decoded])
            while len(waiting) >= chunk_size:
                yield waiting[:chunk_size]
                waiting = waiting[chunk_size:]
    if len(waiting):
        yield waiting


def probe_channels(path: Path | str) -> int:
    """Return the number of channels of a file's first audio track; same errors as read_audio."""
    with _opened(path, 0.0, None) as source:
        return source.num_channels


def probe_seconds(path: Path | str) -> float | None:
    """Return a media file's length as its header states it; None where it does not say."""
    try:
        with open_local(Path(path)) as container:
            return None if container.duration is None else container.duration / av.time_base
    except (OSError, av.error.FFmpegError):
        return None


def probe_cut(path: Path | str) -> tuple[float, float] | None:
    """Tell whether a WAV file lacks its end, as after a broken download.

    FFmpeg reads such a file as if it were whole.

    Returns:
        The seconds that its header promises and those that are there; None for a whole file, one
        that promises nothing and any other format.
    """
    try:
        with open(path, "rb") as file, wave.open(file) as header:
            start = file.tell()  # wave stops where the samples begin
            frame_bytes = header.getnchannels() * header.getsampwidth()
            promised, there = header.getnframes(), (file.seek(0, 2) - start) // frame_bytes
            rate_hz = header.getframerate()
    except (OSError, EOFError, RuntimeError, wave.Error):  # RuntimeError: sizes that make no sense
        return None
    is_streamed = not 0 < promised * frame_bytes < _STREAMED_BYTES
    if is_streamed or promised - there <= _MISSING_SECS * rate_hz or not rate_hz:
        return None
    return promised / rate_hz, there / rate_hz


class _Source:
    """One opened track and the wanted part of it."""

    def __init__(
        self, path: Path, stream: AudioStream, start_secs: float, duration_secs: float | None
    ) -> None:
        self._path = path
        self._stream = stream
        self.rate_hz = int(stream.rate)
        self.num_channels = int(stream.channels)
        self.codec = str(stream.codec_context.name)
        self._first = round(start_secs * SAMPLE_RATE_HZ)
        self._last = (
            None if duration_secs is None else round((start_secs + duration_secs) * SAMPLE_RATE_HZ)
        )

    def chunks(self) -> Iterator[Float32Array]:
        """Yield the wanted 16 kHz samples, piece by piece."""
        position = num_wanted = 0
        for piece in self._resampled():
            low = max(self._first - position, 0)
            high = len(piece) if self._last is None else max(self._last - position, 0)
            position += len(piece)
            wanted = piece[low:high]
            if len(wanted):
                num_wanted += len(wanted)
                yield np.clip(wanted, -1.0, 1.0)
            if self._last is not None and position >= self._last:
                break
        if not num_wanted:
            length = position / SAMPLE_RATE_HZ
            raise _invalid(
                f"{self._path.name} holds no audio in the part asked for ({length:.2f} s decoded)"
                if position
                else f"the audio track of {self._path.name} is empty"
            )

    def _resampled(self) -> Iterator[Float32Array]:
        resampler = soxr.ResampleStream(
            self.rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ"
        )
        for mono in self._decoded():
            yield resampler.resample_chunk(mono)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _decoded(self) -> Iterator[Float32Array]:
        """Yield mono samples at the file's rate."""
        to_float = av.AudioResampler(format="fltp")  # format only: rate and layout stay
        container = self._stream.container
        for frame in container.decode(self._stream):  # type: ignore[attr-defined]
            for converted in to_float.resample(frame):
                yield _mono(converted)
        for converted in to_float.resample(None):
            yield _mono(converted)


def _mono(frame: AudioFrame) -> Float32Array:
    planes = np.asarray(frame.to_ndarray(), np.float32)  # (channels, samples)
    check_samples(planes)  # every channel: infinities of two signs would add up to no number
    return np.asarray(planes.mean(axis=0, dtype=np.float32), np.float32)


def open_local(path: Path) -> InputContainer:
    """Open a media file; what it may refer to elsewhere (playlists) is not fetched."""
    return av.open(
        str(path), "r", metadata_errors="replace", options={"protocol_whitelist": "file"}
    )


@contextlib.contextmanager
def _opened(path: Path | str, start_secs: float, duration_secs: float | None) -> Iterator[_Source]:
    path = Path(path)
    if not (math.isfinite(start_secs) and start_secs >= 0):
        raise AvatarError(
            Reason.INVALID_FIELD, f"start is {start_secs} s; allowed: 0 or more", field="start_secs"
        )
    if duration_secs is not None and not (math.isfinite(duration_secs) and duration_secs > 0):
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"duration is {duration_secs} s; allowed: more than 0",
            field="duration_secs",
        )
    if not path.exists():
        raise _invalid(f"there is no audio file {path}")
    if not path.is_file():
        raise _invalid(f"{path} is not a file")
    if not path.stat().st_size:
        raise _invalid(f"{path.name} is empty (0 bytes)")
    try:
        with open_local(path) as container:
            if not container.streams.audio:
                raise _invalid(f"{path.name} has no audio track")
            stream = container.streams.audio[0]
            if getattr(stream, "codec_context", None) is None:
                raise _invalid(f"the audio track of {path.name} is of an unknown codec")
            if stream.channels > MAX_CHANNELS:
                raise AvatarError(
                    Reason.INVALID_AUDIO,
                    f"{path.name} has {stream.channels} channels; 1 to {MAX_CHANNELS} are allowed",
                )
            if not stream.rate or not stream.channels:
                raise _invalid(f"the audio track of {path.name} cannot be decoded")
            yield _Source(path, stream, start_secs, duration_secs)
    except av.error.FFmpegError as error:
        raise _invalid(
            f"{path.name} is not an audio file that can be read ({error.strerror})"
        ) from error


def _invalid(message: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FILE, message)
