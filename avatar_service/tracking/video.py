"""Frames of any video file that FFmpeg reads, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import UInt8Array

MAX_SIDE_PX: Final = 4096
"""Larger pictures are refused: one frame of them would not fit the memory that is promised."""
_NANOS: Final = 1_000_000_000
_LOCAL_ONLY: Final = {"protocol_whitelist": "file"}
"""What a file may refer to elsewhere (playlists) is not fetched."""
_USUAL_RATE: Final = Fraction(25)


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame of a video.

    Attributes:
        pts_nanos: time on the clip's clock, 0 at the first frame that is read.
        pixels: (height, width, 3) uint8 RGB, upright.
    """

    pts_nanos: int
    pixels: UInt8Array


class VideoClip:
    """The first video track of a file, or a part of it; may be read several times.

    Args:
        path: the file.
        start_secs: where to begin.
        duration_secs: how much to read; None for all.

    Raises:
        AvatarError: INVALID_FILE where there is no such file, no video track, or a picture larger
            than MAX_SIDE_PX; INVALID_FIELD for a negative start or a duration that is not positive.
    """

    def __init__(
        self, path: Path, *, start_secs: float = 0.0, duration_secs: float | None = None
    ) -> None:
        if not start_secs >= 0:
            raise AvatarError(
                Reason.INVALID_FIELD, f"start {start_secs}: it must be 0 or more", field="start"
            )
        if duration_secs is not None and not duration_secs > 0:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"duration {duration_secs}: it must be more than 0 seconds",
                field="duration",
            )
        self.path = path
        self._start_secs = start_secs
        self._duration_secs = duration_secs
        if not path.is_file():
            raise AvatarError(Reason.INVALID_FILE, f"{path}: there is no such file")
        try:
            with av.open(str(path), options=_LOCAL_ONLY) as container:
                if not container.streams.video:
                    raise _invalid(path, "has no video track")
                stream = container.streams.video[0]
                if getattr(stream, "codec_context", None) is None:
                    raise _invalid(path, "is of an unknown codec")
                rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
                width, height = stream.codec_context.width, stream.codec_context.height
                num_frames = stream.frames
                length = container.duration
        except (OSError, av.error.FFmpegError, ValueError) as error:
            raise _invalid(path, "is not a video that can be read") from error
        if max(width, height) > MAX_SIDE_PX or min(width, height) < 1:
            raise _invalid(
                path, f"is {width}x{height}; each side must be 1 to {MAX_SIDE_PX} pixels"
            )
        self.frame_rate = min(Fraction(rate).limit_denominator(1001), Fraction(1000))
        """Frames per second, on average."""
        seconds = num_frames / self.frame_rate if num_frames else (length or 0) / av.time_base
        wanted = max(float(seconds) - start_secs, 0.0)
        if duration_secs is not None:
            wanted = min(wanted, duration_secs)
        self.num_frames_hint = round(wanted * self.frame_rate)
        """About how many frames will come, for a progress bar; 0 = unknown."""

    def pictures(self) -> Iterator[Picture]:
        """Yield the frames in the order of their times, each time later than the last.

        Raises:
            AvatarError: INVALID_FILE where nothing can be decoded in the part asked for.
        """
        first: int | None = None
        last = -1
        count = 0
        try:
            with av.open(str(self.path), options=_LOCAL_ONLY) as container:
                stream = container.streams.video[0]
                # Cores are shared with the landmark nets; one is enough to decode.
                stream.codec_context.thread_count = 1
                for frame in container.decode(stream):
                    if frame.pts is None or frame.time_base is None:
                        continue
                    if max(frame.width, frame.height) > MAX_SIDE_PX:  # not what the head told
                        raise _invalid(self.path, f"grows to {frame.width}x{frame.height}")
                    nanos = int(frame.pts * frame.time_base * _NANOS)
                    first = nanos if first is None else first
                    since = nanos - first - round(self._start_secs * _NANOS)
                    if since < 0 or since <= last:
                        continue
                    if self._duration_secs is not None and since >= self._duration_secs * _NANOS:
                        break
                    last = since
                    count += 1
                    yield Picture(since, _upright(frame))
        except (OSError, av.error.FFmpegError, ValueError) as error:
            if not count:
                raise _invalid(self.path, "holds no frame that can be decoded") from error
            # A file that is cut off: what came until then is good.
        if not count:
            raise _invalid(self.path, "holds no frame in the part asked for")


def _upright(frame: av.VideoFrame) -> UInt8Array:
    pixels = frame.to_ndarray(format="rgb24")
    # Phones store pictures lying and say by how much to turn them, degrees counter-clockwise.
    quarter_turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns), np.uint8)


def _invalid(path: Path, what: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FILE, f"{path.name} {what}")
