"""What a clip of speech sounds like after rooms, noise and networks; conditions of the benchmark.

Every disturbance is deterministic, keeps the clip's length and undoes the delay of its codec, so
the labels still fit.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import av
import numpy as np
from scipy.signal import butter, correlate, fftconvolve, sosfilt

from avatar_service.signals import Float32Array

_RATE_HZ: Final = 16_000
_MAX_DELAY: Final = 2400


def _noise(samples: Float32Array, snr_db: float) -> Float32Array:
    noise = np.random.default_rng(1).normal(0, 1, len(samples))
    level = np.sqrt(np.mean(np.square(samples))) * 10 ** (-snr_db / 20)
    return np.asarray(samples + level * noise, np.float32)


def _room(samples: Float32Array, decay_secs: float) -> Float32Array:
    """The direct sound and an exponential tail (60 dB in decay_secs) at a quarter of its energy."""
    length = round(decay_secs * _RATE_HZ)
    tail = np.random.default_rng(2).normal(0, 1, length)
    tail *= np.exp(-np.log(1000) * np.arange(length) / length)
    tail[: round(0.004 * _RATE_HZ)] = 0
    tail *= 0.5 / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], np.float32)


def _low_pass(samples: Float32Array, edge_hz: float) -> Float32Array:
    section = butter(6, edge_hz, fs=_RATE_HZ, output="sos")
    return np.asarray(sosfilt(section, samples), np.float32)


def codec_round_trip(
    samples: Float32Array, container: str, codec: str, rate_hz: int, bit_rate: int
) -> Float32Array:
    """Encode and decode with FFmpeg, in memory.

    Args:
        samples: (n,) float32, 16 kHz mono.
        container: FFmpeg's name of the format.
        codec: of the encoder.
        rate_hz: that the codec runs at.
        bit_rate: bits per second; 0 leaves it to the codec.

    Returns:
        (n,) float32, 16 kHz, in time with the samples.
    """
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate_hz)
        stream.layout = "mono"
        if bit_rate:
            stream.bit_rate = bit_rate
        sound = np.clip(samples, -1, 1) * 32767
        frame = av.AudioFrame.from_ndarray(
            sound.astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = _RATE_HZ
        converter = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=rate_hz
        )
        fifo = av.AudioFifo()
        for part in [*converter.resample(frame), *converter.resample(None)]:
            part.pts = None
            fifo.write(part)
        size = stream.codec_context.frame_size or 1024
        while (block := fifo.read(size, partial=True)) is not None:
            out.mux(stream.encode(block))
        out.mux(stream.encode(None))
    memory.seek(0)
    back = av.AudioResampler(format="flt", layout="mono", rate=_RATE_HZ)
    with av.open(memory, "r") as source:
        frames = [part for frame in source.decode(audio=0) for part in back.resample(frame)]
        frames += back.resample(None)
    decoded = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return _in_time(decoded, samples)


def _in_time(decoded: Float32Array, original: Float32Array) -> Float32Array:
    """Undo the codec's delay, found by correlation of up to 150 ms."""
    padded = np.pad(decoded, (_MAX_DELAY, max(0, len(original) - len(decoded)) + _MAX_DELAY))
    scores = correlate(padded[: len(original) + 2 * _MAX_DELAY], original, mode="valid")
    best = int(np.argmax(scores))
    return np.asarray(padded[best : best + len(original)], np.float32)


CONDITIONS: Final[dict[str, Callable[[Float32Array], Float32Array]]] = {
    "white_noise_20_db": lambda samples: _noise(samples, 20),
    "white_noise_10_db": lambda samples: _noise(samples, 10),
    "room_400_ms": lambda samples: _room(samples, 0.4),
    "low_pass_3400_hz": lambda samples: _low_pass(samples, 3400),
    "telephone_mu_law": lambda samples: codec_round_trip(samples, "wav", "pcm_mulaw", 8000, 0),
    "opus_16_kbit": lambda samples: codec_round_trip(samples, "ogg", "libopus", 48000, 16_000),
    "mp3_24_kbit": lambda samples: codec_round_trip(samples, "mp3", "libmp3lame", 16000, 24_000),
    "minus_20_db": lambda samples: np.asarray(0.1 * samples, np.float32),
}
"""By name: (n,) float32 at 16 kHz to the same, disturbed."""
