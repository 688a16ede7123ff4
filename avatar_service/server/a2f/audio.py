"""Their audio (16 to 144 kHz, mono PCM16) into our line (16 kHz float32)."""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.a2f.gen.nvidia_ace.audio.v1 import audio_pb2
from avatar_service.signals import Float32Array

LINE_RATE_HZ: Final = 16_000
MIN_RATE_HZ: Final = 16_000
MAX_RATE_HZ: Final = 144_000
BYTES_PER_SAMPLE: Final = 2


def check_header(header: audio_pb2.AudioHeader) -> None:
    """Refuse what is not mono 16-bit PCM of 16 to 144 kHz.

    Raises:
        AvatarError: INVALID_AUDIO.
    """
    if header.audio_format != audio_pb2.AudioHeader.AUDIO_FORMAT_PCM:
        raise AvatarError(Reason.INVALID_AUDIO, "audio_format: only AUDIO_FORMAT_PCM")
    if header.channel_count != 1:
        raise AvatarError(Reason.INVALID_AUDIO, f"channel_count {header.channel_count}: only 1")
    if header.bits_per_sample != 8 * BYTES_PER_SAMPLE:
        raise AvatarError(
            Reason.INVALID_AUDIO, f"bits_per_sample {header.bits_per_sample}: only 16"
        )
    if not MIN_RATE_HZ <= header.samples_per_second <= MAX_RATE_HZ:
        raise AvatarError(
            Reason.INVALID_AUDIO,
            f"samples_per_second {header.samples_per_second}: {MIN_RATE_HZ} to {MAX_RATE_HZ}",
        )


class ClipIngest:
    """Streaming PCM16 bytes to 16 kHz samples without delay; a clip of N becomes N * 16000 / rate.

    The engine works in blocks, so samples come in bursts of some tens of milliseconds.
    """

    def __init__(self, rate_hz: int) -> None:
        self._stream = (
            None
            if rate_hz == LINE_RATE_HZ
            else soxr.ResampleStream(rate_hz, LINE_RATE_HZ, 1, dtype="float32", quality="HQ")
        )

    def push(self, data: bytes) -> Float32Array:
        """Decode whole samples.

        Raises:
            AvatarError: INVALID_AUDIO for half a sample.
        """
        if len(data) % BYTES_PER_SAMPLE:
            raise AvatarError(
                Reason.INVALID_AUDIO, "audio_buffer: an odd number of bytes is not 16-bit audio"
            )
        samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
        return self._resampled(samples, last=False)

    def flush(self) -> Float32Array:
        """End the clip."""
        return self._resampled(np.zeros(0, np.float32), last=True)

    def _resampled(self, samples: Float32Array, *, last: bool) -> Float32Array:
        if self._stream is None:
            return samples
        out: Float32Array = self._stream.resample_chunk(samples, last=last)
        return out.clip(-1, 1)
