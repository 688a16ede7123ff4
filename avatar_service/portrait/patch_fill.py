"""Fills hidden parts of a picture with patches of its visible parts, coarse to fine.

Correspondences are searched as in PatchMatch (Barnes et al., SIGGRAPH 2009), all pixels at once:
neighbours hand on their shifts over growing steps (as in jump flooding), and random ones are tried
nearby. Each level alternates search and vote (Wexler et al., Space-Time Completion of Video, PAMI
2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.patch_tools import push_pull
from avatar_service.portrait.pixels import AREA, CUBIC, resize, shrink
from avatar_service.signals import Float32Array

BoolArray = NDArray[np.bool_]
Int64Array = NDArray[np.int64]

_LEVELS: Final = 2
_ROUNDS: Final = (8, 2)
"""Search and vote rounds per level, coarsest first."""
_PATCH: Final = tuple((y, x) for y in (-2, 0, 2) for x in (-2, 0, 2))
"""A 5 x 5 patch is compared at these nine points."""
_REACH: Final = 2
_VOTES: Final = tuple((y, x) for y in (-2, 0, 2) for x in (-2, 0, 2))
_STEPS: Final = (4, 1)
_RING: Final = 2.2
"""On the coarsest level each round fills this many px further in."""
_MIN_SOURCES: Final = 64
"""With fewer whole patches to copy from, the smooth fill is the better one."""
_NEARNESS: Final = 600.0
"""Cost of taking a patch from one picture side away: what lies near is rather the same thing."""
_SOFTNESS: Final = 12.0
"""Patches worse than the best by this (grey levels, mean) count little in the vote."""


def fill_by_patches(image: Float32Array, known: BoolArray, wanted: BoolArray) -> Float32Array:
    """Return the picture with its wanted pixels made up; the rest of the unknown is smooth.

    Args:
        image: (H, W, 3) 0..255; only known pixels are read.
        known: (H, W) what is visible.
        wanted: (H, W) what is to be filled with detail, a part of the unknown.
    """
    levels = [_Level.of(image, known, wanted, 2 ** (k + 1)) for k in range(_LEVELS)][::-1]
    smooth = push_pull(image, known)
    rng = np.random.default_rng(0)  # fixed: a portrait is reproducible
    matches = np.zeros((0, 0, 2), np.int64)
    filled = levels[0].picture
    for number, (level, rounds) in enumerate(zip(levels, _ROUNDS, strict=True)):
        if level.sources.sum() < _MIN_SOURCES or not level.targets.any():
            return smooth
        search = _Search(level, filled, rng)
        search.start(matches if number else None)
        for done in range(rounds):
            if number == 0:
                search.trust_ring(done * _RING)
            search.improve()
            search.vote()
        height, width = level.known.shape
        matches = search.matches
        filled = resize(search.picture, (2 * width, 2 * height), CUBIC)
    return _copy_finely(image, smooth, known, wanted, matches)


def _copy_finely(
    image: Float32Array,
    smooth: Float32Array,
    known: BoolArray,
    wanted: BoolArray,
    matches: Int64Array,
) -> Float32Array:
    """Copy source pixels at full size by the shifts found at half size, overlaps averaged."""
    result = np.where(known[..., None], image, smooth).astype(np.float32)
    places = np.argwhere(wanted)
    last = np.array(known.shape) - 1
    total = np.zeros((len(places), 3), np.float32)
    weight = np.full((len(places), 1), 1e-6, np.float32)
    for y in (-2, 0, 2):
        for x in (-2, 0, 2):
            beside = np.clip(places + [y, x], 0, last)
            half = np.minimum(beside // 2, np.array(matches.shape[:2]) - 1)
            found = matches[half[:, 0], half[:, 1]]
            source = np.clip(2 * found + beside % 2 - [y, x], 0, last)
            # Pixels without a match hold (0, 0); sources are known pixels only.
            is_good = (found.any(1) & known[source[:, 0], source[:, 1]])[:, None]
            share = is_good * np.float32(1 if (y, x) == (0, 0) else 0.25)
            total += share * image[source[:, 0], source[:, 1]]
            weight += share
    found_any = weight[:, 0] > 1e-3
    filled = places[found_any]
    result[filled[:, 0], filled[:, 1]] = (total / weight)[found_any]
    return result


@dataclass(frozen=True, slots=True)
class _Level:
    picture: Float32Array
    """(h, w, 3), the unknown filled smoothly."""
    known: BoolArray
    targets: BoolArray
    sources: BoolArray
    """Where the middle of a patch of known pixels may lie."""
    depth: Float32Array
    """Distance to the known, px."""

    @classmethod
    def of(cls, image: Float32Array, known: BoolArray, wanted: BoolArray, factor: int) -> _Level:
        height, width = known.shape[0] // factor, known.shape[1] // factor
        size = (width, height)
        weight = resize(known.astype(np.float32), size, AREA)
        total = resize(image * known[..., None].astype(np.float32), size, AREA)
        is_known = weight > 0.999
        picture = total / np.maximum(weight, 1e-6)[..., None]
        smooth = push_pull(picture, is_known)
        whole = np.where(is_known[..., None], picture, smooth).astype(np.float32)
        sources = is_known.copy()
        sources[:_REACH], sources[-_REACH:] = False, False
        sources[:, :_REACH], sources[:, -_REACH:] = False, False
        sources &= shrink(is_known, 2 * _REACH + 1)
        is_wanted = (resize(wanted.astype(np.float32), size, AREA) > 0) & ~is_known
        depth = cv2.distanceTransform((~is_known).astype(np.uint8), cv2.DIST_L2, 3)
        return cls(whole, is_known, is_wanted, sources, np.asarray(depth, np.float32))


class _Search:
    """Correspondences of one level: row and column of a source for each target pixel."""

    def __init__(self, level: _Level, picture: Float32Array, rng: np.random.Generator) -> None:
        self._level = level
        self._rng = rng
        self._shape = np.array(level.known.shape)
        self.picture = np.where(
            level.targets[..., None], picture[: self._shape[0], : self._shape[1]], level.picture
        )
        self._meaningful = (level.known | level.targets).astype(np.float32)
        self._places = np.argwhere(level.targets)  # (N, 2)
        self._index = np.full(level.known.shape, -1, np.int64)
        self._index[level.targets] = np.arange(len(self._places))
        self._cost = np.zeros(0, np.float32)
        self.matches = np.zeros((*level.known.shape, 2), np.int64)

    def start(self, coarse: Int64Array | None) -> None:
        """Begin with the coarser level's matches, or at random."""
        choices = np.argwhere(self._level.sources)
        found = choices[self._rng.integers(0, len(choices), len(self._places))]
        if coarse is not None:
            half = np.minimum(self._places // 2, np.array(coarse.shape[:2]) - 1)
            finer = 2 * coarse[half[:, 0], half[:, 1]] + self._places % 2
            valid = self._is_source(finer)
            found[valid] = finer[valid]
        self._set(found)
        self._cost = self._costs(found)

    def trust_ring(self, depth: float) -> None:
        """Compare only what is known or was filled already: at most `depth` px from the known.

        Without it the smooth start would attract whatever has its mean colour. A pixel with
        nothing to compare takes the nearest source.
        """
        near = self._level.depth <= depth
        trusted = self._level.known | (self._level.targets & near)
        self._meaningful = trusted.astype(np.float32)

    def improve(self) -> None:
        """One sweep: shifts of neighbours at each step, then random places nearby."""
        self._cost = self._costs(self._found())
        for step in _STEPS:
            for y, x in ((0, step), (step, 0), (0, -step), (-step, 0)):
                beside = np.clip(self._places + [y, x], 0, self._shape - 1)
                has_match = self._level.targets[beside[:, 0], beside[:, 1]]
                shifted = self.matches[beside[:, 0], beside[:, 1]] - [y, x]
                self._try(shifted, has_match)
        radius = float(self._shape.max()) / 2
        while radius > 1:
            jump = self._rng.uniform(-radius, radius, (len(self._places), 2))
            self._try(self._found() + np.round(jump).astype(np.int64), None)
            radius /= 4

    def vote(self) -> None:
        """Set each target to the mean of what the patches over it show there."""
        total = np.zeros((len(self._places), 3), np.float32)
        weight = np.full(len(self._places), 1e-6, np.float32)
        trust = np.exp(-self._cost / (len(_PATCH) * 3 * _SOFTNESS**2))
        for y, x in _VOTES:
            beside = np.clip(self._places + [y, x], 0, self._shape - 1)
            number = self._index[beside[:, 0], beside[:, 1]]
            source = self.matches[beside[:, 0], beside[:, 1]] - [y, x]
            w = np.where(number >= 0, trust[number], 0).astype(np.float32) + (
                1e-5 if (y, x) == (0, 0) else 0
            )
            total += w[:, None] * self._level.picture[source[:, 0], source[:, 1]]
            weight += w
        self.picture[self._places[:, 0], self._places[:, 1]] = total / weight[:, None]

    def _found(self) -> Int64Array:
        found: Int64Array = self.matches[self._places[:, 0], self._places[:, 1]]
        return found

    def _set(self, found: Int64Array) -> None:
        self.matches[self._places[:, 0], self._places[:, 1]] = found

    def _is_source(self, places: Int64Array) -> BoolArray:
        inside = ((places >= 0) & (places < self._shape)).all(1)
        safe = np.clip(places, 0, self._shape - 1)
        valid: BoolArray = inside & self._level.sources[safe[:, 0], safe[:, 1]]
        return valid

    def _try(self, candidates: Int64Array, allowed: BoolArray | None) -> None:
        valid = self._is_source(candidates)
        if allowed is not None:
            valid &= allowed
        rows = np.flatnonzero(valid)
        if not len(rows):
            return
        cost = self._costs(candidates[rows], rows)
        better = cost < self._cost[rows]
        rows = rows[better]
        self._cost[rows] = cost[better]
        self.matches[self._places[rows, 0], self._places[rows, 1]] = candidates[valid][better]

    def _costs(self, sources: Int64Array, rows: Int64Array | None = None) -> Float32Array:
        places = self._places if rows is None else self._places[rows]
        away = ((sources - places) / self._shape.max()).astype(np.float32)
        total = np.zeros(len(places), np.float32)
        compared = np.full(len(places), 1e-3, np.float32)
        last = self._shape - 1
        for offset in _PATCH:
            there = np.clip(places + offset, 0, last)
            here = sources + offset
            step = (
                self.picture[there[:, 0], there[:, 1]] - self._level.picture[here[:, 0], here[:, 1]]
            )
            # The smooth fill deeper inside says nothing.
            counts = self._meaningful[there[:, 0], there[:, 1]]
            total += np.einsum("ij,ij->i", step, step) * counts
            compared += counts
        mean = total / compared + _NEARNESS * np.einsum("ij,ij->i", away, away)
        return np.asarray(mean * len(_PATCH), np.float32)
