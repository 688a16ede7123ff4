"""PCM bytes of any rate and chunking in, 16 kHz mono float32 at exact times out."""

from __future__ import annotations

import functools
import math
from enum import Enum
from typing import Final

import numpy as np
import soxr

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array

SAMPLE_RATE_HZ: Final = 16_000
"""Rate of all audio inside the service."""
MIN_SAMPLE_RATE_HZ: Final = 8_000
MAX_SAMPLE_RATE_HZ: Final = 48_000
MAX_CHANNELS: Final = 32
MAX_FLOAT_LEVEL: Final = 32.0
"""Float samples are nominally within [-1, 1]; overs up to this are clipped. Beyond it the data is
not float audio at all (integers or another format sent under the wrong name)."""


class SampleFormat(Enum):
    """How one sample is laid out; little-endian, channels interleaved."""

    PCM_S16 = "s16"
    FLOAT32 = "f32"

    @property
    def num_bytes(self) -> int:
        """Size of one sample of one channel."""
        return 2 if self is SampleFormat.PCM_S16 else 4


class PcmIngest:
    """Streaming decoder of one speech segment after another.

    push(data) takes bytes cut anywhere, even inside a sample, and returns the 16 kHz samples that
    are ready; flush() ends the segment. The total over a segment is round(num_input * 16000 /
    rate) samples, and output sample n is the sound at n / 16000 s of the segment: the resampler's
    filter delay is taken out, its look-ahead only holds the newest `lag_secs` back.

    Convention:
        input: interleaved (samples, channels), little-endian PCM16 or float32.
        output: (num_samples,) float32 in [-1, 1], mono (mean of the channels), 16 kHz.

    Raises:
        AvatarError: INVALID_AUDIO for a rate outside 8-48 kHz, a channel count outside 1..32,
            NaN or infinite samples, samples far outside [-1, 1], or a segment that ends inside a
            sample.
    """

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        num_channels: int = 1,
        sample_format: SampleFormat = SampleFormat.PCM_S16,
    ) -> None:
        if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
            raise AvatarError(
                Reason.INVALID_AUDIO,
                f"sample rate {sample_rate_hz} Hz is not supported; "
                f"allowed: {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz",
                field="sample_rate_hz",
            )
        if not 1 <= num_channels <= MAX_CHANNELS:
            raise AvatarError(
                Reason.INVALID_AUDIO,
                f"{num_channels} channels are not supported; allowed: 1 to {MAX_CHANNELS}",
                field="num_channels",
            )
        self.sample_rate_hz = sample_rate_hz
        self.num_channels = num_channels
        self.sample_format = sample_format
        self._row_bytes = sample_format.num_bytes * num_channels
        self._partial = b""
        self._resampler = _Resampler(sample_rate_hz)

    @property
    def lag_secs(self) -> float:
        """How much of the newest input is still held back by the resampler's filter."""
        return self._resampler.lag_secs

    def push(self, data: bytes | bytearray | memoryview) -> Float32Array:
        """Decode the next bytes; returns the (num_samples,) that became ready, often fewer."""
        joined = self._partial + bytes(data)
        whole = len(joined) - len(joined) % self._row_bytes
        rows = self._decode(joined[:whole])
        self._partial = joined[whole:]
        return self._resampler.push(rows)

    def flush(self) -> Float32Array:
        """End the segment: the rest of its samples; the next push begins a new segment."""
        num_left, self._partial = len(self._partial), b""
        rest = self._resampler.flush()
        if num_left:
            raise AvatarError(
                Reason.INVALID_AUDIO,
                f"the audio ends inside a sample: {num_left} of {self._row_bytes} bytes",
            )
        return rest

    def reset(self) -> None:
        """Drop what is not yet out (barge-in) and begin a new segment."""
        self._partial = b""
        self._resampler.reset()

    def _decode(self, data: bytes) -> Float32Array:
        if self.sample_format is SampleFormat.PCM_S16:
            values = np.frombuffer(data, "<i2").astype(np.float32) * np.float32(1 / 32768)
        else:
            values = np.frombuffer(data, "<f4").astype(np.float32)
            check_samples(values)
        rows = values.reshape(-1, self.num_channels)
        mono = rows[:, 0] if self.num_channels == 1 else rows.mean(axis=1, dtype=np.float32)
        clipped: Float32Array = np.clip(mono, np.float32(-1.0), np.float32(1.0))
        return clipped


