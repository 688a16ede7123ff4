"""Reading the watermark back, from one picture or from the mean of a clip's frames.

A guess of the geometry, the place of the tile by the known lines, then the bits. A reading counts
only if its CRC-32 fits. A path through the code passes that by chance with 2**-32, and 64 in each
of 19 places at most are tried: a false alarm has a chance below 3e-7, whatever a picture shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.provenance import mark_code
from avatar_service.provenance.mark_geometry import (
    ANGLE_STEP,
    MAX_SIDE_PX,
    SCALE_STEP,
    Geometry,
    comb_guesses,
    flatten_picture,
    fold,
    plain_guesses,
)
from avatar_service.provenance.watermark import MarkPayload, layout
from avatar_service.signals import MARK_TILE_PX, Float32Array, UInt8Array

CLIP_FRAMES: Final = 40
"""A second: over so many frames a moving picture averages out and the mark stays."""
MIN_SIDE_PX: Final = 96
NUM_COMB_GUESSES: Final = 10
NUM_REFINED: Final = 3
"""Of the comb's guesses, those where the known lines stand out most."""
WORTH_DECODING: Final = 4.5
"""Peak of the known lines, in standard deviations; unmarked pictures reach 3.5 to 5."""
_FINE: Final = 4
"""The tile's place is found to 1 / _FINE px; guesses are compared to whole pixels, which at BAND's
upper end costs 8 % of the peak at most and a sixteenth of the time."""

Complex128Array = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class MarkReading:
    """A watermark that was read.

    Attributes:
        sync: how far the known lines stand out, standard deviations.
        agreement: share of the received code bits that agree with the payload's; .5 is chance.
        scale: picture px per frame px.
        turn_degrees: of the picture against the frame, in quarter turns and degrees.
        is_mirrored: whether left and right are exchanged.
    """

    payload: MarkPayload
    sync: float
    agreement: float
    scale: float
    turn_degrees: float
    is_mirrored: bool


class ClipMean:
    """The mean luma of a clip's frames, and how much it varies."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | None = None
        self._squares: NDArray[np.float64] | None = None
        self.num_frames = 0

    def add(self, rgb: UInt8Array) -> None:
        """Take a frame, (height, width, 3) uint8 RGB; one of another size begins anew."""
        luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float64)
        if self._sum is None or self._squares is None or self._sum.shape != luma.shape:
            self._sum, self._squares = np.zeros(luma.shape), np.zeros(luma.shape)
            self.num_frames = 0
        self._sum += luma
        self._squares += luma * luma
        self.num_frames += 1

    def read(self) -> MarkReading | None:
        """Look for a mark; see read_mark."""
        if self._sum is None or self._squares is None:
            return None
        mean = self._sum / self.num_frames
        unrest = np.maximum(self._squares / self.num_frames - mean * mean, 0.0)
        return read_mark(mean.astype(np.float32), unrest.astype(np.float32))


def read_mark(luma: Float32Array, unrest: Float32Array | None = None) -> MarkReading | None:
    """Look for a mark in a picture or in the mean of frames.

    Args:
        luma: (height, width) float32, 0..255; parts that were transparent at any constant.
        unrest: its variance over the frames of a clip; see flatten_picture.

    Returns:
        The mark; None where there is none, or it was destroyed.
    """
    height, width = luma.shape
    if min(height, width) < MIN_SIDE_PX:
        return None
    reduced = min(1.0, MAX_SIDE_PX / max(height, width))
    if reduced < 1:
        size = (round(width * reduced), round(height * reduced))
        luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
        if unrest is not None:
            unrest = cv2.resize(unrest, size, interpolation=cv2.INTER_AREA)
    for flat, guess, orientation in _candidates(luma, unrest):
        tile = _turned(fold(flat, guess), orientation)
        peak, x, y = _place(tile)
        found = _decode(tile, x, y) if peak >= WORTH_DECODING else None
        if found is not None:
            turn = math.degrees(guess.angle) + 90 * (orientation % 4)
            bits, agreement = found
            return MarkReading(
                MarkPayload.from_int(bits),
                sync=peak,
                agreement=agreement,
                scale=guess.scale / reduced,
                turn_degrees=(turn + 180) % 360 - 180,
                is_mirrored=orientation >= 4,
            )
    return None


def _candidates(
    luma: Float32Array, unrest: Float32Array | None
) -> Iterator[tuple[Float32Array, Geometry, int]]:
    """Yield what to decode: flattened picture, geometry and orientation, the usual cases first.

    What moves counts less, as video codecs ask for, and then, in the usual cases, as much as all
    else: frames compressed each for itself keep the mark where the picture moves under it.
    """
    flat = flatten_picture(luma, unrest)
    views = [flat] if unrest is None else [flat, flatten_picture(luma)]
    for view in views:
        for guess in plain_guesses():
            yield view, guess, _best_orientation(view, guess)[1]
    coarse = [
        (guess, *_best_orientation(flat, guess)) for guess in comb_guesses(flat, NUM_COMB_GUESSES)
    ]
    coarse.sort(key=lambda seen: seen[1], reverse=True)
    for guess, _, orientation in coarse[:NUM_REFINED]:
        yield flat, _refine(flat, guess, orientation), orientation


def _best_orientation(flat: Float32Array, guess: Geometry) -> tuple[float, int]:
    """Return how far the known lines stand out at best, and in which of the 8 orientations."""
    folded = fold(flat, guess)
    return max((_place(_turned(folded, k), fine=1)[0], k) for k in range(8))


def _turned(tile: Float32Array, orientation: int) -> Float32Array:
    """Return the tile by quarter turns (orientation % 4) and mirrored (>= 4)."""
    turned = np.rot90(tile, orientation % 4)
    return np.ascontiguousarray(turned[:, ::-1] if orientation >= 4 else turned)


def _spectrum(tile: Float32Array, lines: NDArray[np.int64]) -> Complex128Array:
    """Return the tile's values at lines, of unit mean square, none stronger than 1.5."""
    whole = np.fft.fft2(tile)
    found: Complex128Array = whole[lines[:, 1] % MARK_TILE_PX, lines[:, 0] % MARK_TILE_PX]
    found = found / (np.sqrt(np.mean(np.abs(found) ** 2)) + 1e-12)
    return found / np.maximum(1.0, np.abs(found) / 1.5)


