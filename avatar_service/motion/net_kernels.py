"""Compiled layers that both networks of motion are made of.

A pass over a few rows reads every weight once: what it costs is the weights' way from memory, for
between two passes the renderer has pushed them out of the cache. So weights are held in float16
where that loses nothing (as they are stored), widened in registers, and used for all rows.

Convention: activations (rows, features) float32; weights (inputs, outputs) float32, or uint16
holding the bits of float16.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

import numpy as np
from numba import types
from numba.extending import overload

from avatar_service.jit import kernel
from avatar_service.signals import Float32Array

Weights = np.ndarray[Any, Any]
_INPUTS: Final = 4
"""Weight rows in hand at a time: each output is loaded and stored once for all of them."""
_ROWS: Final = 16
"""Rows of activations that share widened weights while their outputs stay in the nearest cache."""
_HALF_SCALE: Final = np.float32(2.0**112)
"""float16 bits moved into float32's places are too small by the difference of the exponents'
biases (127 - 15; IEEE 754); the inputs make up for it. Right for subnormal numbers too."""
_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
_P: Final = np.float32(0.3275911 * math.sqrt(0.5))
_A1, _A2 = np.float32(0.254829592), np.float32(-0.284496736)
_A3, _A4, _A5 = np.float32(1.421413741), np.float32(-1.453152027), np.float32(1.061405429)
_LOG2_E: Final = np.float32(1 / math.log(2))
_LN_2: Final = np.float32(math.log(2))
_MOST_OCTAVES: Final = np.float32(126)
_ROUND_AND_BIAS: Final = np.float32(127.5)
"""Rounds to the nearest integer where fractions are cut, and adds float32's bias of exponents."""
_S2, _S3, _S4 = np.float32(1 / 2), np.float32(1 / 3), np.float32(1 / 4)
_S5, _S6, _S7 = np.float32(1 / 5), np.float32(1 / 6), np.float32(1 / 7)


def pack(weights: Float32Array) -> Weights:
    """Return the weights as the kernels want them, as bits of float16 where nothing is lost."""
    contiguous = np.ascontiguousarray(weights, np.float32)
    half = contiguous.astype(np.float16)
    if np.array_equal(half.astype(np.float32), contiguous):
        return half.view(np.uint16)
    return contiguous


def _widen(row: Weights, bits: Weights, wide: Float32Array) -> np.float32:
    """Widen a row of weights; return the factor that is still missing."""
    raise NotImplementedError("runs inside kernels only")


def _widen_by_type(row: Any, bits: Any, wide: Any) -> Any:
    """Choose at compile time; `wide` and `bits` are the same memory."""
    if row.dtype == types.uint16:

        def from_half(row: Any, bits: Any, wide: Any) -> Any:
            for o in range(len(row)):
                half = np.int32(row[o])
                bits[o] = ((half & 0x7FFF) << 13) | ((half & 0x8000) << 16)
            return _HALF_SCALE

        return from_half

    def from_single(row: Any, bits: Any, wide: Any) -> Any:
        for o in range(len(row)):
            wide[o] = row[o]
        return _ONE

    return from_single


cast(Any, overload)(_widen)(_widen_by_type)


@kernel
def project(x: Float32Array, weights: Weights, bias: Float32Array, out: Float32Array) -> None:
    """Compute x @ weights + bias into out."""
    rows, num_in = x.shape
    num_out = weights.shape[1]
    bits = np.empty((_INPUTS, num_out), np.int32)
    wide = bits.view(np.float32)
    whole = num_in // _INPUTS * _INPUTS
    for first in range(0, rows, _ROWS):
        last = min(first + _ROWS, rows)
        for b in range(first, last):
            for o in range(num_out):
                out[b, o] = bias[o]
        for i in range(0, whole, _INPUTS):
            scale = _ONE
            for r in range(_INPUTS):
                scale = _widen(weights[i + r], bits[r], wide[r])
            for b in range(first, last):
                x0, x1 = x[b, i] * scale, x[b, i + 1] * scale
                x2, x3 = x[b, i + 2] * scale, x[b, i + 3] * scale
                row = out[b]
                for o in range(num_out):
                    row[o] += (x0 * wide[0, o] + x1 * wide[1, o]) + (
                        x2 * wide[2, o] + x3 * wide[3, o]
                    )
        for i in range(whole, num_in):
            scale = _widen(weights[i], bits[0], wide[0])
            for b in range(first, last):
                x0 = x[b, i] * scale
                for o in range(num_out):
                    out[b, o] += x0 * wide[0, o]


@kernel
def exponentiate(x: Float32Array) -> None:
    """Put e^x in the place of (n,) x, to 1e-6 of the value for |x| up to 8; x is cut at +-87.

    e^x = 2^k 2^f with |f| <= 1/2: the power of two is float32's exponent, the rest Taylor's series.
    """
    bits = np.empty(len(x), np.int32)
    wide = bits.view(np.float32)
    for i in range(len(x)):
        y = min(max(x[i] * _LOG2_E, -_MOST_OCTAVES), _MOST_OCTAVES)
        biased = np.int32(y + _ROUND_AND_BIAS)
        f = (y - np.float32(biased - 127)) * _LN_2
        p = _ONE + f * _S7
        p = _ONE + f * _S6 * p
        p = _ONE + f * _S5 * p
        p = _ONE + f * _S4 * p
        p = _ONE + f * _S3 * p
        p = _ONE + f * _S2 * p
        x[i] = _ONE + f * p
        bits[i] = biased << 23
    for i in range(len(x)):
        x[i] *= wide[i]


@kernel
def normalise(x: Float32Array, epsilon: np.float32, out: Float32Array) -> None:
    """Layer normalisation without weights of each row (Ba et al. 2016, arXiv 1607.06450).

    Args:
        x: (rows, width).
        epsilon: added to the variance.
        out: (rows, width) to be filled; may be x.
    """
    rows, width = x.shape
    share = _ONE / np.float32(width)
    for r in range(rows):
        row, to = x[r], out[r]
        mean = np.float32(0)
        for i in range(width):
            mean += row[i]
        mean *= share
        variance = np.float32(0)
        for i in range(width):
            variance += (row[i] - mean) * (row[i] - mean)
        inverse = _ONE / np.float32(math.sqrt(variance * share + epsilon))
        for i in range(width):
            to[i] = (row[i] - mean) * inverse


@kernel
def gelu(x: Float32Array) -> None:
    """Apply the exact GELU in place: x * Phi(x) (Hendrycks & Gimpel 2016, arXiv 1606.08415).

    The error function to 1.5e-7 by Abramowitz & Stegun 1964, formula 7.1.26.
    """
    width = x.shape[1]
    powers = np.empty(width, np.float32)
    for r in range(x.shape[0]):
        row = x[r]
        for i in range(width):
            powers[i] = -_HALF * row[i] * row[i]
        exponentiate(powers)
        for i in range(width):
            value = row[i]
            t = _ONE / (_ONE + _P * abs(value))
            tail = _HALF * t * (_A1 + t * (_A2 + t * (_A3 + t * (_A4 + t * _A5)))) * powers[i]
            row[i] = value * (_ONE - tail) if value > 0 else value * tail
