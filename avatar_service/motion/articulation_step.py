"""One 20 ms step of the articulation network by compiled kernels.

A convolution of torch costs more to call than to compute on a single step; here every layer is one
call of a kernel with weights laid out beforehand, about 0.1 ms in all for one stream with warm
caches. Same numbers as ArticulationNet.forward, within rounding.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from avatar_service.motion import articulation_kernels as kernels
from avatar_service.motion.articulation_net import ArticulationNet, ArticulationOutput, NetState
from avatar_service.motion.visemes import NUM_VISEMES
from avatar_service.signals import Float32Array


class ArticulationStepper:
    """Runs single steps of a trained network; holds its own layout of the weights.

    Args:
        net: in evaluation mode; later changes of its weights are not seen.
    """

    def __init__(self, net: ArticulationNet) -> None:
        self._head_width = net.config.head_width
        self._mel_mean, self._mel_scale = _floats(net.mel_mean), _floats(net.mel_scale)
        width = net.config.channels
        # Convolution weights (out, in, kernel) -> (kernel * in, out): time-major rows.
        self._stem = _layer(net.stem.weight.permute(2, 1, 0).reshape(-1, width), net.stem.bias)
        self._convolutions = []
        for convolution, norm in zip(net.convolutions, net.norms, strict=True):
            if not (isinstance(convolution, torch.nn.Conv1d) and isinstance(norm, _Norm)):
                raise TypeError("the network's layers are convolutions and layer norms")
            rows = convolution.weight.permute(2, 1, 0).reshape(-1, width)
            scale, shift = _floats(norm.weight), _floats(norm.bias)
            layer = _layer(rows, convolution.bias)
            self._convolutions.append((*layer, scale, shift, norm.eps))
        memory = dict(net.memory.named_parameters())
        self._ours = _layer(memory["weight_ih_l0"].t(), memory["bias_ih_l0"])
        self._theirs = _layer(memory["weight_hh_l0"].t(), memory["bias_hh_l0"])
        self._mix = _layer(net.mix.weight.t(), net.mix.bias)
        self._heads = _layer(net.heads.weight.t(), net.heads.bias)

    def __call__(self, features: Tensor, state: NetState) -> tuple[ArticulationOutput, NetState]:
        """Hear one step.

        Args:
            features: (batch, 2, 80) log-mel frames.
            state: what the streams heard before; not changed.

        Returns:
            Outputs with one step, and the state after it; as ArticulationNet.forward.
        """
        batch = len(features)
        newest = (features.numpy() - self._mel_mean) * self._mel_scale
        mels = np.concatenate([state.mels.numpy(), newest], axis=1)  # (B, 6, M)
        x = _project(mels.reshape(batch, -1), self._stem)  # (B, C)
        kernels.gelu(x)
        tails: list[Tensor] = []
        for layer, tail in zip(self._convolutions, state.convolutions, strict=True):
            before = np.ascontiguousarray(tail.numpy())
            after = np.empty_like(before)
            kernels.convolve(x, before, *layer, after)
            tails.append(torch.from_numpy(after))
        before = np.ascontiguousarray(state.hidden.numpy())
        ours, theirs = _project(x, self._ours), _project(before, self._theirs)
        hidden = kernels.remember(ours, theirs, before)
        z = _project(np.concatenate([hidden, x], axis=1), self._mix)
        kernels.gelu(z)
        out = torch.from_numpy(_project(z, self._heads)).view(batch, 1, -1, self._head_width)
        output = ArticulationOutput(out[..., :NUM_VISEMES], out[..., NUM_VISEMES:])
        kept = torch.from_numpy(mels[:, newest.shape[1] :])
        return output, NetState(kept, tails, torch.from_numpy(hidden))


_Norm = torch.nn.LayerNorm
_Layer = tuple[kernels.Weights, Float32Array]


def _project(x: Float32Array, layer: _Layer) -> Float32Array:
    weights, bias = layer
    out = np.empty((len(x), weights.shape[1]), np.float32)
    kernels.project(x, weights, bias, out)
    return out


def _layer(weights: Tensor, bias: Tensor | None) -> _Layer:
    if bias is None:
        raise ValueError("the network's layers have biases")
    return kernels.pack(_floats(weights)), _floats(bias)


def _floats(tensor: Tensor) -> Float32Array:
    array: Float32Array = tensor.detach().contiguous().numpy()
    return array
