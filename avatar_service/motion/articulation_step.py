"""The articulation network at run time: compiled, any number of steps of any number of streams.

Same numbers as ArticulationNet.forward, within rounding, for chunks of any size; one step of one
stream takes about 0.1 ms with warm caches, many steps at once a third of that each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from avatar_service.motion import articulation_kernels as kernels
from avatar_service.motion.articulation_parameters import (
    MELS_PER_STEP,
    STEM_KERNEL,
    ArticulationNetConfig,
    ArticulationParameters,
)
from avatar_service.motion.net_file import floats
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


class ArticulationRunner(Protocol):
    """What runs the network: ArticulationStepper, or device_nets.DeviceArticulation.

    Its memories are its own; they know `join` and `split`, as NetMemory does.
    """

    def __hash__(self) -> int:
        """By identity."""
        ...

    @property
    def config(self) -> ArticulationNetConfig:
        """The shape of the network."""
        ...

    def initial_memory(self, batch: int = 1) -> Any:
        """Memory of streams that have heard nothing but silence."""
        ...

    def __call__(self, features: Float32Array, before: Any) -> tuple[Float32Array, Any]:
        """Hear some steps; see ArticulationStepper."""
        ...


class ArticulationStepper:
    """Runs a trained network; holds its own layout of the weights.

    Args:
        trained: its parameters; they are copied.
    """

    def __init__(self, trained: ArticulationParameters) -> None:
        self.config: ArticulationNetConfig = trained.config
        self._width, self._hidden = self.config.channels, self.config.hidden
        arrays = {name: floats(array) for name, array in trained.arrays.items()}
        self._mel_mean, self._mel_scale = arrays["mel_mean"], arrays["mel_scale"]
        self._stem = _convolution(arrays, "stem")
        self._convolutions = [
            (
                *_convolution(arrays, f"convolutions.{k}"),
                arrays[f"norms.{k}.weight"],
                arrays[f"norms.{k}.bias"],
                _EPSILON,
            )
            for k in range(len(self.config.dilations))
        ]
        self._ours = pack(arrays["memory.weight_ih_l0"].T), arrays["memory.bias_ih_l0"]
        self._theirs = pack(arrays["memory.weight_hh_l0"].T), arrays["memory.bias_hh_l0"]
        self._mix = pack(arrays["mix.weight"].T), arrays["mix.bias"]
        self._heads = pack(arrays["heads.weight"].T), arrays["heads.bias"]

    def initial_memory(self, batch: int = 1) -> NetMemory:
        """Memory of streams that have heard nothing but silence (zeros after the norm)."""
        num_frames = STEM_KERNEL - MELS_PER_STEP
        return NetMemory(
            np.zeros((batch, num_frames, len(self._mel_mean)), np.float32),
            tuple(np.zeros((batch, 2 * d, self._width), np.float32) for d in self.config.dilations),
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
        heard_by_stem = [pairs[:, k : k + steps] for k in range(STEM_KERNEL // MELS_PER_STEP)]
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
        out = _project(z, self._heads).reshape(batch, steps, -1, self.config.head_width)
        after = NetMemory(mels[:, MELS_PER_STEP * steps :], tuple(tails), hidden)
        return out, after


_EPSILON: Final = 1e-5
"""Of the layer norms, torch's default."""
_Layer = tuple[Weights, Float32Array]


def _project(x: Float32Array, layer: _Layer) -> Float32Array:
    weights, bias = layer
    out = np.empty((len(x), weights.shape[1]), np.float32)
    project(x, weights, bias, out)
    return out


def _convolution(arrays: Mapping[str, Float32Array], name: str) -> _Layer:
    """Weights (out, in, kernel) as (kernel * in, out): time-major rows."""
    weights = arrays[f"{name}.weight"]
    return pack(weights.transpose(2, 1, 0).reshape(-1, len(weights))), arrays[f"{name}.bias"]
