"""Blocks of the life transformer at run time, of one stream or of many at once, compiled.

A block is two known tokens, whose keys and values are kept, and two drawn ones, which move in one
or a few passes from noise to the innovation. The same numbers as LifeNet's, within rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.life_kernels import Dense, LifeWeights, draw_blocks
from avatar_service.motion.life_net import LifeNet, step_input
from avatar_service.motion.net_kernels import pack
from avatar_service.signals import Float32Array


@dataclass(frozen=True, slots=True)
class BlockInput:
    """What one stream gives to the drawing of its next block.

    Attributes:
        tokens: (BLOCK, numbers) of life_net.known_tokens: the block before.
        told: (BLOCK + 1, conditions): those of the block before, then of this one.
        noise: (BLOCK, channels).
        past: from `LifePass.new_past`; the block before is entered into it.
        index: of this block, from 0 on.
        filled: ticks that hold something, the block before included; at most context + BLOCK.
    """

    tokens: Float32Array
    told: Float32Array
    noise: Float32Array
    past: Float32Array
    index: int
    filled: int


class LifePass:
    """A network ready to draw.

    Args:
        net: on the CPU, trained: its parameters are copied.
        steps: passes for each block.
        asked: the step size that the network is told; 0 asks for the velocity itself.
        guidance: of the voice and of the controls.
    """

    def __init__(
        self, net: LifeNet, *, steps: int, asked: float, guidance: tuple[float, float]
    ) -> None:
        config = net.config
        self._slots = config.context + BLOCK
        depth = config.width // config.heads
        self._past_shape = (config.layers, 2, config.heads, self._slots, depth)
        time = torch.tensor([1.0, *(i / steps for i in range(steps))])
        size = torch.tensor([0.0] + [asked] * steps)
        weights = torch.tensor([(0.0, 0.0)] + [guidance] * steps)
        with torch.no_grad():
            steps_told = net.step(step_input(time, size, weights)).numpy()
        self._num_events = net.events.out_features
        layers = list(net.layers)
        self._weights = LifeWeights(
            known=_dense(net.known),
            drawn=_dense(net.drawn),
            heard=(*_dense(net.heard[0]), *_dense(net.heard[2])),
            kind=_floats(net.kind),
            known_step=steps_told[0],
            steps=steps_told[1:],
            modulate=_dense(net.modulate),
            qkv=_stacked([layer.qkv for layer in layers]),
            out=_stacked([layer.out for layer in layers]),
            up=_stacked([layer.up for layer in layers]),
            down=_stacked([layer.down for layer in layers]),
            own=np.stack([_floats(layer.modulation) for layer in layers]),
            ages=np.stack([_floats(layer.bias) for layer in layers]),
            read=_joined(net.velocity, net.events),
        )

    def new_past(self) -> Float32Array:
        """(layers, 2, heads, slots, depth) keys and values of a stream that begins."""
        return np.zeros(self._past_shape, np.float32)

    def draw(self, blocks: Sequence[BlockInput]) -> tuple[Float32Array, Float32Array]:
        """Draw one block of each stream.

        Returns:
            (streams, BLOCK, channels) innovation and (streams, BLOCK, events) logits.
        """
        newest = [(BLOCK * one.index + BLOCK - 1) % self._slots for one in blocks]
        at = np.array(newest, np.int64)
        filled = np.array([one.filled for one in blocks], np.int64)
        noise = np.stack([one.noise for one in blocks])
        tokens = np.stack([one.tokens for one in blocks])
        told = np.stack([one.told for one in blocks])
        is_alone = len(blocks) == 1
        past = blocks[0].past[None] if is_alone else np.stack([one.past for one in blocks])
        innovation = np.empty_like(noise)
        events = np.empty((len(blocks), BLOCK, self._num_events), np.float32)
        draw_blocks(self._weights, tokens, told, noise, past, at, filled, innovation, events)
        if not is_alone:
            for one, last, entered in zip(blocks, newest, past, strict=True):
                slots = np.arange(last - BLOCK + 1, last + 1) % self._slots
                one.past[:, :, :, slots] = entered[:, :, :, slots]
        return innovation, events


def _floats(parameter: Any) -> Float32Array:
    array: Float32Array = parameter.detach().numpy().copy()
    return array


def _dense(module: Any) -> Dense:
    return pack(_floats(module.weight).T), _floats(module.bias)


def _stacked(modules: Sequence[Any]) -> Dense:
    """Parameters of the same place in all layers, the layer as first axis."""
    weights = np.stack([_floats(one.weight).T for one in modules])
    return pack(weights), np.stack([_floats(one.bias) for one in modules])


def _joined(*modules: Any) -> Dense:
    """Parameters of several modules that read the same, their outputs side by side."""
    weights = np.concatenate([_floats(one.weight).T for one in modules], axis=1)
    return pack(weights), np.concatenate([_floats(one.bias) for one in modules])
