"""Training batches: crops of augmented speech with their targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from avatar_service.audio.mel import log_mel
from avatar_service.motion.articulation_parameters import STEP_SECS
from avatar_service.motion.coarticulation import GRID_SECS, articulator_grid, viseme_grid
from avatar_service.motion.visemes import NUM_ARTICULATORS, SHAPES, VISEME_INDEX
from avatar_service.signals import Float32Array
from tools.corpus import augment
from tools.corpus.store import SAMPLE_RATE_HZ, Utterance, read_shard

DRAW_SHARES: Final = {
    "flite": 0.12,
    "festival": 0.07,
    "espeak": 0.09,
    "languages": 0.05,
    "real": 0.05,
    "voices": 0.62,
}
"""How often a piece of each source is drawn, however long the source is. The shards of a source,
one for each of the voices, are drawn by the root of their length: who says little says it more
often, but not until it is learnt by heart."""

_CODEC_SHARE: Final = 0.22
_SPEECHLESS_SHARE: Final = 0.03
"""Crops of noise alone, in which the mouth has nothing to do."""


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance ready to be cropped.

    Attributes:
        samples: (n,) int16, 16 kHz.
        visemes: (cells,) int8 on the 5 ms grid, -1 unknown.
        curves: (cells, 7) uint8, 255 = 1.
    """

    samples: np.ndarray
    visemes: np.ndarray
    curves: np.ndarray


@dataclass(frozen=True, slots=True)
class Batch:
    """What one training step sees.

    Attributes:
        features: (batch, 2 * steps, 80) float32 log-mel.
        visemes: (batch, steps + 1) int64; column k is the mouth at k * 20 ms, -1 masked.
        curves: (batch, steps + 1, 7) float32.
    """

    features: Float32Array
    visemes: np.ndarray
    curves: Float32Array


def make_example(utterance: Utterance) -> Example:
    """Compute the targets of an utterance once."""
    secs = len(utterance.samples) / SAMPLE_RATE_HZ
    curves = np.round(articulator_grid(utterance.phones, secs) * 255).astype(np.uint8)
    return Example(utterance.samples, viseme_grid(utterance.phones, secs), curves)


def _floats(samples: np.ndarray) -> Float32Array:
    return np.asarray(samples, np.float32) / np.float32(32768)


def _root_shares(lengths: list[int]) -> list[float]:
    roots = [math.sqrt(length) for length in lengths]
    return [root / sum(roots) for root in roots]


