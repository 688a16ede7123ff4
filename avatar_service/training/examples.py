"""Batches for the life transformer out of sequences of two kinds: distilled and tracked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.motion.innovations import BLOCK, ORDER, Innovations
from avatar_service.motion.life_channels import GROUP_SLICES, HEAD, MIRRORED
from avatar_service.motion.life_parameters import GAZE_SCALE, known_tokens
from avatar_service.training.sequences import LifeSequence

_DROP: Final = 0.1
PAST_DROPPED: Final = 0.2
_OFFSET_NOISE: Final = 0.12
"""Standard deviations by which the remembered past is wrong as a whole, so that the network does
not follow its own errors at run time."""
_INNOVATION_NOISE: Final = 0.15
_GAINS: Final = (0.9, 1.3)
"""Range of the factor on tracked motion: other people of the same manner."""


@dataclass(frozen=True, slots=True)
class LifeBatch:
    """Crops of B sequences, T ticks each; float32, as LifeNet.forward takes them.

    Attributes:
        tokens: (B, T, known width).
        conditions: (B, T, C), some groups dropped; `complete` the same with none dropped.
        innovation: (B, T, channels) to be drawn.
        blink, shift: (B, T) targets.
        offset: (B, T, 2) gaze offsets in GAZE_SCALE.
        has_gaze: (B,) whether shift and offset count.
        has_past: (B, 1, 1) 0 where the past is to be ignored.
    """

    tokens: NDArray[np.float32]
    conditions: NDArray[np.float32]
    innovation: NDArray[np.float32]
    blink: NDArray[np.float32]
    shift: NDArray[np.float32]
    offset: NDArray[np.float32]
    has_gaze: NDArray[np.float32]
    has_past: NDArray[np.float32]


def mirrored(one: LifeSequence) -> LifeSequence:
    """Swap the person's left and right."""
    return replace(
        one,
        channels=(one.channels * MIRRORED).astype(np.float32),
        offset=one.offset * np.array([-1, 1], np.float32),
    )


class LifeExamples:
    """Draws batches.

    Args:
        taught: sequences of the simple generator.
        tracked: sequences of real people; may be empty.
        tracked_share: of the rows of a batch.
        past_dropped: share of the crops that are not told how they moved before; 1 teaches a
            network without previous motion, an ablation (see LifeNet.forget_past).
    """

    def __init__(
        self,
        taught: Sequence[LifeSequence],
        tracked: Sequence[LifeSequence],
        *,
        tracked_share: float,
        crop_ticks: int,
        seed: int,
        past_dropped: float = PAST_DROPPED,
    ) -> None:
        self._taught = list(taught)
        self._tracked = [*tracked, *(mirrored(one) for one in tracked)]
        self._share = tracked_share if tracked else 0.0
        self._crop = crop_ticks
        self._past_dropped = past_dropped
        self._random = np.random.default_rng(seed)
        self.hours = sum(map(len, self._taught)) / 25 / 3600
        few = self._taught[:: max(1, len(self._taught) // 40)]
        tracks = [one.channels.astype(np.float64) for one in (*few, *self._tracked)]
        weights = [0.6 / len(few)] * len(few)
        weights += [0.4 / max(1, len(self._tracked))] * len(self._tracked)
        self.innovations = Innovations.fit(tracks, weights)

    def draw(self, batch: int) -> LifeBatch:
        """Draw (batch) crops."""
        rows = []
        for _ in range(batch):
            is_tracked = self._random.random() < self._share
            rows.append(self._crop_of(self._tracked if is_tracked else self._taught, is_tracked))
        made = self.assemble(rows)
        conditions = made.conditions.copy()
        for columns in GROUP_SLICES.values():
            conditions[self._random.random(batch) < _DROP, :, columns] = 0
        has_past = (self._random.random((batch, 1, 1)) >= self._past_dropped).astype(np.float32)
        return replace(made, conditions=conditions, has_past=has_past)

    def _crop_of(self, pool: list[LifeSequence], is_tracked: bool) -> LifeSequence:
        weights = np.array([len(one) for one in pool], float)
        one = pool[self._random.choice(len(pool), p=weights / weights.sum())]
        length = self._crop + ORDER
        start = int(self._random.integers(0, len(one) - length + 1))
        cut = slice(start, start + length)
        channels = one.channels[cut].copy()
        if is_tracked:
            channels[:, HEAD] *= self._random.uniform(*_GAINS)
            channels[:, HEAD.stop :] *= self._random.uniform(*_GAINS)
        return replace(one.cut(start, start + length), channels=channels)

    def assemble(self, rows: Sequence[LifeSequence], *, clean: bool = False) -> LifeBatch:
        """Put crops of crop_ticks + ORDER ticks together; nothing is dropped.

        Args:
            rows: the first ORDER ticks of each are only looked back at.
            clean: without noise on the past.
        """
        channels = np.stack([row.channels for row in rows]).astype(np.float64)
        batch, length, width = channels.shape
        ticks = length - ORDER
        windows = np.lib.stride_tricks.sliding_window_view(channels, ORDER + BLOCK, axis=1)
        windows = windows[:, ::BLOCK].transpose(0, 1, 3, 2)  # (B, blocks, ORDER + BLOCK, C)
        z = self.innovations.whiten(windows[:, :, :ORDER], windows[:, :, ORDER:])
        z = np.clip(z.reshape(batch, ticks, width), -5, 5)
        blink = np.stack([row.blink for row in rows])[:, ORDER:]
        shift = np.stack([row.shift for row in rows])[:, ORDER:]
        offset = np.stack([row.offset for row in rows])[:, ORDER:] / GAZE_SCALE
        events = np.concatenate([blink[..., None], shift[..., None], offset], axis=-1)
        noise = 0.0 if clean else 1.0
        shape = (batch, 1, width)
        lag = noise * _OFFSET_NOISE * self.innovations.scale * self._random.standard_normal(shape)
        blur = noise * _INNOVATION_NOISE * self._random.standard_normal(z.shape)
        tokens = known_tokens(channels[:, ORDER:] + lag, z + blur, events, self.innovations.scale)
        return LifeBatch(
            tokens=tokens.astype(np.float32),
            conditions=np.stack([row.conditions for row in rows])[:, ORDER:],
            innovation=z.astype(np.float32),
            blink=blink,
            shift=shift,
            offset=offset.astype(np.float32),
            has_gaze=np.array([float(row.has_gaze) for row in rows], np.float32),
            has_past=np.ones((batch, 1, 1), np.float32),
        )
