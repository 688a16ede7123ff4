"""One block of one life, in NumPy: what life_stream draws of many lives at once in torch.

A pass over four tokens is fifty small products. Torch takes longer to begin each of them than NumPy
takes to do it: a life alone, which is the common case and that of files, is drawn in a fraction
of the time here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.life_net import LifeNet
from avatar_service.signals import Float32Array

_EPSILON: Final = 1e-5
"""Of the layer norms, torch's default."""
_GELU: Final = math.sqrt(2 / math.pi)
_RATES: Final = np.arange(1, 9, dtype=np.float32) * np.float32(math.pi / 2)

Dense = tuple[Float32Array, Float32Array]
"""(in, out) weights and (out,) bias."""


def _view(parameter: Any) -> Float32Array:
    array: Float32Array = parameter.detach().numpy()
    return array


def _dense(module: Any) -> Dense:
    # A copy in the order of the product: with a transposed view it takes six times as long.
    return np.ascontiguousarray(_view(module.weight).T), _view(module.bias)


def _apply(x: Float32Array, dense: Dense) -> Float32Array:
    return x @ dense[0] + dense[1]


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: Dense
    out: Dense
    up: Dense
    down: Dense
    modulation: Float32Array  # (6, C)
    bias: Float32Array  # (heads, ages)