def _place(tile: Float32Array, *, fine: int = _FINE) -> tuple[float, float, float]:
    """Return how far the known lines stand out, and the tile's place (x, y) to 1 / fine px."""
    parts = layout()
    match = _spectrum(tile, parts.sync) * np.conj(parts.phases)
    side = MARK_TILE_PX * fine
    surface = np.zeros((side, side), np.complex64)
    surface[parts.sync[:, 1] % side, parts.sync[:, 0] % side] = match
    peaks = np.fft.ifft2(surface).real * (side * side / math.sqrt(len(parts.sync) / 2))
    y, x = np.unravel_index(int(peaks.argmax()), peaks.shape)
    return float(peaks[y, x]), float(x) / fine, float(y) / fine


def _refine(flat: Float32Array, guess: Geometry, orientation: int) -> Geometry:
    """Climb from a grid point to the best match of the known lines."""
    best, peak = guess, -math.inf
    scale_step, angle_step = SCALE_STEP / 2, ANGLE_STEP / 2
    for _ in range(3):
        middle = best
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                near = Geometry(middle.scale * (1 + i * scale_step), middle.angle + j * angle_step)
                found = _place(_turned(fold(flat, near), orientation), fine=1)[0]
                if found > peak:
                    best, peak = near, found
        scale_step, angle_step = scale_step / 2, angle_step / 2
    return best


def _decode(tile: Float32Array, x: float, y: float) -> tuple[int, float] | None:
    parts = layout()
    shift = np.exp(2j * np.pi / MARK_TILE_PX * (parts.data @ np.array([x, y])))
    values = _spectrum(tile, parts.data) * shift
    evidence = np.empty(2 * len(values))
    evidence[0::2], evidence[1::2] = values.real, values.imag
    soft = np.bincount(parts.code_bits, evidence, mark_code.NUM_CODE_BITS).astype(np.float64)
    bits = mark_code.decode(soft)
    if bits is None:
        return None
    sent = mark_code.encode(bits)[parts.code_bits]
    return bits, float(np.mean(np.sign(evidence) == sent))
