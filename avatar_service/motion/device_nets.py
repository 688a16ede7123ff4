"""Both networks of motion on a GPU, the sessions that are due as one batch.

The same numbers as articulation_step and life_pass, within rounding; what streams remember stays on
the device between two batches. For machines on which many avatars speak: a layer is launched once,
for one session as for hundreds. Torch runs it; the compiled networks need none.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_service.motion.articulation import ArticulationStage
from avatar_service.motion.articulation_net import ArticulationNet, NetState
from avatar_service.motion.articulation_parameters import ArticulationParameters, load_weights
from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.life_net import LifeLayer, LifeNet
from avatar_service.motion.life_parameters import LifeParameters
from avatar_service.motion.life_pass import BlockInput
from avatar_service.motion.life_stream import LifeModel
from avatar_service.motion.stage import MotionStage
from avatar_service.signals import Controls, Float32Array


class DeviceArticulation:
    """The articulation network on a device; as articulation_step.ArticulationStepper.

    Args:
        trained: its parameters.
        device: of torch.
    """

    def __init__(self, trained: ArticulationParameters, device: str) -> None:
        self.config = trained.config
        self._device = device
        self._net = ArticulationNet.of(trained).eval().to(device)

    def initial_memory(self, batch: int = 1) -> NetState:
        """Memory of streams that have heard nothing but silence."""
        return self._net.initial_state(batch)

    @torch.inference_mode()
    def __call__(self, features: Float32Array, before: NetState) -> tuple[Float32Array, NetState]:
        """Hear some steps; see ArticulationStepper."""
        heard = torch.from_numpy(np.ascontiguousarray(features, np.float32)).to(self._device)
        output, after = self._net(heard, before)
        told = torch.cat([output.viseme_logits, output.articulators], dim=-1)
        return told.cpu().numpy(), after


class DeviceLife:
    """The life transformer on a device; as life_pass.LifePass.

    Args:
        trained: its parameters.
        steps, asked, guidance: see LifePass.
        device: of torch.
    """

    def __init__(
        self,
        trained: LifeParameters,
        *,
        steps: int,
        asked: float,
        guidance: tuple[float, float],
        device: str,
    ) -> None:
        config = trained.config
        self._net = LifeNet.of(trained).eval().to(device)
        self._steps, self._asked = steps, asked
        self._guidance = torch.tensor(guidance, dtype=torch.float32, device=device)
        self._device = device
        self._context, self._slots = config.context, config.context + BLOCK
        depth = config.width // config.heads
        self._past_shape = (config.layers, 2, config.heads, self._slots, depth)
        back = torch.arange(self._slots, device=device)
        ahead = torch.arange(BLOCK, device=device)
        # Indices into the bias of attention by age: of what lies `back` ticks, and of drawn ones.
        self._back = back
        self._known_ages = ahead[:, None] + back
        self._drawn_ages = (ahead[:, None] + back + BLOCK).clamp(max=config.context + 2 * BLOCK - 1)
        self._own_ages = ahead[:, None] - ahead + BLOCK - 1

    def new_past(self) -> Tensor:
        """(layers, 2, heads, slots, depth) keys and values of a stream that begins."""
        return torch.zeros(self._past_shape, device=self._device)

    @torch.inference_mode()
    def draw(self, blocks: Sequence[BlockInput]) -> tuple[Float32Array, Float32Array]:
        """Draw one block of each stream; see LifePass."""
        newest = [(BLOCK * one.index + BLOCK - 1) % self._slots for one in blocks]
        at = torch.tensor(newest, device=self._device)
        filled = torch.tensor([one.filled for one in blocks], device=self._device)
        slots = (at[:, None] - self._back) % self._slots  # (B, slots), the newest first
        told = self._of([one.told for one in blocks])
        z = self._of([one.noise for one in blocks])
        x, m = self._net.embed_known(self._of([one.tokens for one in blocks]), told[:, :BLOCK])
        conditions = told[:, BLOCK:].expand(-1, BLOCK, -1)
        past = torch.stack([one.past for one in blocks])
        events = z  # replaced by those of the first pass
        for step in range(self._steps):
            ticks = z.shape[:2]
            new, new_m = self._net.embed_drawn(
                z,
                conditions,
                z.new_full(ticks, step / self._steps),
                z.new_full(ticks, self._asked),
                self._guidance.expand(*ticks, 2),
            )
            if step == 0:
                new, new_m = torch.cat([x, new], dim=1), torch.cat([m, new_m], dim=1)
            drawn = self._net.read(self._pass(new, new_m, past, slots, filled)[:, -BLOCK:])
            z = z + drawn.velocity / self._steps
            if step == 0:
                events = drawn.events
        for one, kept in zip(blocks, past, strict=True):
            one.past.copy_(kept)
        return z.cpu().numpy(), events.cpu().numpy()

    def _pass(self, x: Tensor, m: Tensor, past: Tensor, slots: Tensor, filled: Tensor) -> Tensor:
        """All layers over (B, T, C) tokens; the known ones, first, are entered into `past`."""
        num_known = x.shape[1] - BLOCK
        streams = torch.arange(len(x), device=x.device)[:, None]
        seen = self._back < filled[:, None].clamp(max=self._context)  # (B, slots)
        own = torch.ones(len(x), BLOCK, BLOCK, dtype=torch.bool, device=x.device)
        allowed = torch.cat([seen[:, None].expand(-1, BLOCK, -1), own], dim=2)
        if num_known:
            known = self._back < filled[:, None].clamp(min=BLOCK)
            rows = torch.cat([known[:, None].expand(-1, BLOCK, -1), ~own], dim=2)
            allowed = torch.cat([rows, allowed], dim=1)
        for number, layer in enumerate(self._net.layers):
            assert isinstance(layer, LifeLayer)
            q, k, v, modulation = layer.parts(x, m)  # (B, H, T, D)
            ring = past[:, number]  # (B, 2, H, slots, D)
            for part, new in ((0, k), (1, v)):
                for t in range(num_known):
                    ring[streams[:, 0], part, :, slots[:, num_known - 1 - t]] = new[:, :, t]
            keys, values = (
                torch.cat(
                    [ring[streams, part, :, slots].transpose(1, 2), new[:, :, num_known:]], dim=2
                )
                for part, new in ((0, k), (1, v))
            )
            bias = torch.cat(
                [layer.bias[:, self._drawn_ages], layer.bias[:, self._own_ages]], dim=2
            )
            if num_known:
                nothing = layer.bias.new_zeros(len(layer.bias), BLOCK, BLOCK)
                first = torch.cat([layer.bias[:, self._known_ages], nothing], dim=2)
                bias = torch.cat([first, bias], dim=1)
            mask = bias[None].masked_fill(~allowed[:, None], -torch.inf)
            attended = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
            x = layer.finish(x, attended, modulation)
        return x

    def _of(self, arrays: list[Float32Array]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self._device)


class DeviceNets:
    """Both networks of the package on one device, for all sessions of a process.

    Args:
        device: of torch, see torch_device.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE where weights cannot be read.
    """

    def __init__(self, device: str) -> None:
        self._lips = DeviceArticulation(load_weights(), device)
        self._life = LifeModel.load(device=device)

    def stage(self, rate: Fraction, controls: Controls, lookahead_nanos: int) -> MotionStage:
        """Make a stage whose networks run here; see MotionStage."""
        return MotionStage(
            rate,
            controls,
            lookahead_nanos=lookahead_nanos,
            lips=ArticulationStage(self._lips, look_ahead_millis=lookahead_nanos // 1_000_000),
            life_model=self._life,
        )
