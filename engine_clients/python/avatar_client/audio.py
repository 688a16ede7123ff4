"""Samples of any usual form to audio messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from avatar_client.gen.avatar.v1 import audio_pb2

AudioRole = Literal["speak", "listen"]
Samples = NDArray[Any] | bytes | bytearray | memoryview

ROLES: Final[dict[str, audio_pb2.AudioRole.ValueType]] = {
    "speak": audio_pb2.AUDIO_ROLE_SPEAK,
    "listen": audio_pb2.AUDIO_ROLE_LISTEN,
}
CHUNK_SECS: Final = 0.25
"""Longer stretches are cut, so that a message stays small and an interrupt takes hold at once."""


def chunks_from(
    samples: Samples,
    *,
    sample_rate_hz: int,
    channels: int | None = None,
    role: AudioRole = "speak",
    segment_id: str = "",
) -> Iterator[audio_pb2.AudioChunk]:
    """Cut samples into messages.

    Args:
        samples: float array in [-1, 1] or int16 array, (num_samples,) or (num_samples, channels);
            or bytes of little-endian 16 bit integers, interleaved.
        sample_rate_hz: 8000 to 48000.
        channels: of bytes, 1 where not given; an array tells it by its shape.
        role: whose voice it is.
        segment_id: name of the segment.

    Raises:
        ValueError: another shape or type, or a value that is not finite.
    """
    array, audio_format = _interleaved(samples, channels)
    num_channels = array.shape[1]
    step = max(int(sample_rate_hz * CHUNK_SECS), 1)
    for start in range(0, len(array), step):
        yield audio_pb2.AudioChunk(
            role=ROLES[role],
            format=audio_format,
            sample_rate_hz=sample_rate_hz,
            channels=num_channels,
            data=array[start : start + step].tobytes(),
            segment_id=segment_id,
        )


def _interleaved(
    samples: Samples, channels: int | None
) -> tuple[NDArray[Any], audio_pb2.AudioFormat.ValueType]:
    """Return (num_samples, channels) little-endian int16 or float32, and its format."""
    if isinstance(samples, (bytes, bytearray, memoryview)):
        num_channels = 1 if channels is None else channels
        if num_channels < 1 or memoryview(samples).nbytes % (2 * num_channels):
            raise ValueError(
                f"audio: {memoryview(samples).nbytes} bytes are no whole number of 16 bit sample "
                f"frames of {num_channels} channels"
            )
        array = np.frombuffer(samples, "<i2").reshape(-1, num_channels)
        return array, audio_pb2.AUDIO_FORMAT_PCM_S16LE
    if not isinstance(samples, np.ndarray):
        raise ValueError(f"audio: {type(samples).__name__}; bytes or a NumPy array is expected")
    if samples.ndim not in (1, 2):
        raise ValueError(
            f"audio: array of shape {samples.shape}; (n,) or (n, channels) is expected"
        )
    array = samples.reshape(len(samples), -1) if samples.size else samples.reshape(0, 1)
    if channels is not None and array.shape[1] != channels:
        raise ValueError(f"audio: array has {array.shape[1]} channels, {channels} were announced")
    if array.dtype == np.int16:
        return array.astype("<i2", copy=False), audio_pb2.AUDIO_FORMAT_PCM_S16LE
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"audio: array of {array.dtype}; float or int16 is expected")
    if not np.isfinite(array).all():
        raise ValueError("audio: a sample is not finite")
    return array.astype("<f4", copy=False), audio_pb2.AUDIO_FORMAT_F32LE