class LoneLife:
    """The network's parameters for one life at a time.

    Args:
        net: on the CPU, trained: its parameters are copied.
    """

    def __init__(self, net: LifeNet) -> None:
        self._known, self._drawn = _dense(net.known), _dense(net.drawn)
        self._heard = _dense(net.heard[0]), _dense(net.heard[2])
        self._step = _dense(net.step[0]), _dense(net.step[2])
        self._modulate = _dense(net.modulate)
        self._kind = _view(net.kind)
        self._velocity, self._events = _dense(net.velocity), _dense(net.events)
        self._layers = [_layer_of(layer) for layer in net.layers]
        self._heads, self._context = net.config.heads, net.config.context
        time = np.arange(self._context + 2 * BLOCK)
        age = time[self._context :, None] - time[None, :]
        self._ages = age.clip(-BLOCK + 1, self._context + BLOCK) + BLOCK - 1

    def draw(
        self,
        known: tuple[Float32Array, Float32Array],
        heard: Float32Array,
        noise: Float32Array,
        cache: Float32Array,
        filled: int,
        how: tuple[int, float, float, float],
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Draw one block.

        Args:
            known: (BLOCK, tokens) and (BLOCK, conditions) of the block before.
            heard: (conditions,) of this one.
            noise: (BLOCK, channels).
            cache: (layers, 2, heads, context, D) keys and values of the past.
            filled: ticks of the cache and the known block that hold something.
            how: passes, the step size that the network is told, voice and control guidance.

        Returns:
            (BLOCK, channels) innovation, (BLOCK, events) logits, and the cache with the known
            block in it.
        """
        steps, asked, voice, control = how
        sound = self._hear(known[1])
        x = _apply(known[0], self._known) + sound + self._kind[0]
        m = self._modulation(sound, _step_input(1.0, 0.0, 0.0, 0.0))
        told = self._hear(heard[None])
        mask = _mask(filled, self._context)
        z = noise
        kept = cache
        events = np.zeros(0, np.float32)
        for i in range(steps):
            drawn = _apply(z, self._drawn) + told + self._kind[1:]
            step = self._modulation(told, _step_input(i / steps, asked, voice, control))
            step = np.broadcast_to(step, (BLOCK, *step.shape[1:]))
            if i == 0:
                whole, parts = np.concatenate([x, drawn]), np.concatenate([m, step])
                y, kept = self._pass(whole, parts, cache, mask)
                y = _norm(y[BLOCK:])
                events = _apply(y, self._events)
            else:
                y = _norm(self._pass(drawn, step, kept, mask[BLOCK:, BLOCK:])[0])
            z = z + _apply(y, self._velocity) / np.float32(steps)
        return z, events, kept

    def _hear(self, conditions: Float32Array) -> Float32Array:
        return _apply(_gelu(_apply(conditions, self._heard[0])), self._heard[1])

    def _modulation(self, heard: Float32Array, step: Float32Array) -> Float32Array:
        """(T, 6, C) of heard (T, C) and (1, numbers) of the step."""
        c = _apply(_gelu(_apply(step, self._step[0])), self._step[1]) + heard
        c = c / (1 + np.exp(-c))
        return _apply(c, self._modulate).reshape(len(c), 6, -1)

    def _pass(
        self, x: Float32Array, modulation: Float32Array, cache: Float32Array, mask: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """All layers over (T, C); as life_stream's, which batches it."""
        count, width = x.shape
        depth = width // self._heads
        context = self._context
        ages = self._ages[:count, : context + count]
        end = context + count - BLOCK
        has_known = count > BLOCK
        kept = np.empty_like(cache) if has_known else cache
        for i, layer in enumerate(self._layers):
            m = modulation + layer.modulation
            y = _norm(x) * (1 + m[:, 0]) + m[:, 1]
            qkv = _apply(y, layer.qkv).reshape(count, 3, self._heads, depth).transpose(1, 2, 0, 3)
            held = np.concatenate([cache[i], qkv[1:]], axis=2)  # (2, H, context + T, D)
            scores = qkv[0] @ held[0].transpose(0, 2, 1) * np.float32(depth**-0.5)
            scores += layer.bias[:, ages] + mask
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            scores /= scores.sum(axis=-1, keepdims=True)
            attended = (scores @ held[1]).transpose(1, 0, 2).reshape(count, width)
            x = x + (1 + m[:, 2]) * _apply(attended, layer.out)
            y = _norm(x) * (1 + m[:, 3]) + m[:, 4]
            x = x + (1 + m[:, 5]) * _apply(_gelu(_apply(y, layer.up)), layer.down)
            if has_known:
                kept[i] = held[:, :, end - context : end]
        return x, kept


def _layer_of(layer: nn.Module) -> _Layer:
    qkv, out, up, down = (_dense(getattr(layer, name)) for name in ("qkv", "out", "up", "down"))
    return _Layer(qkv, out, up, down, _view(layer.modulation), _view(layer.bias))


def _norm(x: Float32Array) -> Float32Array:
    width = np.float32(x.shape[-1])
    x = x - x.sum(axis=-1, keepdims=True) / width
    variance = np.einsum("ij,ij->i", x, x)[:, None] / width
    normed: Float32Array = x / np.sqrt(variance + np.float32(_EPSILON))
    return normed


def _gelu(x: Float32Array) -> Float32Array:
    inner = np.tanh(np.float32(_GELU) * (x + np.float32(0.044715) * x * x * x))
    y: Float32Array = np.float32(0.5) * x * (1 + inner)
    return y


def _step_input(time: float, size: float, voice: float, control: float) -> Float32Array:
    """(1, numbers) as life_net makes it of a step."""
    angles = np.float32(time) * _RATES
    small = math.log2(max(size, 1 / 32)) / 5 + 1
    rest = np.array([size, small, voice, control], np.float32)
    return np.concatenate([np.sin(angles), np.cos(angles), rest])[None]


def _mask(filled: int, context: int) -> Float32Array:
    """(2 BLOCK, context + 2 BLOCK) as life_stream makes it."""
    time = np.arange(context + 2 * BLOCK)
    held: NDArray[np.bool_] = np.tile(time >= context + BLOCK - filled, (2 * BLOCK, 1))
    held[:BLOCK] &= time < context + BLOCK
    held[:BLOCK, context : context + BLOCK] = True
    held[BLOCK:] &= time >= BLOCK
    return np.where(held, np.float32(0), np.float32(-np.inf))