def check_samples(values: Float32Array) -> None:
    """Raise INVALID_AUDIO unless all samples are finite and at a level that can be audio."""
    if not values.size:
        return
    peak = float(np.max(np.abs(values)))  # NaN wins over every number in np.max
    if not math.isfinite(peak):
        raise AvatarError(Reason.INVALID_AUDIO, "the audio holds NaN or infinite samples")
    if peak > MAX_FLOAT_LEVEL:
        raise AvatarError(
            Reason.INVALID_AUDIO,
            f"float samples reach {peak:.0f}; allowed: [-1, 1] (are these integers?)",
        )


class _Resampler:
    """soxr at a fixed ratio in its variable-rate engine, with the constant delay taken out.

    The fixed-rate engine works in FFT blocks: its output comes in bursts, up to 40 ms late (115 ms
    at 8 kHz). The variable-rate engine is a plain polyphase filter: 7 to 14 ms from 16 kHz up
    (30 ms at 8 kHz), the same at any chunk size, at more than 110 dB stop-band attenuation
    (measured); the cost, 30 us per 20 ms, does not matter.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._stream = None if rate_hz == SAMPLE_RATE_HZ else _new_stream(rate_hz)
        self._delay = 0 if self._stream is None else _delay_samples(rate_hz)
        self._num_in = 0
        self._num_out = 0
        self._num_skip = self._delay

    @property
    def lag_secs(self) -> float:
        return self._num_in / self._rate_hz - self._num_out / SAMPLE_RATE_HZ

    def push(self, samples: Float32Array) -> Float32Array:
        self._num_in += len(samples)
        if self._stream is None:
            self._num_out += len(samples)
            return samples
        return self._trim(self._stream.resample_chunk(samples))

    def flush(self) -> Float32Array:
        total = (2 * self._num_in * SAMPLE_RATE_HZ + self._rate_hz) // (2 * self._rate_hz)
        missing = total - self._num_out
        if self._stream is None or not missing:
            self.reset()
            return np.zeros(0, np.float32)
        # Zeros behind the end carry the last samples through the filter.
        num_zeros = (max(self._delay, 0) + 4) * self._rate_hz // SAMPLE_RATE_HZ + 4
        tail = self._stream.resample_chunk(np.zeros(num_zeros, np.float32), last=True)
        rest = self._trim(tail)[:missing]
        self.reset()
        return rest

    def reset(self) -> None:
        if self._stream is not None and self._num_in:
            self._stream = _new_stream(self._rate_hz)
        self._num_in = self._num_out = 0
        self._num_skip = self._delay

    def _trim(self, samples: Float32Array) -> Float32Array:
        if self._num_skip < 0 and len(samples):  # the engine runs ahead at some ratios
            samples = np.concatenate([np.zeros(-self._num_skip, np.float32), samples])
            self._num_skip = 0
        skipped = max(0, min(self._num_skip, len(samples)))
        self._num_skip -= skipped
        self._num_out += len(samples) - skipped
        return np.clip(samples[skipped:], np.float32(-1.0), np.float32(1.0))


def _new_stream(rate_hz: int) -> soxr.ResampleStream:
    return soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ", vr=True)


@functools.cache
def _delay_samples(rate_hz: int) -> int:
    """Whole output samples by which the engine delays this ratio, measured with an impulse.

    The remainder, at most half a sample (31 us), stays.
    """
    half = rate_hz // 10
    impulse = np.zeros(2 * half, np.float32)
    impulse[half] = 1.0
    response = _new_stream(rate_hz).resample_chunk(impulse, last=True)
    centroid = float(np.arange(len(response)) @ response) / float(response.sum())
    return round(centroid - half * SAMPLE_RATE_HZ / rate_hz)
