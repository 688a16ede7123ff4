"""The training loop of the life transformer: flow matching, shortcuts, guidance; resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_service.motion.innovations import BLOCK, ORDER, Innovations
from avatar_service.motion.life_channels import GROUP_SLICES
from avatar_service.motion.life_net import Drawn, LifeNet
from avatar_service.motion.life_parameters import LifeNetConfig, events_of
from avatar_service.training.examples import LifeBatch, LifeExamples
from avatar_service.training.learner import Learner, rate_share, read_checkpoint
from avatar_service.training.sequences import LifeSequence

_PEAK_RATE: Final = 1.2e-3
_WARM_UP: Final = 0.04
_BETAS: Final = (0.9, 0.98)
_EVENT_WEIGHT: Final = 0.5
_OFFSET_WEIGHT: Final = 0.01
"""Small: a mixture's likelihood has steep slopes that would drown the flow's."""
_MAX_GUIDANCE: Final = 1.5
_CONTROL_GROUPS: Final = ("manner", "gaze", "emotion", "source")
_KINDS: Final = ("flow", "shortcut", "flow", "guided", "flow", "shortcut", "flow", "flow")
"""What the batches teach in turn."""
_VALIDATION_CROPS: Final = 12

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class LifeTraining:
    """How to train.

    Attributes:
        steps: optimiser steps in all, those of earlier runs included.
        batch: crops in a step.
        out: folder of the checkpoint.
        device: of torch.
    """

    steps: int
    batch: int
    out: Path
    seed: int = 1
    device: str = "cpu"
    save_every: int = 100


def _tensors(batch: LifeBatch, device: str) -> dict[str, Tensor]:
    names = ("tokens", "conditions", "innovation", "blink", "shift", "offset", "has_gaze")
    arrays = {name: getattr(batch, name) for name in (*names, "has_past")}
    return {n: torch.from_numpy(np.ascontiguousarray(a)).to(device) for n, a in arrays.items()}


def _of_first_tick(x: Tensor) -> Tensor:
    """Repeat what stands at each block's first tick: the drawn tokens hear no further."""
    return x[:, ::BLOCK].repeat_interleave(BLOCK, dim=1)


