"""Frames and sound into one video file, in sync, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import av
import av.error
import numpy as np
from av.audio import AudioStream
from av.video import VideoStream

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.part_file import begin_part, check_writable
from avatar_service.signals import Float32Array, UInt8Array

AUDIO_BITRATE: Final = 160_000
CRF: Final = "17"
"""x264's constant rate factor; 17-18 is visually lossless (x264 documentation)."""

_OPAQUE: Final = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_WITH_ALPHA: Final = {".mov": "mov", ".webm": "webm"}


def check_video_path(path: Path, *, with_alpha: bool) -> None:
    """Refuse an output that could not be written, before any work is done.

    Raises:
        AvatarError: INVALID_FIELD for an ending that cannot hold the picture, INVALID_FILE where
            the folder is absent or cannot be written to.
    """
    allowed = _WITH_ALPHA if with_alpha else _OPAQUE
    if path.suffix.lower() not in allowed:
        what = "a transparent background" if with_alpha else "video"
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"output {path.name!r}: for {what} the ending must be one of {', '.join(allowed)}",
            field="output",
        )
    check_writable(path)


class VideoWriter:
    """Encodes RGBA frames at a constant rate and mono or stereo sound into one file.

    H.264 + AAC (.mp4, .mov, .mkv); with alpha ProRes 4444 + AAC (.mov) or VP9 + Opus (.webm).
    The file appears under its name only when close() has succeeded: it is written beside it and
    renamed. Used as a context manager, an exception leaves nothing behind.

    Args:
        path: the file; an existing one is replaced at the end.
        width_px: even.
        height_px: even.
        frame_rate: frames per second.
        sample_rate_hz: of the sound; 0 for none.
        channels: 1 or 2.
        with_alpha: keep the frames' alpha.
        is_live: encode fast on one thread, for recording while the machine has other work.
        seal: called with the finished file before it gets its name; may change it.

    Raises:
        AvatarError: see check_video_path; STORAGE_EXHAUSTED when the disk is full.
    """

    def __init__(
        self,
        path: Path,
        *,
        width_px: int,
        height_px: int,
        frame_rate: Fraction,
        sample_rate_hz: int = 0,
        channels: int = 1,
        with_alpha: bool = False,
        is_live: bool = False,
        seal: Callable[[Path], None] | None = None,
    ) -> None:
        check_video_path(path, with_alpha=with_alpha)
        self.path = path
        try:
            self._part = begin_part(path)
        except OSError as error:
            raise _as_storage_error(error, path) from error
        formats = _WITH_ALPHA if with_alpha else _OPAQUE
        container_format = formats[path.suffix.lower()]
        self._with_alpha = with_alpha
        self._is_live = is_live
        self._seal = seal
        # Not the stream's own: the muxer changes that one when it writes the header.
        self._frame_time_base = 1 / frame_rate
        options = {"movflags": "+faststart"} if container_format in ("mp4", "mov") else {}
        self._container = av.open(
            str(self._part.path), "w", format=container_format, options=options
        )
        self._video = self._add_video(container_format, width_px, height_px, frame_rate)
        self._audio: AudioStream | None = None
        if sample_rate_hz:
            codec = "libopus" if container_format == "webm" else "aac"
            self._audio = cast(AudioStream, self._container.add_stream(codec, rate=sample_rate_hz))
            self._audio.bit_rate = AUDIO_BITRATE
            self._audio.layout = "mono" if channels == 1 else "stereo"
        self._frames = 0
        self._samples = 0

    def _add_video(
        self, container_format: str, width_px: int, height_px: int, frame_rate: Fraction
    ) -> VideoStream:
        if not self._with_alpha:
            codec, pixel_format = "libx264", "yuv420p"
            preset = "veryfast" if self._is_live else "medium"
            options = {"crf": CRF, "preset": preset, "bf": "2"}
        elif container_format == "mov":
            codec, pixel_format, options = "prores_ks", "yuva444p10le", {"profile": "4444"}
        else:
            codec, pixel_format = "libvpx-vp9", "yuva420p"
            options = {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6"}
        stream = cast(
            VideoStream, self._container.add_stream(codec, rate=frame_rate, options=options)
        )
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, pixel_format
        context = stream.codec_context
        context.time_base = 1 / frame_rate
        if self._is_live:
            context.thread_count = 1
        # ITU-R BT.709 limited range, said in the file, so that no player guesses.
        context.color_primaries = context.color_trc = context.colorspace = 1
        context.color_range = 1
        return stream

    def write_frame(self, pixels: UInt8Array) -> None:
        """Append one frame.

        Args:
            pixels: (height, width, 4) uint8 RGBA, straight alpha, row 0 on top.
        """
        frame = av.VideoFrame.from_ndarray(pixels, format="rgba")
        frame = frame.reformat(
            format=self._video.pix_fmt, dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        frame.pts = self._frames
        frame.time_base = self._frame_time_base
        self._frames += 1
        self._mux(self._video, frame)

    def write_audio(self, samples: Float32Array) -> None:
        """Append sound.

        Args:
            samples: (num_samples,) mono or (num_samples, 2) float32 in [-1, 1].
        """
        if self._audio is None:
            raise ValueError("this file was opened without sound")
        planar = np.ascontiguousarray(np.atleast_2d(samples.T), np.float32)
        layout = "mono" if planar.shape[0] == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout=layout)
        frame.sample_rate = self._audio.rate
        frame.pts = self._samples
        frame.time_base = Fraction(1, self._audio.rate)
        self._samples += planar.shape[1]
        self._mux(self._audio, frame)

    def _mux(
        self, stream: VideoStream | AudioStream, frame: av.VideoFrame | av.AudioFrame | None
    ) -> None:
        try:
            self._container.mux(stream.encode(frame))  # type: ignore[arg-type]
        except (OSError, av.error.FFmpegError) as error:
            raise _as_storage_error(error, self.path) from error

    def close(self) -> None:
        """Finish the file and give it its name."""
        try:
            self._mux(self._video, None)
            if self._audio is not None:
                self._mux(self._audio, None)
            self._container.close()
            if self._seal is not None:
                self._seal(self._part.path)
            self._part.rename(self.path)
            self._part.close()
        except (OSError, av.error.FFmpegError) as error:
            self.abort()
            raise _as_storage_error(error, self.path) from error
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Drop what was written; nothing stays at the file's name."""
        with contextlib.suppress(OSError, av.error.FFmpegError):
            self._container.close()
        self._part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _as_storage_error(error: OSError | av.error.FFmpegError, path: Path) -> AvatarError:
    if getattr(error, "errno", None) == errno.ENOSPC:
        return AvatarError(Reason.STORAGE_EXHAUSTED, f"no space left to write {path}")
    return AvatarError(Reason.INVALID_FILE, f"cannot write {path}: {error.strerror or 'I/O error'}")
