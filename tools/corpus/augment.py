"""What real microphones, rooms, networks and codecs do to speech.

All linear effects of one clip (equaliser, band limits, room) are one product of spectra, so a clip
of four seconds costs a few milliseconds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import soundfile
import soxr
from scipy import fft

from avatar_service.signals import Float32Array
from tools.corpus.store import SAMPLE_RATE_HZ

_NOISE_SECS: Final = 60
_MAX_ROOM_SECS: Final = 0.6
_DECAY_60_DB: Final = 6.9
"""Natural logarithm of a thousand: amplitude at the end of the reverberation time."""


@dataclass(frozen=True, slots=True)
class Severity:
    """How bad the recordings are that the network hears.

    Attributes:
        band_share: share of clips with a band limit.
        high_hz, low_hz: ranges of the band's edges.
        gated_share: share of noises that begin or end abruptly.
        breath_share: share of longer pauses with an audible breath.
        knock_share: share of clips in which something knocks.
    """

    band_share: float
    high_hz: tuple[float, float]
    low_hz: tuple[float, float]
    gated_share: float
    breath_share: float
    knock_share: float


MILD: Final = Severity(0.25, (2800.0, 7000.0), (20.0, 300.0), 0.0, 0.0, 0.0)
"""To begin with: a network that hears nothing yet learns faster from what can be heard."""
HARSH: Final = Severity(0.4, (2500.0, 6500.0), (20.0, 350.0), 0.2, 0.4, 0.2)


def make_noises(rng: np.random.Generator) -> list[Float32Array]:
    """White, pink, brown, hum and gusting noise, each (60 s,) float32 of unit power."""
    count = _NOISE_SECS * SAMPLE_RATE_HZ
    frequencies = np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ)
    noises = []
    for slope in (0.0, 0.5, 1.0):
        spectrum = np.fft.rfft(rng.standard_normal(count))
        spectrum *= np.maximum(frequencies, 40.0) ** -slope
        noises.append(np.fft.irfft(spectrum, count))
    time = np.arange(count) / SAMPLE_RATE_HZ
    hum = np.zeros(count)
    for harmonic in range(1, 12):
        hum += np.sin(2 * np.pi * 50.0 * harmonic * time + rng.uniform(0, 6.28)) / harmonic
    noises.append(hum + 0.2 * rng.standard_normal(count))
    gusts = np.interp(time, np.arange(_NOISE_SECS * 3) / 3, rng.random(_NOISE_SECS * 3) ** 2)
    noises.append(noises[1] / noises[1].std() * gusts)
    return [(noise / noise.std()).astype(np.float32) for noise in noises]


def _equaliser(frequencies: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth random gain: one to three bells on a logarithmic axis, and a tilt."""
    octave = np.log2(np.maximum(frequencies, 30.0))
    gain_db = rng.uniform(-2.5, 2.5) * (octave - np.log2(1000.0))
    for _ in range(rng.integers(1, 4)):
        centre, width = rng.uniform(6.3, 12.8), rng.uniform(0.4, 1.5)
        gain_db += rng.uniform(-10, 10) * np.exp(-0.5 * ((octave - centre) / width) ** 2)
    return np.asarray(10 ** (gain_db / 20))


def _band_limit(
    frequencies: np.ndarray, severity: Severity, rng: np.random.Generator
) -> np.ndarray:
    high = rng.uniform(*severity.high_hz)
    low = rng.uniform(*severity.low_hz)
    order = rng.integers(2, 14)
    low_pass = 1 / np.sqrt(1 + (frequencies / high) ** (2 * order))
    return np.asarray(low_pass / np.sqrt(1 + (low / np.maximum(frequencies, 1.0)) ** 4))


def _room(rng: np.random.Generator) -> np.ndarray:
    """An impulse response: the direct sound and an exponential tail of coloured noise."""
    length = int(rng.uniform(0.1, _MAX_ROOM_SECS) * SAMPLE_RATE_HZ)
    tail = rng.standard_normal(length) * np.exp(-_DECAY_60_DB * np.arange(length) / length)
    tail = np.convolve(tail, np.ones(3) / 3, mode="same")
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE_HZ)] = 0
    tail *= rng.uniform(0.05, 0.5) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def channel(samples: Float32Array, severity: Severity, rng: np.random.Generator) -> Float32Array:
    """Pass a clip through a random microphone, band and room; (n,) -> (n,)."""
    size = fft.next_fast_len(len(samples) + int(_MAX_ROOM_SECS * SAMPLE_RATE_HZ), real=True)
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ).astype(np.float32)
    response = np.ones(len(frequencies), np.complex64)
    touched = False
    if rng.random() < 0.7:
        response *= _equaliser(frequencies, rng)
        touched = True
    if rng.random() < severity.band_share:
        response *= _band_limit(frequencies, severity, rng)
        touched = True
    if rng.random() < 0.4:
        response *= fft.rfft(_room(rng).astype(np.float32), size)
        touched = True
    if not touched:
        return samples
    filtered = fft.irfft(fft.rfft(samples, size) * response, size)
    return np.asarray(filtered[: len(samples)], np.float32)


def add_noise(
    samples: Float32Array, noise: Float32Array, snr_db: float, rng: np.random.Generator
) -> Float32Array:
    """Add a random stretch of a noise at a ratio to the clip's own power."""
    start = int(rng.integers(0, max(1, len(noise) - len(samples))))
    stretch = np.resize(noise[start : start + len(samples)], len(samples))
    power = float(np.mean(samples**2)) + 1e-8
    scale = np.sqrt(power / (float(np.mean(stretch**2)) + 1e-12)) * 10 ** (-snr_db / 20)
    return np.asarray(samples + stretch * scale, np.float32)


