"""Figures of life beside the lips: rhythm with the voice, spectrum, seams, diversity.

Statistics of single channels beside real video's stand in statistics.py; here is what takes the
voice, several seeds or the generator's blocks. Tracks are read at 25 Hz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from avatar_service.audio.prosody import Prosody
from avatar_service.motion.easing import FloatArray
from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.statistics import RATE_HZ
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES
from avatar_service.signals import Float32Array

_BEAT_WIDTH_SECS: Final = 0.1
_NUM_SHIFTS: Final = 100
_BANDS_HZ: Final = {"slow": (0.2, 1.8), "ordinary": (1.8, 3.7), "rapid": (3.7, 7.0)}
"""Classes of head movement in speech (Hadar et al. 1983)."""
_CORNERS: Final = ("mouthSmile", "mouthFrown", "mouthDimple")
UPPER_FACE: Final = tuple(n for n in EXPRESSION_NAMES if n.startswith(("brow", "cheekSquint")))


def at_25_hz(track: MotionTrack, values: FloatArray) -> FloatArray:
    """(N, ...) values of a track on the 25 Hz grid from its beginning, flattened to (T, k)."""
    secs = track.pts_nanos * 1e-9
    grid = np.arange(secs[0], secs[-1] + 1e-9, 1 / RATE_HZ)
    flat = values.reshape(len(values), -1).astype(np.float64)
    return np.stack([np.interp(grid, secs, column) for column in flat.T], axis=1)


def head_degrees(track: MotionTrack) -> FloatArray:
    """(T, 3) yaw, pitch, roll in degrees at 25 Hz."""
    return np.degrees(at_25_hz(track, track.head_rotation.astype(np.float64)))


def _peaks(values: FloatArray) -> FloatArray:
    inner = values[1:-1]
    found = np.flatnonzero((inner > values[:-2]) & (inner >= values[2:]))
    return found.astype(np.float64) + 1


def voice_beats(samples: Float32Array) -> FloatArray:
    """Times in seconds of the loudness peaks of speech, those of stressed syllables."""
    frames = Prosody().push(samples)
    envelope = frames.envelope.astype(np.float64)
    peaks = _peaks(np.convolve(envelope, np.ones(5) / 5, mode="same")).astype(int)
    strong = [p for p in peaks if envelope[p] > 0.45 and frames.activity[p] > 0.5]
    return (np.array(strong, float) + 1) * 0.02


def beat_alignment_z(track: MotionTrack, samples: Float32Array) -> float:
    """Tell how much better the head's turning points meet the voice's beats than by chance.

    Mean over the head's beats (minima and maxima of its angular speed) of exp(-d^2 / 2 s^2), d to
    the nearest loudness peak and s = 0.1 s (after Siyao et al. 2022), in standard deviations above
    the mean of circular shifts of the voice; NaN where either has no beats.
    """
    speed = np.linalg.norm(np.diff(head_degrees(track), axis=0), axis=1)
    smooth = np.convolve(speed, np.array([0.25, 0.5, 0.25]), mode="same")
    head = np.concatenate([_peaks(smooth), _peaks(-smooth)]) / RATE_HZ + 0.5 / RATE_HZ
    beats = voice_beats(samples)
    secs = len(samples) / 16000
    if len(head) < 4 or len(beats) < 4:
        return math.nan

    def score(times: FloatArray) -> float:
        distance = np.abs(head[:, None] - times[None, :]).min(axis=1)
        return float(np.exp(-(distance**2) / (2 * _BEAT_WIDTH_SECS**2)).mean())

    shifts = (np.arange(_NUM_SHIFTS) + 0.5) / _NUM_SHIFTS * (secs - 2) + 1
    chance = np.array([score((beats + shift) % secs) for shift in shifts])
    return (score(beats) - float(chance.mean())) / max(1e-9, float(chance.std()))


def loudness_correlation(track: MotionTrack, samples: Float32Array) -> float:
    """Largest Pearson r of the head's speed with the voice's loudness, head 0 to 0.4 s later."""
    speed = np.linalg.norm(np.diff(head_degrees(track), axis=0), axis=1)
    envelope = Prosody().push(samples).envelope.astype(np.float64)
    loudness = np.convolve(envelope, np.ones(12) / 12, mode="same")[::2]
    speed = np.convolve(speed, np.ones(6) / 6, mode="same")
    size = min(len(speed), len(loudness)) - 10
    rs = [np.corrcoef(speed[lag : lag + size], loudness[:size])[0, 1] for lag in range(11)]
    return float(np.max(rs))


def band_shares(track: MotionTrack) -> dict[str, float]:
    """Share of the head's angular velocity in each band of Hadar's classes, 0..1."""
    velocity = np.diff(head_degrees(track), axis=0)
    window = np.hanning(len(velocity))[:, None]
    power = (np.abs(np.fft.rfft((velocity - velocity.mean(axis=0)) * window, axis=0)) ** 2).sum(1)
    hz = np.fft.rfftfreq(len(velocity), 1 / RATE_HZ)
    total = power[(hz >= 0.2) & (hz < 7)].sum()
    return {
        f"head_{name}_share": float(power[(hz >= low) & (hz < high)].sum() / total)
        for name, (low, high) in _BANDS_HZ.items()
    }


def upper_face_sd(track: MotionTrack) -> float:
    """Mean standard deviation over time of brows and cheeks."""
    columns = [EXPRESSION_INDEX[name] for name in UPPER_FACE]
    return float(at_25_hz(track, track.expression[:, columns].astype(float)).std(axis=0).mean())


def brow_loudness_r(track: MotionTrack, samples: Float32Array) -> float:
    """Largest Pearson r of inner brow raise with the voice's loudness, brow 0 to 0.4 s later."""
    column = track.expression[:, [EXPRESSION_INDEX["browInnerUp"]]].astype(float)
    brow = at_25_hz(track, column)[:, 0]
    envelope = Prosody().push(samples).envelope.astype(np.float64)
    loudness = np.convolve(envelope, np.ones(12) / 12, mode="same")[::2]
    size = min(len(brow), len(loudness)) - 10
    if brow.std() < 1e-9:
        return 0.0
    rs = [np.corrcoef(brow[lag : lag + size], loudness[:size])[0, 1] for lag in range(11)]
    return float(np.max(rs))


