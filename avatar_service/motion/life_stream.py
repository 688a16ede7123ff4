"""The life transformer at run time: one stream per session, blocks of two ticks, batched.

    stream.sense(row)          # what the tick is told; at every second tick a block falls due
    draw_together(streams)     # all blocks that are due, as one batch
    tick = stream.act(...)     # sway, face, blink and gaze of the tick

Noise is a function of (seed, block) alone, so equal rows give equal lives whatever the chunks were.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.easing import TICK_SECS, FloatArray, Springs
from avatar_service.motion.gaze import GazeShift
from avatar_service.motion.innovations import BLOCK, ORDER, Innovations
from avatar_service.motion.life_alone import LoneLife
from avatar_service.motion.life_channels import FACE, HEAD, NUM_CHANNELS, NUM_CONDITIONS
from avatar_service.motion.life_net import (
    GAZE_SCALE,
    NUM_EVENTS,
    LifeNet,
    events_of,
    known_tokens,
    load_weights,
)

STEPS_OFFERED: Final = (1, 2, 4, 8)
_FREE_GAZE: Final = math.radians(18.0)
_ASKED_GAZE: Final = math.radians(0.4)
"""How far the eyes may wander beside what they look at: freely, and where the look is asked for."""
_REFRACTORY_TICKS: Final = 5
"""No blink begins within 0.2 s of another."""
_FACE_HZ: Final = 2.0
_FACE_DAMPING: Final = 0.8
"""Of the spring that the face follows: what brows do faster was the landmark tracker's jitter in
the real video, which the network has learnt with the motion."""
_CHANNEL: Final = zlib.crc32(b"life")


@dataclass(frozen=True, slots=True)
class LifeSettings:
    """How the network is used.

    Attributes:
        steps: passes for each block, 1, 2, 4 or 8.
        voice_guidance: how much more than learnt the voice acts, 0..1.5.
        control_guidance: the same of manner, gaze, emotion and source.
        realness: 0 moves as the simple generator taught, 1 as the tracked people did.
        gains: (channels,) factors on what comes out, fixed after training.
        blink_gain: factor on the chance of a blink.
    """

    steps: int = 1
    voice_guidance: float = 0.5
    control_guidance: float = 0.5
    realness: float = 1.0
    gains: tuple[float, ...] = (1.0,) * NUM_CHANNELS
    blink_gain: float = 1.0


@dataclass(frozen=True, slots=True)
class LifeModel:
    """A trained network with its use; shared by all streams of the process."""

    net: LifeNet
    innovations: Innovations
    settings: LifeSettings
    alone: LoneLife = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "alone", LoneLife(self.net))

    @staticmethod
    def load(path: Path | None = None, settings: LifeSettings | None = None) -> LifeModel:
        """Read weights; None means those of the package, used as their description says.

        Raises:
            AvatarError: MODELS_NOT_AVAILABLE, see life_net.load_weights.
        """
        net, innovations, description = load_weights(path)
        return LifeModel(net, innovations, settings or _settings_of(description))


def _settings_of(description: Mapping[str, Any]) -> LifeSettings:
    stored = dict(description.get("settings", {}))
    try:
        if "gains" in stored:
            stored["gains"] = tuple(float(gain) for gain in stored["gains"])
        settings = LifeSettings(**stored)
        if len(settings.gains) != NUM_CHANNELS or settings.steps not in STEPS_OFFERED:
            raise ValueError(f"{len(settings.gains)} gains, {settings.steps} steps")
    except (TypeError, ValueError) as fault:
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE, f"settings of the life weights: {fault}"
        ) from fault
    return settings


@functools.cache
def shared_model() -> LifeModel:
    """Return the package's model, read once in a process."""
    return LifeModel.load()


@dataclass(frozen=True, slots=True)
class LifeTick:
    """What the transformer says of one tick.

    Attributes:
        value, rate: (channels,) at the tick's end, rates per second.
        is_blink: a blink begins.
        shift: where the eyes rest.
    """

    value: FloatArray
    rate: FloatArray
    is_blink: bool
    shift: GazeShift


