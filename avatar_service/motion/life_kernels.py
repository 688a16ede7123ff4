"""Compiled layers of the life transformer for one block of some streams.

Convention: tokens (rows, width) float32, modulation (rows, 6, width); a stream's tokens of a pass
follow each other, the known ones first. Keys and values of the past stand in a ring of
context + BLOCK ticks: (2, heads, slots, depth).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel
from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.net_kernels import Weights, exponentiate, normalise, project
from avatar_service.signals import Float32Array

IntArray = NDArray[np.int64]
Dense = tuple[Weights, Float32Array]
"""(in, out) weights and (out,) bias."""


class LifeWeights(NamedTuple):
    """The parameters, laid out for the kernels; `qkv` to `down` with the layer as first axis.

    Attributes:
        known, drawn: of the tokens.
        heard: two layers of the conditions.
        kind: (1 + BLOCK, width) of a known token, and of each drawn one.
        known_step: (width,) what known tokens are told of the step.
        steps: (steps, width) what drawn ones are told of each step.
        modulate: of the layers by conditions and step.
        qkv, out, up, down: of each layer.
        own: (layers, 6, width) modulation.
        ages: (layers, heads, ages) bias of attention.
        read: velocity, then events.
    """

    known: Dense
    drawn: Dense
    heard: tuple[Weights, Float32Array, Weights, Float32Array]
    kind: Float32Array
    known_step: Float32Array
    steps: Float32Array
    modulate: Dense
    qkv: Dense
    out: Dense
    up: Dense
    down: Dense
    own: Float32Array
    ages: Float32Array
    read: Dense


_ONE: Final = np.float32(1)
_EPSILON: Final = np.float32(1e-5)
"""Of the layer norms, torch's default."""
_GELU: Final = np.float32(-2 * math.sqrt(2 / math.pi))
_CUBIC: Final = np.float32(0.044715)


@kernel
def modulated(
    x: Float32Array, m: Float32Array, own: Float32Array, first: int, out: Float32Array
) -> None:
    """Put norm(x) * (1 + scale) + shift into out: parts `first` and `first` + 1 of m + own."""
    normalise(x, _EPSILON, out)
    for r in range(x.shape[0]):
        scale, shift = m[r, first], m[r, first + 1]
        for i in range(x.shape[1]):
            out[r, i] *= _ONE + scale[i] + own[first, i]
            out[r, i] += shift[i] + own[first + 1, i]


@kernel
def gelu_by_tanh(x: Float32Array) -> None:
    """Apply in place GELU's approximation by tanh: x sigmoid(2 sqrt(2 / pi) (x + .044715 x^3)).

    Hendrycks & Gimpel 2016 (arXiv 1606.08415).
    """
    width = x.shape[1]
    powers = np.empty(width, np.float32)
    for r in range(x.shape[0]):
        row = x[r]
        for i in range(width):
            powers[i] = _GELU * (row[i] + _CUBIC * row[i] * row[i] * row[i])
        exponentiate(powers)
        for i in range(width):
            row[i] /= _ONE + powers[i]


@kernel
def hear(
    x: Float32Array, first: Weights, first_bias: Float32Array, last: Weights, bias: Float32Array
) -> Float32Array:
    """Two layers with GELU between them: (rows, inputs) to (rows, outputs)."""
    hidden = np.empty((x.shape[0], first.shape[1]), np.float32)
    project(x, first, first_bias, hidden)
    gelu_by_tanh(hidden)
    out = np.empty((x.shape[0], last.shape[1]), np.float32)
    project(hidden, last, bias, out)
    return out


@kernel
def modulation_of(x: Float32Array, weights: Weights, bias: Float32Array, out: Float32Array) -> None:
    """SiLU and a layer: what (rows, width) does to the tokens, (rows, outputs); x is used up."""
    width = x.shape[1]
    powers = np.empty(width, np.float32)
    for r in range(x.shape[0]):
        row = x[r]
        for i in range(width):
            powers[i] = -row[i]
        exponentiate(powers)
        for i in range(width):
            row[i] /= _ONE + powers[i]
    project(x, weights, bias, out)