class BatchMaker:
    """Draws batches from a corpus folder.

    Args:
        folder: of shards by tools.corpus.
        steps: length of a crop in steps of 20 ms.
        seed: of everything drawn.
        held_out_real: number of real clips kept for validation (the last ones).

    Attributes:
        severity: of the recordings drawn from now on.
        validation: the real clips kept back.
        secs: length of the corpus.
    """

    def __init__(self, folder: Path, steps: int, seed: int, held_out_real: int = 12) -> None:
        self._rng = np.random.default_rng(seed)
        self._steps = steps
        self._sources: dict[str, list[list[Example]]] = {}
        self.validation: list[Utterance] = []
        self.secs = 0.0
        for path in sorted(folder.glob("*.npz")):
            utterances = list(read_shard(path))
            name = path.stem.split("-")[0]
            if name == "real":
                self.validation = utterances[len(utterances) - held_out_real :]
                utterances = utterances[: len(utterances) - held_out_real]
            self.secs += sum(len(u.samples) for u in utterances) / SAMPLE_RATE_HZ
            examples = [self._sometimes_coded(make_example(u)) for u in utterances]
            self._sources.setdefault(name, []).append(examples)
        self._chances = {
            name: _root_shares([sum(len(e.samples) for e in shard) for shard in shards])
            for name, shards in self._sources.items()
        }
        self._names = [name for name in DRAW_SHARES if name in self._sources]
        shares = np.array([DRAW_SHARES[name] for name in self._names])
        self._shares = shares / shares.sum()
        self._noises = augment.make_noises(self._rng)
        self.severity = augment.HARSH

    def _sometimes_coded(self, example: Example) -> Example:
        if self._rng.random() >= _CODEC_SHARE:
            return example
        clear = _floats(example.samples)
        coded = augment.codec_round_trip(clear, self._rng)
        samples = (np.clip(coded, -1, 1) * 32767).astype(np.int16)
        return Example(samples, example.visemes, example.curves)

    def _draw(self) -> Example:
        name = self._names[self._rng.choice(len(self._names), p=self._shares)]
        shards = self._sources[name]
        examples = shards[int(self._rng.choice(len(shards), p=self._chances[name]))]
        return examples[int(self._rng.integers(len(examples)))]

    def _piece(self) -> tuple[Float32Array, np.ndarray, Float32Array]:
        """One utterance at a random speed (and with it pitch) and gain, and its targets.

        Returns:
            samples, and on their own 5 ms grid the visemes and curves.
        """
        rng, example = self._rng, self._draw()
        speed = float(np.exp(rng.uniform(-0.2, 0.2))) if rng.random() < 0.8 else 1.0
        samples = _floats(example.samples)
        cells = np.arange(len(example.visemes))
        if speed != 1.0:
            count = int(len(samples) / speed)
            at = np.arange(count) * speed
            samples = np.interp(at, np.arange(len(samples)), samples).astype(np.float32)
            middles = np.arange(int(len(cells) / speed)) * speed + 0.5 * speed
            cells = np.minimum(middles.astype(np.int64), len(example.visemes) - 1)
        gain = float(rng.uniform(0.3, 1.0))
        curves = np.divide(example.curves[cells], 255, dtype=np.float32)
        return samples * np.float32(gain), example.visemes[cells], curves

    def _pause(self) -> tuple[Float32Array, np.ndarray, Float32Array]:
        rng = self._rng
        secs = rng.uniform(0.05, 0.6) if rng.random() < 0.85 else rng.uniform(0.6, 2.0)
        cells = int(secs / GRID_SECS)
        curves = np.zeros((cells, NUM_ARTICULATORS), np.float32)
        curves[:, 0] = SHAPES["SIL"].jaw
        samples = np.zeros(int(cells * GRID_SECS * SAMPLE_RATE_HZ), np.float32)
        if secs > 0.2 and rng.random() < self.severity.breath_share:
            samples = augment.breath(len(samples), rng)
        return samples, np.full(cells, VISEME_INDEX["sil"], np.int8), curves

    def _line(self) -> tuple[Float32Array, np.ndarray, Float32Array]:
        """A stretch of speech and pauses, longer than a crop."""
        cell_samples = int(GRID_SECS * SAMPLE_RATE_HZ)
        needed = int((self._steps + 1) * STEP_SECS / GRID_SECS)
        audio, visemes, curves = [], [], []
        cells = 0
        first = True
        while cells < needed + (200 if first else 0):
            for samples, labels, shapes in (self._piece(), self._pause()):
                count = min(len(labels), len(samples) // cell_samples)
                audio.append(samples[: count * cell_samples])
                visemes.append(labels[:count])
                curves.append(shapes[:count])
                cells += count
        if self._rng.random() < _SPEECHLESS_SHARE:
            level = 10 ** float(self._rng.uniform(-4, -1.3))
            audio = [self._rng.normal(0, level, len(p)).astype(np.float32) for p in audio]
            silent = self._pause()
            visemes = [np.full_like(piece, silent[1][0]) for piece in visemes]
            curves = [np.zeros_like(piece) + silent[2][0] for piece in curves]
        start = int(self._rng.integers(0, cells - needed + 1))
        part = slice(start, start + needed)
        sound = slice(start * cell_samples, (start + needed) * cell_samples)
        return (
            np.concatenate(audio)[sound],
            np.concatenate(visemes)[part],
            np.concatenate(curves)[part],
        )

    def _degrade(self, samples: Float32Array, others: list[Float32Array]) -> Float32Array:
        rng = self._rng
        if rng.random() < self.severity.knock_share:
            samples = augment.knocks(samples, rng)
        samples = augment.channel(samples, self.severity, rng)
        if rng.random() < 0.65:
            snr = float(rng.uniform(4, 40))
            if others and rng.random() < 0.2:
                talkers = np.mean([others[i] for i in rng.integers(len(others), size=4)], axis=0)
                samples = augment.add_noise(samples, talkers, max(snr, 10.0), rng)
            else:
                noise = self._noises[int(rng.integers(len(self._noises)))]
                if rng.random() < self.severity.gated_share:
                    start = int(rng.integers(0, len(noise) - len(samples)))
                    noise = augment.gated(noise[start : start + len(samples)], rng)
                samples = augment.add_noise(samples, noise, snr, rng)
        gain = 10 ** (float(rng.uniform(-26, 6)) / 20)
        return np.asarray(np.clip(samples * gain, -1, 1), np.float32)

    def _warp(self, features: Float32Array) -> Float32Array:
        """Stretch the mel axis by up to 12 % (another vocal tract) and blank a random band."""
        rng, (batch, frames, mels) = self._rng, features.shape
        warped = np.empty_like(features)
        for i in range(batch):
            position = np.clip(np.arange(mels) * np.exp(rng.uniform(-0.12, 0.12)), 0, mels - 1.001)
            low = position.astype(np.int64)
            share = (position - low).astype(np.float32)
            warped[i] = features[i][:, low] * (1 - share) + features[i][:, low + 1] * share
            if rng.random() < 0.3:
                band = int(rng.integers(0, mels - 8))
                warped[i, :, band : band + int(rng.integers(1, 9))] = warped[i].mean()
            if rng.random() < 0.15:
                at = int(rng.integers(0, frames - 8))
                warped[i, at : at + int(rng.integers(1, 6))] = np.log(1e-6)
        return warped

    def draw(self, size: int) -> Batch:
        """Draw one batch of `size` crops."""
        lines = [self._line() for _ in range(size)]
        clean = [line[0] for line in lines]
        audio = np.stack([self._degrade(samples, clean) for samples in clean])
        used = self._steps * int(STEP_SECS * SAMPLE_RATE_HZ)
        stride = round(STEP_SECS / GRID_SECS)
        features = self._warp(log_mel(audio[:, :used]))
        visemes = np.stack([line[1] for line in lines])
        curves = np.stack([line[2] for line in lines])
        # Cell c spans [c, c + 1) * 5 ms: the time k * 20 ms is the edge before cell 4k.
        after = np.arange(self._steps + 1) * stride
        after = np.minimum(after, curves.shape[1] - 1)
        before = np.maximum(after - 1, 0)
        middle = 0.5 * (curves[:, before] + curves[:, after])
        return Batch(features, visemes[:, after].astype(np.int64), middle)
