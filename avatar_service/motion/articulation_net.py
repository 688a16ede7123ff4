"""The streaming network: log-mel frames in, visemes and articulators out, at 50 Hz.

Causal: two 10 ms mel frames -> strided convolution -> dilated causal convolutions -> GRU -> one
head per look-ahead. The head of look-ahead L, at step i, describes the mouth at
(i + 1) * 20 ms - L, and has heard the audio up to (i + 1) * 20 ms: it looks L ahead exactly.

Convention: features are (batch, 2 * steps, mels), outputs (batch, steps, ...). State tensors carry
the batch in dimension 0 (the GRU's too). This is the form that learns; articulation_step runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_service.audio.mel import NUM_MELS
from avatar_service.motion.articulation_parameters import (
    KERNEL,
    MELS_PER_STEP,
    MIX_WIDTH,
    STEM_KERNEL,
    ArticulationNetConfig,
    ArticulationParameters,
)
from avatar_service.motion.net_state import copy_parameters, take_parameters
from avatar_service.motion.visemes import NUM_VISEMES


@dataclass(slots=True)
class ArticulationOutput:
    """What the network says, per head.

    Attributes:
        viseme_logits: (batch, steps, heads, 15).
        articulators: (batch, steps, heads, 7) LOGITS of the curves 0..1.
    """

    viseme_logits: Tensor
    articulators: Tensor


@dataclass(slots=True)
class NetState:
    """The memory of a batch of streams.

    Attributes:
        mels: (batch, 4, mels) normalised mel frames before the next step.
        convolutions: one (batch, channels, 2 * dilation) per convolution.
        hidden: (batch, hidden) of the GRU.
    """

    mels: Tensor
    convolutions: list[Tensor]
    hidden: Tensor

    @staticmethod
    def join(states: Sequence[NetState]) -> NetState:
        """Make one batch of several."""
        layers = zip(*(one.convolutions for one in states), strict=True)
        return NetState(
            torch.cat([one.mels for one in states]),
            [torch.cat(layer) for layer in layers],
            torch.cat([one.hidden for one in states]),
        )

    def split(self) -> list[NetState]:
        """Give each stream of the batch its own back."""
        return [
            NetState(
                self.mels[i : i + 1],
                [layer[i : i + 1] for layer in self.convolutions],
                self.hidden[i : i + 1],
            )
            for i in range(len(self.hidden))
        ]


class ArticulationNet(nn.Module):
    """The network itself; see the module's text for its shape and timing."""

    mel_mean: Tensor
    mel_scale: Tensor

    def __init__(self, config: ArticulationNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or ArticulationNetConfig()
        width = self.config.channels
        self.register_buffer("mel_mean", torch.zeros(NUM_MELS))
        self.register_buffer("mel_scale", torch.ones(NUM_MELS))
        self.stem = nn.Conv1d(NUM_MELS, width, STEM_KERNEL, stride=MELS_PER_STEP)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, KERNEL, dilation=d) for d in self.config.dilations
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.config.dilations)
        self.memory = nn.GRU(width, self.config.hidden, batch_first=True)
        heads = len(self.config.look_ahead_steps)
        self.mix = nn.Linear(width + self.config.hidden, MIX_WIDTH)
        self.heads = nn.Linear(MIX_WIDTH, heads * self.config.head_width)
        self.dropout = nn.Dropout(0.1)

    def initial_state(self, batch: int = 1) -> NetState:
        """State of streams that have heard nothing but silence before (zeros after the norm)."""
        config, zeros = self.config, self.mel_mean.new_zeros
        return NetState(
            zeros(batch, STEM_KERNEL - MELS_PER_STEP, NUM_MELS),
            [zeros(batch, config.channels, (KERNEL - 1) * d) for d in config.dilations],
            zeros(batch, config.hidden),
        )

    def forward(self, features: Tensor, state: NetState) -> tuple[ArticulationOutput, NetState]:
        """Hear some steps.

        Args:
            features: (batch, 2 * steps, 80) log-mel frames, steps >= 1.
            state: what the streams heard before; not changed.

        Returns:
            The outputs of these steps and the state after them.
        """
        mels = (features - self.mel_mean) * self.mel_scale  # (B, 2T, M)
        mels = torch.cat([state.mels, mels], dim=1)  # (B, 4 + 2T, M)
        x = functional.gelu(self.stem(mels.transpose(1, 2)))  # (B, C, T)
        tails: list[Tensor] = []
        for convolution, norm, tail in zip(
            self.convolutions, self.norms, state.convolutions, strict=True
        ):
            context = torch.cat([tail, x], dim=2)  # (B, C, 2d + T)
            tails.append(context[:, :, -tail.shape[2] :])
            y = norm(convolution(context).transpose(1, 2)).transpose(1, 2)
            x = x + functional.gelu(y)
        x = self.dropout(x.transpose(1, 2))  # (B, T, C)
        heard, hidden = self.memory(x, state.hidden[None])
        z = functional.gelu(self.mix(torch.cat([self.dropout(heard), x], dim=2)))
        batch, steps, _ = z.shape
        out = self.heads(z).view(batch, steps, -1, self.config.head_width)
        output = ArticulationOutput(out[..., :NUM_VISEMES], out[..., NUM_VISEMES:])
        kept = mels[:, mels.shape[1] - state.mels.shape[1] :]
        return output, NetState(kept, tails, hidden[0])

    @classmethod
    def of(cls, parameters: ArticulationParameters) -> ArticulationNet:
        """Make the network of trained parameters, ready to learn on."""
        net = cls(parameters.config)
        take_parameters(net, parameters.arrays)
        return net

    def parameters_now(self) -> ArticulationParameters:
        """Return a copy of what was learnt so far."""
        return ArticulationParameters(self.config, copy_parameters(self))

    def set_normalisation(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Fix the mean and standard deviation of each mel band, both (80,)."""
        self.mel_mean.copy_(torch.from_numpy(mean))
        self.mel_scale.copy_(torch.from_numpy(1.0 / np.maximum(deviation, 1e-3)))