@kernel
def attend(
    asked: Float32Array,
    num_known: int,
    past: Float32Array,
    at: int,
    filled: int,
    bias: Float32Array,
    out: Float32Array,
) -> None:
    """Attention of one stream in one layer; keys and values of known tokens go into `past`.

    Known tokens see each other and the ticks before them, drawn ones each other and the newest
    `context` known ticks.

    Args:
        asked: (tokens, 3 width) queries, keys and values, of `num_known` (BLOCK or no) known ones
            first.
        num_known: see above.
        past: (2, heads, slots, depth) ring; the newest known tick is at slot `at` afterwards.
        at: see above.
        filled: ticks in the ring that hold something, the known ones of this pass included.
        bias: (heads, ages), the age of -BLOCK + 1 first.
        out: (seen, width), of the last `seen` tokens.
    """
    tokens = asked.shape[0]
    first = tokens - out.shape[0]
    _, heads, slots, depth = past.shape
    width = heads * depth
    scale = _ONE / np.float32(math.sqrt(depth))
    for t in range(num_known):
        slot = (at - num_known + 1 + t) % slots
        for part in range(2):
            for h in range(heads):
                for e in range(depth):
                    past[part, h, slot, e] = asked[t, (part + 1) * width + h * depth + e]
    scores = np.empty(slots + BLOCK, np.float32)
    for t in range(first, tokens):
        now = t - num_known + 1  # ticks after the newest known one
        num_past = min(filled, slots - BLOCK)
        num_drawn = tokens - num_known
        if t < num_known:
            num_past, num_drawn = max(filled, num_known), 0
        count = num_past + num_drawn
        for h in range(heads):
            query = asked[t, h * depth : (h + 1) * depth]
            most = np.float32(-np.inf)
            for k in range(count):
                if k < num_past:
                    key = past[0, h, (at - k) % slots]
                    age = now + k
                else:
                    j = num_known + k - num_past
                    key = asked[j, width + h * depth : width + (h + 1) * depth]
                    age = t - j
                score = np.float32(0)
                for e in range(depth):
                    score += query[e] * key[e]
                score = score * scale + bias[h, age + BLOCK - 1]
                scores[k] = score
                most = max(most, score)
            for k in range(count):
                scores[k] -= most
            exponentiate(scores[:count])
            total = np.float32(0)
            for k in range(count):
                total += scores[k]
            seen = out[t - first, h * depth : (h + 1) * depth]
            for e in range(depth):
                seen[e] = np.float32(0)
            for k in range(count):
                share = scores[k] / total
                if k < num_past:
                    value = past[1, h, (at - k) % slots]
                else:
                    j = num_known + k - num_past
                    value = asked[j, 2 * width + h * depth : 2 * width + (h + 1) * depth]
                for e in range(depth):
                    seen[e] += share * value[e]


@kernel
def pass_through(
    net: LifeWeights,
    streams: int,
    x: Float32Array,
    m: Float32Array,
    past: Float32Array,
    at: IntArray,
    filled: IntArray,
) -> Float32Array:
    """Run all layers over tokens (streams * T, width); return the drawn ones after them."""
    width = x.shape[1]
    for layer in range(len(net.own)):
        tokens = len(x) // streams
        num_known = tokens - BLOCK
        own = net.own[layer]
        y = np.empty_like(x)
        modulated(x, m, own, 0, y)
        asked = np.empty((len(x), 3 * width), np.float32)
        project(y, net.qkv[0][layer], net.qkv[1][layer], asked)
        if layer == len(net.own) - 1 and num_known:
            # Nobody looks at the known tokens any more.
            x, m = of_drawn(x, m, streams)
        seen = len(x) // streams
        attended = np.empty_like(x)
        for b in range(streams):
            attend(
                asked[b * tokens : (b + 1) * tokens],
                num_known,
                past[b, layer],
                at[b],
                filled[b],
                net.ages[layer],
                attended[b * seen : (b + 1) * seen],
            )
        y = np.empty_like(x)
        project(attended, net.out[0][layer], net.out[1][layer], y)
        add_scaled(x, m, own, 2, y)
        modulated(x, m, own, 3, y)
        hidden = np.empty((len(x), net.up[0].shape[2]), np.float32)
        project(y, net.up[0][layer], net.up[1][layer], hidden)
        gelu_by_tanh(hidden)
        project(hidden, net.down[0][layer], net.down[1][layer], y)
        add_scaled(x, m, own, 5, y)
    return x


