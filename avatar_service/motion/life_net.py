"""The life transformer: flow matching over blocks of two ticks, causal, conditioned on the voice.

A block is drawn from noise given the past and what the voice and the controls say:

    past ticks -> "known" tokens (their keys and values are kept)  \
    noise      -> "drawn" tokens of one block ------------------- attention -> velocity, events

What is drawn is not the pose but its innovation: each channel's two next values are predicted
linearly from its last ones, and the error of that, whitened, is z ~ N(0, 1) to first order
(Innovations). So a network that has learnt nothing already moves smoothly, and the seams between
blocks are no different from their inside.

Training is flow matching (Lipman et al. 2023) on straight paths z_s = (1 - s) noise + s z with
velocity z - noise; a shortcut model (Frans et al. 2024) on top: the step size is an input, and
large steps are taught to land where two half steps do. Guidance is an input too: the network is
taught the velocity v + w (v - v_without) that guidance would use (Tang et al. 2025), so that one
pass does at run time what takes three. Events (a blink, a gaze shift and where to) are chances,
read off the drawn tokens.

Convention: (B, T, C) with T in ticks; blocks lie at even ticks. Known token t describes tick t and
hears its voice; the drawn tokens of block j hear the voice of its first tick only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.life_channels import NUM_CHANNELS, NUM_CONDITIONS
from avatar_service.motion.life_parameters import (
    EVENT_WIDTH,
    KNOWN_WIDTH,
    STEP_RATES,
    STEP_WIDTH,
    LifeNetConfig,
    LifeParameters,
)
from avatar_service.motion.net_state import copy_parameters, take_parameters


@dataclass(slots=True)
class Drawn:
    """What the network says about the ticks of a block.

    Attributes:
        velocity: (B, T, channels) of the innovation.
        events: (B, T, EVENT_WIDTH) logits of blink and gaze shift, then the mixture of gaze
            offsets: weight, yaw, pitch, log spread of both.
    """

    velocity: Tensor
    events: Tensor


class LifeLayer(nn.Module):
    """Attention and feed-forward, modulated by the step and the controls."""

    def __init__(self, config: LifeNetConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, config.expansion * width)
        self.down = nn.Linear(config.expansion * width, width)
        self.modulation = nn.Parameter(torch.zeros(6, width))
        self.bias = nn.Parameter(torch.zeros(config.heads, config.context + 2 * BLOCK))
        """Of attention, by age in ticks."""
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def parts(self, x: Tensor, modulation: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys, values (B, H, T, D) of x (B, T, C); modulation (B, T, 6, C) with them."""
        m = modulation + self.modulation
        y = functional.layer_norm(x, x.shape[-1:])
        y = y * (1 + m[:, :, 0]) + m[:, :, 1]
        batch, ticks, width = y.shape
        qkv = self.qkv(y).view(batch, ticks, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, T, D) each
        return q, k, v, m

    def finish(self, x: Tensor, attended: Tensor, m: Tensor) -> Tensor:
        """Add attention (B, H, T, D) and the feed-forward part."""
        batch, _, ticks, _ = attended.shape
        flat = attended.transpose(1, 2).reshape(batch, ticks, -1)
        x = x + (1 + m[:, :, 2]) * self.out(flat)
        y = functional.layer_norm(x, x.shape[-1:])
        y = y * (1 + m[:, :, 3]) + m[:, :, 4]
        y = functional.gelu(self.up(y), approximate="tanh")
        moved: Tensor = x + (1 + m[:, :, 5]) * self.down(y)
        return moved


