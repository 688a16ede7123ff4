"""Compiled layers of the articulation network for single steps.

A single step reads every weight once: what it costs is the weights' way from memory, for between
two steps the renderer has pushed them out of the cache. So weights are held in float16 where that
loses nothing (as they are stored), widened in registers, and used for all streams of a batch.

Convention: activations (batch, features) float32; weights (inputs, outputs) float32, or uint16
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
_ROWS: Final = 4
"""Weight rows in hand at a time: each output is loaded and stored once for all of them."""
_HALF_SCALE: Final = np.float32(2.0**112)
"""float16 bits moved into float32's places are too small by the difference of the exponents'
biases (127 - 15; IEEE 754); the inputs make up for it. Right for subnormal numbers too."""
_ONE: Final = np.float32(1)
_SQRT_HALF: Final = np.float32(math.sqrt(0.5))


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
    batch, num_in = x.shape
    num_out = weights.shape[1]
    bits = np.empty((_ROWS, num_out), np.int32)
    wide = bits.view(np.float32)
    for b in range(batch):
        for o in range(num_out):
            out[b, o] = bias[o]
    whole = num_in // _ROWS * _ROWS
    for i in range(0, whole, _ROWS):
        scale = _ONE
        for r in range(_ROWS):
            scale = _widen(weights[i + r], bits[r], wide[r])
        for b in range(batch):
            x0, x1 = x[b, i] * scale, x[b, i + 1] * scale
            x2, x3 = x[b, i + 2] * scale, x[b, i + 3] * scale
            row = out[b]
            for o in range(num_out):
                row[o] += (x0 * wide[0, o] + x1 * wide[1, o]) + (x2 * wide[2, o] + x3 * wide[3, o])
    for i in range(whole, num_in):
        scale = _widen(weights[i], bits[0], wide[0])
        for b in range(batch):
            x0 = x[b, i] * scale
            for o in range(num_out):
                out[b, o] += x0 * wide[0, o]


@kernel
def gelu(x: Float32Array) -> None:
    """Apply the exact GELU in place: x * Phi(x) (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""
    for b in range(x.shape[0]):
        for i in range(x.shape[1]):
            value = x[b, i]
            x[b, i] = np.float32(0.5) * value * (_ONE + math.erf(value * _SQRT_HALF))


@kernel
def convolve(
    x: Float32Array,
    tail: Float32Array,
    weights: Weights,
    bias: Float32Array,
    scale: Float32Array,
    shift: Float32Array,
    epsilon: float,
    new_tail: Float32Array,
) -> None:
    """One residual layer in place: x += gelu(norm(convolution)); kernel of 3, dilated.

    Args:
        x: (batch, width).
        tail: (batch, width, 2 * dilation) inputs of the steps before; not changed.
        weights: (3 * width, width), the oldest input first.
        bias: (width,) of the convolution.
        scale: (width,) of the layer normalisation (Ba et al. 2016, arXiv 1607.06450).
        shift: (width,) likewise.
        epsilon: likewise.
        new_tail: as `tail`, after this step.
    """
    batch, width = x.shape
    length = tail.shape[2]
    heard = np.empty((batch, 3 * width), np.float32)
    y = np.empty((batch, width), np.float32)
    for b in range(batch):
        for c in range(width):
            heard[b, c] = tail[b, c, 0]
            heard[b, width + c] = tail[b, c, length // 2]
            heard[b, 2 * width + c] = x[b, c]
            for k in range(length - 1):
                new_tail[b, c, k] = tail[b, c, k + 1]
            new_tail[b, c, length - 1] = x[b, c]
    project(heard, weights, bias, y)
    for b in range(batch):
        mean = 0.0
        for c in range(width):
            mean += y[b, c]
        mean /= width
        variance = 0.0
        for c in range(width):
            variance += (y[b, c] - mean) ** 2
        inverse = 1 / math.sqrt(variance / width + epsilon)
        for c in range(width):
            y[b, c] = np.float32((y[b, c] - mean) * inverse) * scale[c] + shift[c]
    gelu(y)
    for b in range(batch):
        for c in range(width):
            x[b, c] += y[b, c]


@kernel
def remember(ours: Float32Array, theirs: Float32Array, hidden: Float32Array) -> Float32Array:
    """Return a GRU's new state (Cho et al. 2014, in torch.nn.GRU's form and order of gates).

    Args:
        ours: (batch, 3 * width) projection of the input: reset, update and new gate.
        theirs: (batch, 3 * width) projection of the state.
        hidden: (batch, width) state before.
    """
    batch, width = hidden.shape
    out = np.empty((batch, width), np.float32)
    for b in range(batch):
        for i in range(width):
            reset = _ONE / (_ONE + math.exp(-(ours[b, i] + theirs[b, i])))
            update = _ONE / (_ONE + math.exp(-(ours[b, width + i] + theirs[b, width + i])))
            new = math.tanh(ours[b, 2 * width + i] + reset * theirs[b, 2 * width + i])
            out[b, i] = new + update * (hidden[b, i] - new)
    return out