@kernel
def of_drawn(x: Float32Array, m: Float32Array, streams: int) -> tuple[Float32Array, Float32Array]:
    """Tokens and modulation of the last BLOCK tokens of each stream."""
    tokens, width = len(x) // streams, x.shape[1]
    rows = np.empty((streams * BLOCK, width), np.float32)
    parts = np.empty((streams * BLOCK, 6, width), np.float32)
    for r in range(len(rows)):
        source = r // BLOCK * tokens + tokens - BLOCK + r % BLOCK
        rows[r] = x[source]
        parts[r] = m[source]
    return rows, parts


@kernel
def add_scaled(
    x: Float32Array, m: Float32Array, own: Float32Array, part: int, y: Float32Array
) -> None:
    """Add (1 + part of m + own) * y to x."""
    for r in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[r, i] += (_ONE + m[r, part, i] + own[part, i]) * y[r, i]


@kernel
def draw_blocks(
    net: LifeWeights,
    tokens: Float32Array,
    told: Float32Array,
    noise: Float32Array,
    past: Float32Array,
    at: IntArray,
    filled: IntArray,
    innovation: Float32Array,
    events: Float32Array,
) -> None:
    """Draw the next block of some streams: BLOCK known tokens, then BLOCK drawn ones, of each.

    Args:
        net: the parameters.
        tokens: (streams, BLOCK, numbers) of life_parameters.known_tokens: the block before.
        told: (streams, BLOCK + 1, conditions): those of the block before, then of this one.
        noise: (streams, BLOCK, channels).
        past: (streams, layers, 2, heads, slots, depth); the block before is entered into it.
        at: (streams,) see `attend`.
        filled: (streams,) see `attend`.
        innovation: (streams, BLOCK, channels) to be filled.
        events: (streams, BLOCK, events) logits to be filled.
    """
    streams, width = len(tokens), net.kind.shape[1]
    channels = noise.shape[2]
    each = BLOCK + 1  # conditions of a stream
    w = net.heard
    sound = hear(told.reshape(streams * each, told.shape[2]), w[0], w[1], w[2], w[3])
    known = np.empty((streams * BLOCK, width), np.float32)
    project(tokens.reshape(streams * BLOCK, tokens.shape[2]), net.known[0], net.known[1], known)
    told_step = np.empty((streams * each, width), np.float32)
    modulation = np.empty((streams * each, 6 * width), np.float32)
    flat = np.empty((streams * BLOCK, channels), np.float32)
    for r in range(len(flat)):
        flat[r] = noise[r // BLOCK, r % BLOCK]
    drawn = np.empty((streams * BLOCK, width), np.float32)
    share = _ONE / np.float32(len(net.steps))
    for step in range(len(net.steps)):
        for r in range(streams * each):
            asked = net.known_step if r % each < BLOCK else net.steps[step]
            for i in range(width):
                told_step[r, i] = sound[r, i] + asked[i]
        modulation_of(told_step, net.modulate[0], net.modulate[1], modulation)
        project(flat, net.drawn[0], net.drawn[1], drawn)
        num_known = BLOCK if step == 0 else 0
        count = num_known + BLOCK
        x = np.empty((streams * count, width), np.float32)
        m = np.empty((streams * count, 6, width), np.float32)
        for b in range(streams):
            for t in range(count):
                row = b * count + t
                j = t - num_known
                heard = b * each + (t if j < 0 else BLOCK)
                start = known[b * BLOCK + t] if j < 0 else drawn[b * BLOCK + j]
                for i in range(width):
                    x[row, i] = start[i] + sound[heard, i] + net.kind[1 + j if j >= 0 else 0, i]
                for part in range(6):
                    for i in range(width):
                        m[row, part, i] = modulation[heard, part * width + i]
        y = pass_through(net, streams, x, m, past, at, filled)
        normalise(y, _EPSILON, y)
        read = np.empty((streams * BLOCK, net.read[0].shape[1]), np.float32)
        project(y, net.read[0], net.read[1], read)
        for r in range(len(read)):
            for i in range(channels):
                flat[r, i] += read[r, i] * share
            if step == 0:
                events[r // BLOCK, r % BLOCK] = read[r, channels:]
    for r in range(len(flat)):
        innovation[r // BLOCK, r % BLOCK] = flat[r]