class LifeStream:
    """The life of one session."""

    def __init__(self, model: LifeModel, seed: int) -> None:
        self.model = model
        self._seed = seed
        config = model.net.config
        size = (config.layers, 2, config.heads, config.context, config.width // config.heads)
        self._cache = torch.zeros(size)
        self._filled = 0  # ticks known, those still to be encoded included; up to context + BLOCK
        self._past = np.zeros((ORDER, NUM_CHANNELS))
        self._rows: list[FloatArray] = []  # conditions of the block before and of this one
        self._tokens = np.zeros((BLOCK, NUM_CHANNELS + NUM_CHANNELS + NUM_EVENTS))
        self._known_rows = np.zeros((BLOCK, NUM_CONDITIONS))
        self._num_ticks = 0
        self._values = np.zeros((BLOCK, NUM_CHANNELS))
        self._rates = np.zeros((BLOCK, NUM_CHANNELS))
        self._z = np.zeros((BLOCK, NUM_CHANNELS))
        self._events: tuple[FloatArray, ...] = ()
        self._chances = np.zeros((BLOCK, 5))
        self._told = np.zeros((BLOCK, NUM_EVENTS))
        self._offset = (0.0, 0.0)
        self._since_blink = _REFRACTORY_TICKS
        count = NUM_CHANNELS - FACE.start
        self._face = Springs(np.full(count, _FACE_HZ), np.full(count, _FACE_DAMPING))
        self.is_due = False

    def reseed(self, seed: int) -> None:
        """Draw everything that is still to come from another seed."""
        self._seed = seed

    def sense(self, row: FloatArray) -> None:
        """Begin a tick, told (NUM_CONDITIONS,) row."""
        self._rows.append(row)
        self.is_due = self._num_ticks % BLOCK == 0

    def act(self, *, blink_rate: float, is_gaze_asked: bool, alive: float = 1.0) -> LifeTick:
        """End the tick that was begun.

        Args:
            blink_rate: factor on the chance of a blink.
            alive: 0..1, factor on all else that is shown.
            is_gaze_asked: the eyes stay within 0.4 degrees of what they look at.
        """
        if self.is_due:
            draw_together([self])
        i = self._num_ticks % BLOCK
        self._num_ticks += 1
        blink, shift, weights, means, spreads = (part[i] for part in self._events)
        chance = self._chances[i]
        self._since_blink += 1
        settings = self.model.settings
        hazard = settings.blink_gain / (1 + math.exp(-float(blink)))
        # The past remembers the natural blinks: asking for more or fewer changes nothing else.
        is_natural = float(chance[0]) < hazard
        is_free = self._since_blink > _REFRACTORY_TICKS
        is_blink = float(chance[0]) < hazard * blink_rate and is_free
        if is_blink:
            self._since_blink = 0
        has_shifted = float(chance[1]) < alive / (1 + math.exp(-float(shift)))
        if has_shifted:
            upto = np.cumsum(np.exp(weights - weights.max()))
            k = int(np.searchsorted(upto / upto[-1], chance[2]))
            offset = GAZE_SCALE * (means[k] + np.exp(spreads[k]) * chance[3:])
            self._offset = (float(offset[0]), float(offset[1]))
        limit = _ASKED_GAZE if is_gaze_asked else _FREE_GAZE
        far = float(np.hypot(*self._offset))
        if far > limit * (1 + 1e-6):  # rounding is no shift
            share = float(limit / far)
            self._offset = (self._offset[0] * share, self._offset[1] * share)
            has_shifted = True
        self._told[i] = (
            is_natural,
            has_shifted,
            self._offset[0] / GAZE_SCALE,
            self._offset[1] / GAZE_SCALE,
        )
        if i == BLOCK - 1:
            self._remember()
        self._face.step(self._values[i, FACE])
        value = np.concatenate([self._values[i, HEAD], self._face.value])
        rate = np.concatenate([self._rates[i, HEAD], self._face.velocity])
        gains = alive * np.array(settings.gains)
        shifted = GazeShift(self._offset, has_shifted)
        return LifeTick(value * gains, rate * gains, is_blink, shifted)

    def _remember(self) -> None:
        scale = self.model.innovations.scale
        self._tokens = known_tokens(self._values, self._z, self._told, scale)
        self._known_rows = np.stack(self._rows)
        self._rows = []
        self._filled = min(self._filled + BLOCK, self.model.net.config.context + BLOCK)

    def _noise(self) -> FloatArray:
        """(BLOCK, channels) of this block, and the chances of its events."""
        block = self._num_ticks // BLOCK
        key = np.array([self._seed & (2**64 - 1), _CHANNEL], np.uint64)
        random = np.random.Generator(np.random.Philox(key=key, counter=[block, 0, 0, 0]))
        normal = random.standard_normal((BLOCK, NUM_CHANNELS + 2))
        self._chances[:, :3] = random.random((BLOCK, 3))
        self._chances[:, 3:] = normal[:, NUM_CHANNELS:]
        return normal[:, :NUM_CHANNELS]

    def _accept(self, z: FloatArray, events: tuple[FloatArray, ...]) -> None:
        linear = self.model.innovations
        before = self._past[-1]
        self._values = linear.block(self._past, z)
        self._z, self._events = z, events
        self._past = np.concatenate([self._past, self._values])[-ORDER:]
        # Central differences; beyond the block stands what the linear prediction expects.
        after = linear.predict(self._past)[:1]
        line = np.concatenate([before[None], self._values, after])
        self._rates = (line[2:] - line[:-2]) / (2 * TICK_SECS)
        self.is_due = False


@torch.inference_mode()
def draw_together(streams: Sequence[LifeStream]) -> None:
    """Draw the due blocks of many streams; each gets what it gets alone, within rounding."""
    groups: dict[int, list[LifeStream]] = {}
    for stream in streams:
        if stream.is_due:
            groups.setdefault(id(stream.model), []).append(stream)
    for members in groups.values():
        if len(members) == 1:
            _draw_alone(members[0])
        else:
            _draw(members)


def _draw_alone(stream: LifeStream) -> None:
    settings = stream.model.settings
    size = 1 / settings.steps
    asked = size if settings.steps < STEPS_OFFERED[-1] else 0.0
    z, logits, kept = stream.model.alone.draw(
        (stream._tokens.astype(np.float32), stream._known_rows.astype(np.float32)),
        stream._rows[-1].astype(np.float32),
        stream._noise().astype(np.float32),
        stream._cache.numpy(),
        stream._filled,
        (settings.steps, asked, settings.voice_guidance, settings.control_guidance),
    )
    events = events_of(torch.from_numpy(logits))
    stream._cache = torch.from_numpy(kept)
    stream._accept(z.astype(np.float64), tuple(p.numpy().astype(np.float64) for p in events))


def _draw(streams: Sequence[LifeStream]) -> None:
    model = streams[0].model
    net, settings = model.net, model.settings
    count = len(streams)

    def tensor(rows: Sequence[FloatArray]) -> Tensor:
        return torch.from_numpy(np.stack(rows).astype(np.float32))

    known, known_modulation = net.embed_known(
        tensor([s._tokens for s in streams]), tensor([s._known_rows for s in streams])
    )
    heard = tensor([s._rows[-1] for s in streams])[:, None].expand(count, BLOCK, NUM_CONDITIONS)
    z = tensor([s._noise() for s in streams])
    size = 1 / settings.steps
    asked = torch.full((count, BLOCK), size if settings.steps < STEPS_OFFERED[-1] else 0.0)
    guidance = torch.tensor([settings.voice_guidance, settings.control_guidance])
    guidance = guidance.expand(count, BLOCK, 2)
    filled = torch.tensor([s._filled for s in streams])
    cache = streams[0]._cache[None] if count == 1 else torch.stack([s._cache for s in streams])
    context = net.config.context
    mask = _mask(filled, context)
    events: tuple[Tensor, ...] = ()
    kept: Tensor | None = None
    for i in range(settings.steps):
        at = torch.full((count, BLOCK), i * size)
        x, modulation = net.embed_drawn(z, heard, at, asked, guidance)
        if kept is None:
            x = torch.cat([known, x], dim=1)
            modulation = torch.cat([known_modulation, modulation], dim=1)
            x, kept = _pass(net, x, modulation, cache, mask)
            drawn = net.read(x[:, BLOCK:])
            events = events_of(drawn.events)
        else:
            x, _ = _pass(net, x, modulation, kept, mask[:, :, BLOCK:, BLOCK:])
            drawn = net.read(x)
        z = z + size * drawn.velocity
    assert kept is not None
    values = z.numpy().astype(np.float64)
    told = [part.numpy().astype(np.float64) for part in events]
    for i, stream in enumerate(streams):
        stream._cache = kept[i].clone() if count > 1 else kept[0]
        stream._accept(values[i], tuple(part[i] for part in told))


def _pass(
    net: LifeNet, x: Tensor, modulation: Tensor, cache: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Run all layers over the drawn tokens and the known ones (if any) before them.

    Args:
        net: the network.
        x: (B, T, C), the drawn tokens last.
        modulation: (B, T, 6, C).
        cache: (B, layers, 2, heads, context, D) keys and values of the past.
        mask: (B, 1, T, context + T) added to the scores.

    Returns:
        The tokens, and the cache with the known ones in it.
    """
    context = cache.shape[4]
    num_known = x.shape[1] - BLOCK
    total = context + x.shape[1]
    ages = _ages(context, x.shape[1])
    kept = []
    for i, layer in enumerate(net.layers):
        q, k, v, m = layer.parts(x, modulation)  # type: ignore[operator]
        keys = torch.cat([cache[:, i, 0], k], dim=2)
        values = torch.cat([cache[:, i, 1], v], dim=2)
        scores = q @ keys.transpose(-1, -2) * (q.shape[-1] ** -0.5)
        scores = scores + layer.bias[:, ages] + mask  # type: ignore[index]
        x = layer.finish(x, functional.softmax(scores, dim=-1) @ values, m)  # type: ignore[operator]
        if num_known:
            end = total - BLOCK
            kept.append(
                torch.stack([part[:, :, end - context : end] for part in (keys, values)], 1)
            )
    return x, torch.stack(kept, 1) if kept else cache


@functools.cache
def _ages(context: int, tokens: int) -> Tensor:
    """(tokens, context + tokens) index of the attention's bias for each pair."""
    time = torch.arange(context + tokens)
    age = time[context:, None] - time[None, :]
    return age.clamp(-BLOCK + 1, context + BLOCK) + BLOCK - 1


def _mask(filled: Tensor, context: int) -> Tensor:
    """(B, 1, 2 BLOCK, context + 2 BLOCK): who attends to whom in a first pass.

    Keys are the cache (context), the known block, the drawn block; `filled` ticks of the first two
    hold something.
    """
    time = torch.arange(context + 2 * BLOCK)
    held = time >= context + BLOCK - filled[:, None]  # (B, keys)
    held = held[:, None].expand(-1, 2 * BLOCK, -1).clone()
    known = time[None, :] < context + BLOCK
    held[:, :BLOCK] &= known
    held[:, :BLOCK, context : context + BLOCK] = True  # never attend to nothing
    held[:, BLOCK:] &= time >= BLOCK  # as far back as the context reaches
    zero = torch.zeros(held.shape)
    return zero.masked_fill(~held, -torch.inf)[:, None]