def _per_block(batch: int, ticks: int, draw: Callable[[int, int], Tensor]) -> Tensor:
    return draw(batch, ticks // BLOCK).repeat_interleave(BLOCK, dim=1)


def _without(conditions: Tensor, *groups: str) -> Tensor:
    dropped = conditions.clone()
    for group in groups:
        dropped[..., GROUP_SLICES[group]] = 0
    return dropped


def loss_of(net: LifeNet, batch: LifeBatch, kind: str, device: str) -> tuple[Tensor, Tensor]:
    """Compute (flow, events) losses of one batch.

    Args:
        net: the network.
        batch: what to learn from.
        device: of torch, where the network is.
        kind: what the batch teaches: "flow", "shortcut" or "guided".
    """
    t = _tensors(batch, device)
    count, ticks, _ = t["tokens"].shape
    heard = _of_first_tick(t["conditions"])
    goal = t["innovation"]
    noise = torch.randn_like(goal)
    zeros = torch.zeros(count, ticks, device=device)
    guidance = zeros[..., None].repeat(1, 1, 2)
    size = zeros

    def run(z: Tensor, at: Tensor, step: Tensor, w: Tensor, without: tuple[str, ...] = ()) -> Drawn:
        known = _without(t["conditions"], *without) if without else t["conditions"]
        told = _without(heard, *without) if without else heard
        return net(t["tokens"], known, z, told, at, step, w, t["has_past"])  # type: ignore[no-any-return]

    if kind != "flow":
        draws = torch.rand(count, 1, 2, device=device) * _MAX_GUIDANCE
        is_guided = (torch.rand(count, 1, 1, device=device) < 0.7).float()
        guidance = (draws * is_guided).expand(count, ticks, 2).contiguous()
    if kind == "shortcut":
        # A step of 1, 1/2 or 1/4 is to land where two halves do; 1/8 is the flow itself.
        power = _per_block(count, ticks, lambda b, n: torch.randint(0, 3, (b, n), device=device))
        size = 0.5 ** power.float()
        number = _per_block(count, ticks, lambda b, n: torch.rand(b, n, device=device))
        at = (number / size).floor() * size
        z = (1 - at)[..., None] * noise + at[..., None] * goal
        half = size / 2
        asked = torch.where(half > 1 / 8, half, torch.zeros_like(half))
        with torch.no_grad():
            first = run(z, at, asked, guidance).velocity.float()
            middle = z + half[..., None] * first
            second = run(middle, at + half, asked, guidance).velocity.float()
            target = (first + second) / 2
    else:
        at = _per_block(count, ticks, lambda b, n: torch.rand(b, n, device=device))
        z = (1 - at)[..., None] * noise + at[..., None] * goal
        target = goal - noise
        if kind == "guided":
            with torch.no_grad():
                none = torch.zeros_like(guidance)
                full = run(z, at, size, none).velocity.float()
                deaf = run(z, at, size, none, ("voice", "heard")).velocity.float()
                free = run(z, at, size, none, _CONTROL_GROUPS).velocity.float()
            target = target + guidance[..., :1] * (full - deaf) + guidance[..., 1:] * (full - free)
    drawn = run(z, at, size, guidance)
    flow = (drawn.velocity.float() - target).square().mean()
    return flow, _event_loss(drawn.events.float(), t)


def _event_loss(logits: Tensor, t: dict[str, Tensor]) -> Tensor:
    blink, shift, weights, means, spreads = events_of(logits)
    has_gaze = t["has_gaze"][:, None]
    loss = functional.binary_cross_entropy_with_logits(blink, t["blink"])
    shift_loss = functional.binary_cross_entropy_with_logits(shift, t["shift"], reduction="none")
    loss = loss + (shift_loss * has_gaze).mean()
    error = (t["offset"][:, :, None] - means) / spreads.exp()
    chance = -0.5 * error.square().sum(-1) - spreads.sum(-1) - math.log(2 * math.pi)
    likelihood = torch.logsumexp(weights.log_softmax(-1) + chance, dim=-1)
    chosen = t["shift"] * has_gaze
    return loss - _OFFSET_WEIGHT * (likelihood * chosen).sum() / chosen.sum().clamp(min=1)


def validation_batch(examples: LifeExamples, one: LifeSequence, ticks: int) -> LifeBatch:
    """Evenly spaced crops of one sequence, no noise, nothing dropped."""
    length = ticks + ORDER
    starts = np.linspace(0, len(one) - length, _VALIDATION_CROPS).astype(int)
    rows = [one.cut(start, start + length) for start in starts.tolist()]
    return examples.assemble(rows, clean=True)


def train(
    examples: LifeExamples,
    settings: LifeTraining,
    validation: dict[str, LifeBatch],
    progress: Progress,
    config: LifeNetConfig | None = None,
) -> tuple[LifeNet, Innovations, dict[str, Any]]:
    """Train, or go on training from OUT/checkpoint.pt.

    Returns:
        The averaged network, its linear prediction and figures of the training.
    """
    torch.manual_seed(settings.seed)
    device = settings.device
    path = settings.out / "checkpoint.pt"
    kept = read_checkpoint(path, device)
    net, average = (LifeNet(config).to(device) for _ in range(2))
    average.load_state_dict(net.state_dict())
    learner = Learner(net, average, _BETAS)
    first, spent = 0, 0.0
    innovations = examples.innovations
    if kept:
        learner.resume(kept)
        first, spent = int(kept["step"]), float(kept["secs"])
        # What z means is fixed by the first run.
        linear = {name: kept[name].cpu().numpy() for name in ("predictor", "spread", "scale")}
        innovations = examples.innovations = Innovations(**linear)
        torch.manual_seed(settings.seed + first)
    started = time.monotonic()
    running: dict[str, float] = {}
    figures: dict[str, Any] = {}
    for step in range(first, settings.steps):
        batch = examples.draw(settings.batch)
        kind = _KINDS[step % len(_KINDS)]
        # Without the cache: casts made under no_grad would be used again and carry no gradient.
        kind_of_device = device.partition(":")[0]
        with torch.autocast(kind_of_device, dtype=torch.bfloat16, cache_enabled=False):
            flow, events = loss_of(net, batch, kind, device)
        loss = flow + _EVENT_WEIGHT * events
        rate = _PEAK_RATE * rate_share(step / settings.steps, _WARM_UP)
        learner.learn(loss, rate, step)
        for key, value in ((kind, flow.item()), ("events", events.item())):
            running[key] = running.get(key, value) + (value - running.get(key, value)) * 0.04
        told = ", ".join(f"{k} {v:.4f}" for k, v in running.items())
        progress(step + 1, settings.steps, told)
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            figures = {k: validate(average, b, device) for k, b in validation.items()}
            progress(step + 1, settings.steps, f"{told}; validation {figures}")
            learner.save(
                path,
                step=step + 1,
                secs=spent + time.monotonic() - started,
                predictor=torch.from_numpy(innovations.predictor),
                spread=torch.from_numpy(innovations.spread),
                scale=torch.from_numpy(innovations.scale),
            )
    if not figures:  # nothing was left to train
        figures = {k: validate(average, b, device) for k, b in validation.items()}
    return average, innovations, {"steps": max(first, settings.steps), "validation": figures}


@torch.no_grad()
def validate(net: LifeNet, batch: LifeBatch, device: str) -> dict[str, float]:
    """Flow and event loss on fixed noise; 1 + mean z^2 is the flow loss of a net that says 0."""
    state = torch.get_rng_state()
    torch.manual_seed(0)
    flow, events = loss_of(net, batch, "flow", device)
    torch.set_rng_state(state)
    idle = 1 + float(np.square(batch.innovation).mean())
    return {
        "flow": round(float(flow), 4),
        "flow_of_none": round(idle, 4),
        "events": round(float(events), 4),
    }