def diversity(tracks: Sequence[MotionTrack]) -> dict[str, float]:
    """Mean pairwise distance of several seeds over the motion's own spread: head, lips, corners.

    The lips are what forms speech; the mouth's corners (smile, frown, dimple) are expression.
    """
    heads = np.stack([head_degrees(track) for track in tracks])
    corner_columns = [k for k, n in enumerate(EXPRESSION_NAMES) if n.startswith(_CORNERS)]
    lip_columns = [
        k
        for k, n in enumerate(EXPRESSION_NAMES)
        if n.startswith(("jaw", "mouth")) and k not in corner_columns
    ]

    def measure(values: FloatArray) -> float:
        spread = math.sqrt(float(values.var(axis=1).sum(axis=-1).mean())) or 1.0
        pairs = [
            math.sqrt(float(((values[i] - values[j]) ** 2).sum(axis=-1).mean()))
            for i in range(len(values))
            for j in range(i)
        ]
        return float(np.mean(pairs)) / spread / math.sqrt(2)

    def of_shapes(columns: Sequence[int]) -> float:
        return measure(np.stack([t.expression[:, columns].astype(float) for t in tracks]))

    return {
        "head_diversity": measure(heads),
        "lip_diversity": of_shapes(lip_columns),
        "corner_diversity": of_shapes(corner_columns),
    }


def seam_ratio(track: MotionTrack) -> float:
    """99th percentile of the head's acceleration at the seams of blocks over that inside them.

    Args:
        track: at 25 frames a second from time 0, so that frame k is the node after tick k - 1.
    """
    acceleration = np.linalg.norm(np.diff(track.head_rotation.astype(float), n=2, axis=0), axis=1)
    # Entry k stands at frame k + 1, the end of tick k; blocks end with odd ticks.
    ends = np.arange(len(acceleration)) % BLOCK == BLOCK - 1
    seam, inside = (float(np.percentile(acceleration[part], 99)) for part in (ends, ~ends))
    return seam / max(1e-12, inside)
