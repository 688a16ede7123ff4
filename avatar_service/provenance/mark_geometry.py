"""How a marked picture was scaled and turned, from the comb that a repeated tile leaves.

Convention: `scale` is picture px per frame px, `angle` radians, so that frame vector u lies at
scale * R(angle) u in the picture (x right, y down), about the picture's middle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.provenance.watermark import layout
from avatar_service.signals import MARK_TILE_PX, Float32Array

MAX_SIDE_PX: Final = 1024
"""Larger pictures are read reduced to this side."""
SCALES: Final = (0.4, 2.2)
MAX_ANGLE: Final = math.radians(15)
SCALE_STEP: Final = 0.007
ANGLE_STEP: Final = math.radians(0.5)
"""At the band's upper end a frame of 512 px resolves about these steps."""
_SMOOTH_PX: Final = 3.0
_NOISE: Final = 1.0
"""Variance, levels squared, below which a picture's own detail counts as rounding noise."""
_CALM: Final = 0.7
"""Power of the variance by which a place is divided: .5 makes all alike, 1 is what theory asks for
where the mark is equally strong everywhere; found on clips after H.264."""
_UNREST: Final = 20.0
_UNREST_PX: Final = 4.0
"""Variance, levels squared, at which a place counts half; how far it is smoothed."""
_FFT_PX: Final = 1024
_STRONGEST_LINE: Final = 12.0
"""A line of the picture's own (a fence, scan lines) must not outvote the comb."""
_NO_POWER: Final = 1e-12
"""Far below the mean power of any picture with detail, which is about its number of pixels."""
_EDGE_PX: Final = 12
_PLAIN_SCALES: Final = (1.0, 0.5, 2.0, 0.75, 1.5, 2 / 3, 1.25, 4 / 3)


@dataclass(frozen=True, slots=True)
class Geometry:
    """One guess; `score` is how far the comb stands out, in standard deviations."""

    scale: float
    angle: float
    score: float = 0.0


def flatten_picture(luma: Float32Array, unrest: Float32Array | None = None) -> Float32Array:
    """Take the picture out and leave what a mark may be in.

    Args:
        luma: (height, width) float32, 0..255.
        unrest: (height, width) float32, variance over the frames that luma is the mean of. A codec
            carries a mark along with what moves, which smears it: such places count less.

    Returns:
        (height, width) float32, white noise of about unit variance where there is no mark.
    """
    rest = luma - cv2.GaussianBlur(luma, (0, 0), _SMOOTH_PX)
    spread = cv2.GaussianBlur(rest * rest, (0, 0), _SMOOTH_PX)
    rest = rest / (spread + np.float32(_NOISE)) ** np.float32(_CALM)
    if unrest is not None:
        rest = rest / (1 + cv2.GaussianBlur(unrest, (0, 0), _UNREST_PX) / np.float32(_UNREST))
    height, width = rest.shape
    spectrum = np.fft.rfft2(rest * _edges(height)[:, None] * _edges(width)[None])
    power = np.abs(np.fft.fft2(rest)) ** 2
    # Also in frequency: every line is measured by the mean of its neighbourhood.
    size = (max(3, width // 25) | 1, max(3, height // 25) | 1)
    around = cv2.blur(
        np.fft.fftshift(power).astype(np.float32), size, borderType=cv2.BORDER_REFLECT
    )
    # A box filter beside a strong line of the picture's own goes a little below zero.
    around = np.fft.ifftshift(np.maximum(around, 0.0))
    level = np.sqrt(around[:, : spectrum.shape[1]]) + np.float32(1e-6)
    flat = np.fft.irfft2(spectrum / level, s=(height, width)).astype(np.float32)
    return flat / np.float32(flat.std() + 1e-9)


def plain_guesses() -> Iterator[Geometry]:
    """Yield the usual cases: as rendered, cropped, or resized by a round factor."""
    for scale in _PLAIN_SCALES:
        yield Geometry(scale, 0.0)


def comb_guesses(flat: Float32Array, count: int) -> list[Geometry]:
    """Return the most likely geometries by the comb alone, the best first."""
    scales, angles = _grid()
    score = _comb_scores(flat)
    found = []
    for _ in range(count):
        i, j = np.unravel_index(int(score.argmax()), score.shape)
        found.append(Geometry(float(scales[i]), float(angles[j]), float(score[i, j])))
        score[max(0, i - 3) : i + 4, max(0, j - 3) : j + 4] = -np.inf
    return found


def fold(flat: Float32Array, guess: Geometry) -> Float32Array:
    """Turn a picture back and lay all its tiles over each other.

    Returns:
        (MARK_TILE_PX, MARK_TILE_PX) float32, their sum; the tile's place is unknown.
    """
    height, width = flat.shape
    tiles = math.ceil(math.hypot(height, width) / 2 / guess.scale / MARK_TILE_PX)
    half = tiles * MARK_TILE_PX
    a, b = guess.scale * math.cos(guess.angle), guess.scale * math.sin(guess.angle)
    turn = np.array(
        [
            [a, -b, width / 2 - (a - b) * half],
            [b, a, height / 2 - (a + b) * half],
        ]
    )
    if guess.scale > 1:
        flat = cv2.GaussianBlur(flat, (0, 0), 0.4 * guess.scale)
    upright = cv2.warpAffine(
        flat, turn, (2 * half, 2 * half), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    shape = (2 * tiles, MARK_TILE_PX, 2 * tiles, MARK_TILE_PX)
    summed: Float32Array = upright.reshape(shape).sum((0, 2))
    return summed


@cache
def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = (math.log(scale) for scale in SCALES)
    scales = np.exp(np.arange(low, high, SCALE_STEP, dtype=np.float64))
    steps = round(MAX_ANGLE / ANGLE_STEP)
    return scales, np.arange(-steps, steps + 1, dtype=np.float64) * ANGLE_STEP


def _comb_scores(flat: Float32Array) -> NDArray[np.float64]:
    """Return (scales, angles): mean power on the comb's lines, in standard deviations above 1.

    Without a mark the power of each line is about exponential with mean 1.
    """
    parts = layout()
    lines = np.concatenate([parts.sync, parts.data]) * (_FFT_PX / MARK_TILE_PX)
    power = np.abs(np.fft.fft2(flat, (_FFT_PX, _FFT_PX))) ** 2
    # A picture of one colour has no power at all: no line of it stands out.
    power = np.minimum(power / max(float(power.mean()), _NO_POWER), _STRONGEST_LINE)
    # The band that any guess may look at, and a rim that stands for what lies beyond.
    power = np.fft.fftshift(power)
    middle = _FFT_PX // 2
    power[0], power[:, 0] = 1.0, 1.0
    scales, angles = _grid()
    score = np.empty((len(scales), len(angles)))
    for j, angle in enumerate(angles):
        cos, sin = math.cos(angle), math.sin(angle)
        turned = lines @ np.array([[cos, sin], [-sin, cos]])
        at = np.rint(turned[None] / scales[:, None, None]).astype(np.int64) + middle
        inside = ((at > 0) & (at < _FFT_PX)).all(2)
        at[~inside] = 0
        found = power[at[..., 1], at[..., 0]]
        score[:, j] = (found.sum(1) - len(lines)) / np.sqrt(np.maximum(inside.sum(1), 1))
    return score


def _edges(length: int) -> Float32Array:
    """Fade a picture's borders out: a cut would spread over the whole spectrum."""
    at = np.arange(length)
    ramp = np.minimum(at, length - 1 - at) + 1
    return np.minimum(1.0, ramp / _EDGE_PX).astype(np.float32)
