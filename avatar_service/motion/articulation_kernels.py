"""Compiled layers of the articulation network for any number of steps of some streams.

Convention: (batch, steps, features) float32, the oldest step first.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.jit import kernel, quick_kernel
from avatar_service.motion.net_kernels import Weights, exponentiate, gelu, normalise, project
from avatar_service.motion.visemes import NUM_VISEMES
from avatar_service.signals import Float32Array

_ONE: Final = np.float32(1)
_TWO: Final = np.float32(2)


@kernel
def convolve(
    heard: Float32Array,
    num_steps: int,
    weights: Weights,
    bias: Float32Array,
    scale: Float32Array,
    shift: Float32Array,
    epsilon: float,
    out: Float32Array,
) -> None:
    """One residual layer: x + gelu(norm(convolution)); kernel of 3, dilated.

    Args:
        heard: (batch, 2 * dilation + num_steps, width), earlier steps first.
        num_steps: steps to tell.
        weights: (3 * width, width), the oldest input first.
        bias: (width,) of the convolution.
        scale: (width,) of the layer normalisation (Ba et al. 2016, arXiv 1607.06450).
        shift: (width,) likewise.
        epsilon: likewise.
        out: (batch, num_steps, width).
    """
    batch, length, width = heard.shape
    dilation = (length - num_steps) // 2
    inputs = np.empty((batch * num_steps, 3 * width), np.float32)
    for b in range(batch):
        for t in range(num_steps):
            row = inputs[b * num_steps + t]
            for part in range(3):
                step = heard[b, t + part * dilation]
                for c in range(width):
                    row[part * width + c] = step[c]
    y = np.empty((batch * num_steps, width), np.float32)
    project(inputs, weights, bias, y)
    normalise(y, np.float32(epsilon), y)
    for r in range(len(y)):
        for c in range(width):
            y[r, c] = y[r, c] * scale[c] + shift[c]
    gelu(y)
    for b in range(batch):
        for t in range(num_steps):
            for c in range(width):
                out[b, t, c] = heard[b, 2 * dilation + t, c] + y[b * num_steps + t, c]


@kernel
def remember(
    ours: Float32Array,
    weights: Weights,
    bias: Float32Array,
    hidden: Float32Array,
    out: Float32Array,
) -> None:
    """Run a GRU (Cho et al. 2014, in torch.nn.GRU's form and order of gates).

    Args:
        ours: (batch, steps, 3 * width) projection of the input: reset, update and new gate.
        weights: (width, 3 * width) of the state.
        bias: (3 * width,) likewise.
        hidden: (batch, width) state before; afterwards the state after.
        out: (batch, steps, width) states.
    """
    batch, steps, _ = ours.shape
    width = hidden.shape[1]
    theirs = np.empty((batch, 3 * width), np.float32)
    gates = np.empty(2 * width, np.float32)
    new = np.empty(width, np.float32)
    for t in range(steps):
        project(hidden, weights, bias, theirs)
        for b in range(batch):
            input_part, state_part, state = ours[b, t], theirs[b], hidden[b]
            for i in range(2 * width):
                gates[i] = -(input_part[i] + state_part[i])
            exponentiate(gates)
            for i in range(2 * width):
                gates[i] = _ONE / (_ONE + gates[i])
            for i in range(width):
                new[i] = _TWO * (input_part[2 * width + i] + gates[i] * state_part[2 * width + i])
            exponentiate(new)
            for i in range(width):
                tanh = _ONE - _TWO / (_ONE + new[i])
                state[i] = tanh + gates[width + i] * (state[i] - tanh)
                out[b, t, i] = state[i]


@quick_kernel
def tell(logits: Float32Array) -> None:
    """Turn (rows, 15 + 7) logits into probabilities of the visemes and curves 0..1, in place."""
    for r in range(len(logits)):
        row = logits[r]
        most = row[0]
        for i in range(NUM_VISEMES):
            most = max(most, row[i])
        for i in range(NUM_VISEMES):
            row[i] -= most
        for i in range(NUM_VISEMES, len(row)):
            row[i] = -row[i]
        exponentiate(row)
        total = np.float32(0)
        for i in range(NUM_VISEMES):
            total += row[i]
        for i in range(NUM_VISEMES):
            row[i] /= total
        for i in range(NUM_VISEMES, len(row)):
            row[i] = _ONE / (_ONE + row[i])
