"""Log-mel features, the same numbers whether speech comes whole or in chunks.

Frame i covers the 25 ms that END at (i + 1) * 10 ms, so a frame depends on the past alone; before
the first sample stands silence.

Source of the mel scale: O'Shaughnessy 1987 (m = 2595 log10(1 + f / 700)), triangular filters of
equal width in mel with unit peak.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array

SAMPLE_RATE_HZ: Final = 16000
HOP_SAMPLES: Final = 160
WINDOW_SAMPLES: Final = 400
FFT_SIZE: Final = 512
NUM_MELS: Final = 80
_LOW_HZ: Final = 60.0
_HIGH_HZ: Final = 7600.0
_FLOOR: Final = 1e-6
"""Added to the mel power before the logarithm: some 30 dB below the noise of a quiet microphone
at full scale 1, so digital silence and a quiet room look alike."""
_HISTORY_SAMPLES: Final = WINDOW_SAMPLES - HOP_SAMPLES


def _hz_from_mel(mel: Float32Array) -> Float32Array:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0), np.float64)


@cache
def _filterbank() -> Float32Array:
    """(257, 80) weights of the power spectrum's bins."""
    low, high = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in (_LOW_HZ, _HIGH_HZ))
    edges = _hz_from_mel(np.linspace(low, high, NUM_MELS + 2))
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, FFT_SIZE // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


@cache
def _window() -> Float32Array:
    return np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)  # periodic Hann


def _features(padded: Float32Array) -> Float32Array:
    """(..., 240 + n * 160) samples with their history -> (..., n, 80)."""
    # Of half hops, five of which make a window: numpy's sliding view takes longer than the rest.
    halves = padded.reshape(*padded.shape[:-1], -1, HOP_SAMPLES // 2)
    num_halves = WINDOW_SAMPLES // (HOP_SAMPLES // 2)
    last = halves.shape[-2] - num_halves + 1
    frames = np.concatenate([halves[..., k : k + last : 2, :] for k in range(num_halves)], axis=-1)
    frames *= _window()
    spectrum = np.fft.rfft(frames, FFT_SIZE, axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(np.log(power.astype(np.float32) @ _filterbank() + _FLOOR), np.float32)


def log_mel(samples: Float32Array) -> Float32Array:
    """Compute the features of whole clips.

    Args:
        samples: (..., n) float32 in [-1, 1], mono, 16 kHz; a rest of less than a hop is dropped.

    Returns:
        (..., n // 160, 80) float32 natural logarithm of the mel power.
    """
    samples = np.asarray(samples, np.float32)
    num_frames = samples.shape[-1] // HOP_SAMPLES
    if num_frames == 0:
        return np.zeros((*samples.shape[:-1], 0, NUM_MELS), np.float32)
    whole = samples[..., : num_frames * HOP_SAMPLES]
    padding = [(0, 0)] * (samples.ndim - 1) + [(_HISTORY_SAMPLES, 0)]
    return _features(np.pad(whole, padding))


class StreamingLogMel:
    """The features of a stream: push chunks of any size, get the frames they complete."""

    def __init__(self) -> None:
        self._held = np.zeros(_HISTORY_SAMPLES, np.float32)

    def push(self, samples: Float32Array) -> Float32Array:
        """Take samples in and return the frames that are now complete.

        Args:
            samples: (n,) float32 in [-1, 1], mono, 16 kHz.

        Returns:
            (frames, 80) float32; frames may be 0.

        Raises:
            AvatarError: INVALID_AUDIO where the shape is wrong or a sample is not finite.
        """
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1:
            raise AvatarError(
                Reason.INVALID_AUDIO, f"samples must have shape (n,), not {samples.shape}"
            )
        if not np.isfinite(samples).all():
            raise AvatarError(Reason.INVALID_AUDIO, "samples hold NaN or infinity")
        held = np.concatenate([self._held, samples])
        num_frames = (len(held) - _HISTORY_SAMPLES) // HOP_SAMPLES
        if num_frames == 0:
            self._held = held
            return np.zeros((0, NUM_MELS), np.float32)
        used = num_frames * HOP_SAMPLES
        self._held = held[used:].copy()
        return _features(held[: used + _HISTORY_SAMPLES])

    def reset(self) -> None:
        """Forget the stream: the next sample follows silence."""
        self._held = np.zeros(_HISTORY_SAMPLES, np.float32)
