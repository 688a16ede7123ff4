"""The articulation network at run time: compiled, any number of steps of any number of streams.

Same numbers as ArticulationNet.forward, within rounding, for chunks of any size; one step of one
stream takes about 0.1 ms with warm caches, many steps at once a third of that each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from avatar_service.motion import articulation_kernels as kernels
from avatar_service.motion.articulation_net import MELS_PER_STEP, ArticulationNet
from avatar_service.motion.net_kernels import Weights, gelu, pack, project
from avatar_service.signals import Float32Array


@dataclass(frozen=True, slots=True)
class NetMemory:
    """What streams have heard before.

    Attributes:
        mels: (batch, 4, mels) normalised mel frames before the next step.
        convolutions: one (batch, 2 * dilation, channels) per convolution.
        hidden: (batch, hidden) of the GRU.
    """

    mels: Float32Array
    convolutions: tuple[Float32Array, ...]
    hidden: Float32Array

    @staticmethod
    def join(memories: Sequence[NetMemory]) -> NetMemory:
        """Make one batch of several."""
        if len(memories) == 1:
            return memories[0]
        layers = zip(*(one.convolutions for one in memories), strict=True)
        return NetMemory(
            np.concatenate([one.mels for one in memories]),
            tuple(np.concatenate(layer) for layer in layers),
            np.concatenate([one.hidden for one in memories]),
        )

    def split(self) -> list[NetMemory]:
        """Give each stream of the batch its own back."""
        return [
            NetMemory(
                self.mels[i : i + 1],
                tuple(layer[i : i + 1] for layer in self.convolutions),
                self.hidden[i : i + 1],
            )
            for i in range(len(self.hidden))
        ]


class ArticulationStepper:
    """Runs a trained network; holds its own layout of the weights.

    Args:
        net: in evaluation mode; later changes of its weights are not seen.
    """

    def __init__(self, net: ArticulationNet) -> None:
        self._head_width = net.config.head_width
        self._mel_mean, self._mel_scale = _floats(net.mel_mean), _floats(net.mel_scale)
        self._width, self._hidden = net.config.channels, net.config.hidden
        # Convolution weights (out, in, kernel) -> (kernel * in, out): time-major rows.
        stem = net.stem.weight.permute(2, 1, 0)
        self._stem_frames = len(stem)
        self._stem = _layer(stem.reshape(-1, self._width), net.stem.bias)
        self._convolutions = []
        self._dilations = net.config.dilations
        for convolution, norm in zip(net.convolutions, net.norms, strict=True):
            if not (isinstance(convolution, torch.nn.Conv1d) and isinstance(norm, _Norm)):
                raise TypeError("the network's layers are convolutions and layer norms")
            rows = convolution.weight.permute(2, 1, 0).reshape(-1, self._width)
            scale, shift = _floats(norm.weight), _floats(norm.bias)
            layer = _layer(rows, convolution.bias)
            self._convolutions.append((*layer, scale, shift, norm.eps))
        memory = dict(net.memory.named_parameters())
        self._ours = _layer(memory["weight_ih_l0"].t(), memory["bias_ih_l0"])
        self._theirs = _layer(memory["weight_hh_l0"].t(), memory["bias_hh_l0"])
        self._mix = _layer(net.mix.weight.t(), net.mix.bias)
        self._heads = _layer(net.heads.weight.t(), net.heads.bias)

    def initial_memory(self, batch: int = 1) -> NetMemory:
        """Memory of streams that have heard nothing but silence (zeros after the norm)."""
        num_frames = self._stem_frames - MELS_PER_STEP
        return NetMemory(
            np.zeros((batch, num_frames, len(self._mel_mean)), np.float32),
            tuple(np.zeros((batch, 2 * d, self._width), np.float32) for d in self._dilations),
            np.zeros((batch, self._hidden), np.float32),
        )

    def __call__(self, features: Float32Array, before: NetMemory) -> tuple[Float32Array, NetMemory]:
        """Hear some steps.

        Args:
            features: (batch, 2 * steps, 80) log-mel frames, steps >= 1.
            before: what the streams heard before; not changed.

        Returns:
            (batch, steps, heads, 15 + 7) logits of the visemes, then of the articulators' curves,
            and the memory after these steps.
        """
        batch, steps = len(features), features.shape[1] // MELS_PER_STEP
        newest = (features - self._mel_mean) * self._mel_scale
        mels = np.concatenate([before.mels, newest], axis=1)  # (B, 4 + 2T, M)
        pairs = mels.reshape(batch, -1, MELS_PER_STEP * mels.shape[2])
        heard_by_stem = [pairs[:, k : k + steps] for k in range(self._stem_frames // MELS_PER_STEP)]
        rows = np.concatenate(heard_by_stem, axis=2)  # (B, T, frames * M)
        flat = _project(rows.reshape(batch * steps, -1), self._stem)
        gelu(flat)
        x = flat.reshape(batch, steps, -1)  # (B, T, C)
        tails = []
        for layer, tail in zip(self._convolutions, before.convolutions, strict=True):
            heard = np.concatenate([tail, x], axis=1)
            tails.append(heard[:, steps:])
            x = np.empty_like(x)
            kernels.convolve(heard, steps, *layer, x)
        flat = x.reshape(batch * steps, -1)
        ours = _project(flat, self._ours).reshape(batch, steps, -1)
        hidden = before.hidden.copy()
        states = np.empty((batch, steps, self._hidden), np.float32)
        kernels.remember(ours, *self._theirs, hidden, states)
        z = _project(np.concatenate([states.reshape(batch * steps, -1), flat], 1), self._mix)
        gelu(z)
        out = _project(z, self._heads).reshape(batch, steps, -1, self._head_width)
        after = NetMemory(mels[:, MELS_PER_STEP * steps :], tuple(tails), hidden)
        return out, after


_Norm = torch.nn.LayerNorm
_Layer = tuple[Weights, Float32Array]


def _project(x: Float32Array, layer: _Layer) -> Float32Array:
    weights, bias = layer
    out = np.empty((len(x), weights.shape[1]), np.float32)
    project(x, weights, bias, out)
    return out


def _layer(weights: Tensor, bias: Tensor | None) -> _Layer:
    if bias is None:
        raise ValueError("the network's layers have biases")
    return pack(_floats(weights)), _floats(bias)


def _floats(tensor: Tensor) -> Float32Array:
    array: Float32Array = tensor.detach().contiguous().numpy().copy()
    return array