class LifeNet(nn.Module):
    """The network itself; see the module's text."""

    def __init__(self, config: LifeNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or LifeNetConfig()
        width = self.config.width
        self.known = nn.Linear(KNOWN_WIDTH, width)
        self.drawn = nn.Linear(NUM_CHANNELS, width)
        self.heard = nn.Sequential(
            nn.Linear(NUM_CONDITIONS, width), nn.GELU(approximate="tanh"), nn.Linear(width, width)
        )
        self.kind = nn.Parameter(torch.zeros(1 + BLOCK, width))
        """Of a known token, and of the first and second drawn one."""
        self.step = nn.Sequential(
            nn.Linear(STEP_WIDTH, width), nn.GELU(approximate="tanh"), nn.Linear(width, width)
        )
        self.modulate = nn.Linear(width, 6 * width)
        self.layers = nn.ModuleList(LifeLayer(self.config) for _ in range(self.config.layers))
        self.velocity = nn.Linear(width, NUM_CHANNELS)
        self.events = nn.Linear(width, EVENT_WIDTH)
        for module in (self.modulate, self.velocity):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    @classmethod
    def of(cls, parameters: LifeParameters) -> LifeNet:
        """Make the network of trained parameters, ready to learn on."""
        net = cls(parameters.config)
        take_parameters(net, parameters.arrays)
        return net

    def parameters_now(self) -> LifeParameters:
        """Return a copy of what was learnt so far."""
        return LifeParameters(self.config, copy_parameters(self))

    def forget_past(self) -> None:
        """Move without previous motion from now on: as in training where has_past is 0."""
        nn.init.zeros_(self.known.weight)
        nn.init.zeros_(self.known.bias)

    def embed_known(
        self, tokens: Tensor, conditions: Tensor, has_past: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, C) and modulation (B, T, 6, C) of past ticks.

        Args:
            tokens: (B, T, KNOWN_WIDTH) from known_tokens.
            conditions: (B, T, NUM_CONDITIONS).
            has_past: (B, 1, 1), 0 where the tokens are to be ignored.
        """
        heard = self.heard(conditions)
        told = self.known(tokens)
        if has_past is not None:
            told = told * has_past
        x = told + heard + self.kind[0]
        return x, self._modulation(heard, step_input(tokens.new_ones(x.shape[:2])))

    def embed_drawn(
        self, z: Tensor, conditions: Tensor, time: Tensor, size: Tensor, guidance: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens and modulation of blocks that are being drawn.

        Args:
            z: (B, T, channels) on the way from noise to the innovation.
            conditions: (B, T, NUM_CONDITIONS), of the block's first tick for both its ticks.
            time: (B, T) 0 at the noise, 1 at the innovation.
            size: (B, T) of the step to be taken; 0 asks for the velocity itself.
            guidance: (B, T, 2) weights on the voice, and on controls and source; 0 for none.
        """
        heard = self.heard(conditions)
        x = self.drawn(z) + heard
        x = x + self.kind[1:].repeat(x.shape[1] // BLOCK, 1)
        return x, self._modulation(heard, step_input(time, size, guidance))

    def _modulation(self, heard: Tensor, step: Tensor) -> Tensor:
        c: Tensor = functional.silu(self.step(step) + heard)
        flat: Tensor = self.modulate(c)
        parts: Tensor = flat.view(*flat.shape[:-1], 6, -1)  # (B, T, 6, C)
        return parts

    def read(self, x: Tensor) -> Drawn:
        """Read velocity and events off drawn tokens (B, T, C)."""
        y = functional.layer_norm(x, x.shape[-1:])
        return Drawn(self.velocity(y), self.events(y))

    def forward(
        self,
        tokens: Tensor,
        known_conditions: Tensor,
        z: Tensor,
        drawn_conditions: Tensor,
        time: Tensor,
        size: Tensor,
        guidance: Tensor,
        has_past: Tensor | None = None,
    ) -> Drawn:
        """Draw all blocks of whole sequences at once, each after the true past; for training.

        Block j attends to the known ticks before it, within the context, and to itself.
        """
        past, past_modulation = self.embed_known(tokens, known_conditions, has_past)
        new, new_modulation = self.embed_drawn(z, drawn_conditions, time, size, guidance)
        x = torch.cat([past, new], dim=1)  # (B, 2T, C)
        modulation = torch.cat([past_modulation, new_modulation], dim=1)
        ticks = tokens.shape[1]
        allowed, ages = (part.to(x.device) for part in _training_mask(ticks, self.config.context))
        for layer in self.layers:
            assert isinstance(layer, LifeLayer)
            q, k, v, m = layer.parts(x, modulation)
            bias = layer.bias[:, ages].masked_fill(~allowed, -torch.inf)
            attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
            x = layer.finish(x, attended, m)
        return self.read(x[:, ticks:])


def step_input(time: Tensor, size: Tensor | None = None, guidance: Tensor | None = None) -> Tensor:
    """(B, T, STEP_WIDTH) numbers that tell time, step size and guidance."""
    rates = torch.arange(1, STEP_RATES + 1, dtype=torch.float32, device=time.device) * (math.pi / 2)
    angles = time[..., None] * rates
    size = torch.zeros_like(time) if size is None else size
    guidance = time.new_zeros(*time.shape, 2) if guidance is None else guidance
    small = torch.log2(size.clamp(min=1 / 32)) / 5 + 1
    parts = [angles.sin(), angles.cos(), size[..., None], small[..., None], guidance]
    return torch.cat(parts, dim=-1)


_MASKS: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}


def _training_mask(ticks: int, context: int) -> tuple[Tensor, Tensor]:
    """(2T, 2T) who may attend to whom, and the age in ticks of each pair."""
    if (ticks, context) not in _MASKS:
        time = torch.arange(ticks)
        block = time // BLOCK
        age = (time[:, None] - time[None, :]).clamp(-BLOCK + 1, context + BLOCK)
        start = block * BLOCK
        before = time[None, :] < start[:, None]
        near = time[None, :] >= start[:, None] - context
        same = block[:, None] == block[None, :]
        known = torch.cat([(before | same) & near, torch.zeros_like(same)], dim=1)
        drawn = torch.cat([before & near, same], dim=1)
        ages = (age + BLOCK - 1).repeat(2, 2)
        _MASKS[ticks, context] = (torch.cat([known, drawn]), ages)
    return _MASKS[ticks, context]
