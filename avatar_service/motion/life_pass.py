"""Blocks of the life transformer at run time, of one stream or of many at once, compiled.

A block is two known tokens, whose keys and values are kept, and two drawn ones, which move in one
or a few passes from noise to the innovation. The same numbers as LifeNet's, within rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.life_kernels import Dense, LifeWeights, draw_blocks, hear
from avatar_service.motion.life_parameters import (
    EVENT_WIDTH,
    STEP_RATES,
    LifeParameters,
)
from avatar_service.motion.net_file import floats
from avatar_service.motion.net_kernels import pack
from avatar_service.signals import Float32Array


@dataclass(frozen=True, slots=True)
class BlockInput:
    """What one stream gives to the drawing of its next block.

    Attributes:
        tokens: (BLOCK, numbers) of life_parameters.known_tokens: the block before.
        told: (BLOCK + 1, conditions): those of the block before, then of this one.
        noise: (BLOCK, channels).
        past: from `new_past` of what draws; the block before is entered into it.
        index: of this block, from 0 on.
        filled: ticks that hold something, the block before included; at most context + BLOCK.
    """

    tokens: Float32Array
    told: Float32Array
    noise: Float32Array
    past: Any
    index: int
    filled: int


class LifePass:
    """A network ready to draw.

    Args:
        trained: its parameters; they are copied.
        steps: passes for each block.
        asked: the step size that the network is told; 0 asks for the velocity itself.
        guidance: of the voice and of the controls.
    """

    def __init__(
        self, trained: LifeParameters, *, steps: int, asked: float, guidance: tuple[float, float]
    ) -> None:
        config = trained.config
        self._slots = config.context + BLOCK
        depth = config.width // config.heads
        self._past_shape = (config.layers, 2, config.heads, self._slots, depth)
        arrays = {name: floats(array) for name, array in trained.arrays.items()}
        passes = [step_told(1.0), *(step_told(i / steps, asked, guidance) for i in range(steps))]
        told = hear(np.stack(passes), *_dense(arrays, "step.0"), *_dense(arrays, "step.2"))
        self._weights = LifeWeights(
            known=_dense(arrays, "known"),
            drawn=_dense(arrays, "drawn"),
            heard=(*_dense(arrays, "heard.0"), *_dense(arrays, "heard.2")),
            kind=arrays["kind"],
            known_step=told[0],
            steps=told[1:],
            modulate=_dense(arrays, "modulate"),
            qkv=_stacked(arrays, "qkv", config.layers),
            out=_stacked(arrays, "out", config.layers),
            up=_stacked(arrays, "up", config.layers),
            down=_stacked(arrays, "down", config.layers),
            own=np.stack([arrays[f"layers.{k}.modulation"] for k in range(config.layers)]),
            ages=np.stack([arrays[f"layers.{k}.bias"] for k in range(config.layers)]),
            read=_joined(arrays, "velocity", "events"),
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
        events = np.empty((len(blocks), BLOCK, EVENT_WIDTH), np.float32)
        draw_blocks(self._weights, tokens, told, noise, past, at, filled, innovation, events)
        if not is_alone:
            for one, last, entered in zip(blocks, newest, past, strict=True):
                slots = np.arange(last - BLOCK + 1, last + 1) % self._slots
                one.past[:, :, :, slots] = entered[:, :, :, slots]
        return innovation, events


def step_told(
    time: float, size: float = 0.0, guidance: tuple[float, float] = (0.0, 0.0)
) -> Float32Array:
    """(STEP_WIDTH,) numbers of one step, as life_net.step_input tells them in training."""
    angles = np.float32(time) * np.arange(1, STEP_RATES + 1, dtype=np.float32) * (math.pi / 2)
    small = math.log2(max(size, 1 / 32)) / 5 + 1
    return np.array([*np.sin(angles), *np.cos(angles), size, small, *guidance], np.float32)


def _dense(arrays: Mapping[str, Float32Array], name: str) -> Dense:
    return pack(arrays[f"{name}.weight"].T), arrays[f"{name}.bias"]


def _stacked(arrays: Mapping[str, Float32Array], name: str, num_layers: int) -> Dense:
    """Parameters of the same place in all layers, the layer as first axis."""
    layers = [f"layers.{k}.{name}" for k in range(num_layers)]
    weights = np.stack([arrays[f"{layer}.weight"].T for layer in layers])
    return pack(weights), np.stack([arrays[f"{layer}.bias"] for layer in layers])


def _joined(arrays: Mapping[str, Float32Array], *names: str) -> Dense:
    """Parameters of several layers that read the same, their outputs side by side."""
    weights = np.concatenate([arrays[f"{name}.weight"].T for name in names], axis=1)
    return pack(weights), np.concatenate([arrays[f"{name}.bias"] for name in names])