def gated(noise: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Let a noise begin and end abruptly, like a microphone opened within the clip; (n,)."""
    first, last = np.sort(rng.integers(0, len(noise), 2))
    gate = np.full(len(noise), 10 ** (float(rng.uniform(-60, -15)) / 20), np.float32)
    gate[first:last] = 1.0
    return noise * (gate if rng.random() < 0.5 else gate[::-1])


def breath(count: int, rng: np.random.Generator) -> Float32Array:
    """An audible breath as speakers take it in pauses: noise through a wide-open vocal tract.

    Args:
        count: samples; the breath fills a part of them.
        rng: draws its colour, length and loudness.

    Returns:
        (count,) float32.
    """
    length = min(count, int(rng.uniform(0.12, 0.5) * SAMPLE_RATE_HZ))
    size = fft.next_fast_len(length, real=True)
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    colour = np.zeros(len(frequencies))
    for centre in rng.uniform((400, 1100, 2200), (900, 2000, 4500)):
        colour += np.exp(-0.5 * ((frequencies - centre) / rng.uniform(150, 700)) ** 2)
    noise = fft.irfft(fft.rfft(rng.standard_normal(size)) * colour, size)[:length]
    noise *= np.sin(np.pi * np.linspace(0, 1, length)) ** rng.uniform(0.5, 2)
    loudness = 10 ** (float(rng.uniform(-48, -24)) / 20) / (noise.std() + 1e-9)
    out = np.zeros(count, np.float32)
    start = int(rng.integers(0, count - length + 1))
    out[start : start + length] = noise * loudness
    return out


def knocks(samples: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Add what keyboards, tables, doors and steps do: a few short strikes that ring; (n,) -> (n,).

    A strike is a click of noise and two or three damped modes; one clip's strikes sound alike.
    """
    length = int(0.25 * SAMPLE_RATE_HZ)
    time = np.arange(length) / SAMPLE_RATE_HZ
    strike = rng.uniform(0.2, 1) * rng.standard_normal(length) * np.exp(-time / 0.004)
    for _ in range(rng.integers(2, 4)):
        hz = np.exp(rng.uniform(np.log(90), np.log(3000)))
        ring_secs = np.exp(rng.uniform(np.log(0.006), np.log(0.05)))
        strike += np.sin(2 * np.pi * hz * time) * np.exp(-time / ring_secs)
    strike *= rng.uniform(0.02, 0.6) / np.abs(strike).max()
    out = samples.copy()
    for _ in range(rng.integers(1, 9)):
        start = int(rng.integers(0, len(samples)))
        part = out[start : start + length]
        part += strike[: len(part)] * rng.uniform(0.4, 1)
    return out


def _telephone(samples: Float32Array) -> Float32Array:
    """8 kHz and 8-bit mu-law (ITU-T G.711) and back."""
    narrow = np.clip(soxr.resample(samples, SAMPLE_RATE_HZ, 8000), -1, 1)
    pressed = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log1p(255)
    coarse = np.round(pressed * 127) / 127
    wide = np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(255)) / 255
    return np.asarray(soxr.resample(wide.astype(np.float32), 8000, SAMPLE_RATE_HZ), np.float32)


_CODECS: Final = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS"))


def codec_round_trip(samples: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Encode and decode a clip (MP3, Vorbis, Opus or telephone), in time with the original.

    Args:
        samples: (n,) float32 in [-1, 1], 16 kHz.
        rng: draws the codec and its rate.

    Returns:
        (n,) float32.
    """
    choice = int(rng.integers(0, len(_CODECS) + 1))
    if choice == len(_CODECS):
        decoded = _telephone(samples)
    else:
        container, subtype = _CODECS[choice]
        memory = io.BytesIO()
        with soundfile.SoundFile(
            memory,
            "w",
            samplerate=SAMPLE_RATE_HZ,
            channels=1,
            format=container,
            subtype=subtype,
            compression_level=float(rng.uniform(0.5, 0.99)),
        ) as file:
            file.write(samples)
        memory.seek(0)
        decoded, rate = soundfile.read(memory, dtype="float32")
        if rate != SAMPLE_RATE_HZ:  # Opus decodes at 48 kHz
            decoded = soxr.resample(decoded, rate, SAMPLE_RATE_HZ)
    return _in_time(np.asarray(decoded, np.float32), samples)


_MAX_DELAY: Final = 2400


def _in_time(decoded: Float32Array, original: Float32Array) -> Float32Array:
    """Undo a codec's delay, found by correlation of up to 150 ms either way."""
    count = min(len(decoded), len(original))
    size = 1 << (2 * count - 1).bit_length()
    cross = np.fft.irfft(
        np.fft.rfft(decoded[:count], size) * np.conj(np.fft.rfft(original[:count], size)), size
    )
    near = np.concatenate([cross[-_MAX_DELAY:], cross[:_MAX_DELAY]])
    delay = int(np.argmax(near)) - _MAX_DELAY
    moved = decoded[delay:] if delay >= 0 else np.pad(decoded, (-delay, 0))
    moved = moved[: len(original)]
    return np.pad(moved, (0, len(original) - len(moved)))
