"""The sound of a finished video: the source file's own, not the 16 kHz that the lips hear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np

from avatar_service.audio.file import open_local, probe_channels
from avatar_service.signals import Float32Array

SOUND_RATE_HZ: Final = 48_000


def count_channels(path: Path) -> int:
    """Tell whether a file's first audio track is mono (1) or more (2: it is mixed to stereo).

    Raises:
        AvatarError: what read_audio raises for a file that holds no audio.
    """
    return min(probe_channels(path), 2)


def has_sound(path: Path) -> bool:
    """Tell whether a media file has an audio track; a file that cannot be read has none."""
    try:
        with open_local(path) as container:
            return bool(container.streams.audio)
    except av.error.FFmpegError:
        return False


def stream_sound(path: Path, *, start_secs: float, num_channels: int) -> Iterator[Float32Array]:
    """Yield a file's sound from `start_secs` on.

    Yields:
        (num_samples, num_channels) float32 at SOUND_RATE_HZ.
    """
    resampler = av.AudioResampler(
        format="fltp", layout="mono" if num_channels == 1 else "stereo", rate=SOUND_RATE_HZ
    )
    skip = round(start_secs * SOUND_RATE_HZ)
    with open_local(path) as container:
        for decoded in container.decode(audio=0):
            decoded.pts = None  # gaps in broken files must not move what follows
            for frame in resampler.resample(decoded):
                block = np.ascontiguousarray(frame.to_ndarray().T, np.float32)
                dropped = min(skip, len(block))
                skip -= dropped
                if len(block) > dropped:
                    yield block[dropped:]
