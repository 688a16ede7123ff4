"""Speech in, the mouth out, at 50 Hz: the stage around the articulation network.

    stage = ArticulationStage(ArticulationStepper(load_weights()), look_ahead_millis=40)
    stage.push(samples)                     # float32, 16 kHz mono, any chunk size
    for step in stage.pull():               # all steps that are now known
        step.pts_nanos, step.articulators, step.expression
    stage.mouth_at(pts_nanos)               # (52,), up to stage.known_until_nanos

The step at time t needs the audio up to t + look-ahead exactly; between two steps the later one is
needed too, so any time t is known once the audio up to t + `lookahead_nanos` is in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from avatar_service.audio.mel import SAMPLE_RATE_HZ, StreamingLogMel, log_mel
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.articulation_kernels import tell
from avatar_service.motion.articulation_parameters import MELS_PER_STEP, STEP_NANOS
from avatar_service.motion.articulation_step import ArticulationRunner
from avatar_service.motion.coarticulation import mouth_grid, sample_grid, viseme_grid
from avatar_service.motion.lip_shapes import lip_shapes
from avatar_service.motion.phones import TimedPhone, canonical_phones
from avatar_service.motion.quiet import HeardLevel, LevelTracker
from avatar_service.motion.seals import MouthShaper
from avatar_service.motion.visemes import NUM_VISEMES, VISEME_INDEX
from avatar_service.signals import Float32Array

_SILENCE: Final = VISEME_INDEX["sil"]
_BILABIAL: Final = VISEME_INDEX["PP"]
_HISTORY_STEPS: Final = 150
"""Steps kept for `mouth_at`: 3 s."""
_NANOS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ArticulationStep:
    """The mouth at one time.

    Attributes:
        pts_nanos: on the clock given by `reset`.
        articulators: (7,) float32 0..1, order of visemes.ARTICULATORS, seals decided.
        expression: (52,) float32 mouth coefficients of a neutral style, other entries 0.
        visemes: (15,) float32 probabilities, order of visemes.VISEMES.
    """

    pts_nanos: int
    articulators: Float32Array
    expression: Float32Array
    visemes: Float32Array


def phone_articulators(
    phones: Sequence[TimedPhone], alphabet: str, times_secs: Float32Array
) -> Float32Array:
    """Compute the mouth of known phones: no network, every seal closes.

    Args:
        phones: symbols with times in seconds; gaps are silence.
        alphabet: "arpabet", "espeak" or "ipa".
        times_secs: (n,) at which the mouth is wanted.

    Returns:
        (n, 7) float32 0..1.

    Raises:
        AvatarError: INVALID_FIELD, see phones.canonical_phones.
    """
    timeline = canonical_phones(phones, alphabet)
    duration = timeline[-1].end_secs + 0.1 if timeline else 0.1
    grid = mouth_grid(timeline, duration)
    return sample_grid(grid, np.asarray(times_secs, np.float32))


@dataclass(frozen=True, slots=True)
class _KnownSpeech:
    """A stretch of the clock in which the phones are known."""

    start_nanos: int
    end_nanos: int
    grid: Float32Array
    labels: np.ndarray

    def at(self, pts_nanos: int) -> tuple[Float32Array, Float32Array]:
        secs = (pts_nanos - self.start_nanos) / _NANOS
        row = sample_grid(self.grid, np.array([secs], np.float32))[0]
        visemes = np.zeros(NUM_VISEMES, np.float32)
        cell = min(max(0, int(secs * len(self.labels) / self._secs)), len(self.labels) - 1)
        visemes[self.labels[cell]] = 1.0
        return row, visemes

    @property
    def _secs(self) -> float:
        return (self.end_nanos - self.start_nanos) / _NANOS


class ArticulationStage:
    """The mouth of one stream.

    Args:
        net: the trained network, shared between stages (a step changes nothing in it).
        look_ahead_millis: 40 (live) or 80 (more accurate), as the network offers.
    """

    def __init__(self, net: ArticulationRunner, *, look_ahead_millis: int = 40) -> None:
        offered = [steps * 20 for steps in net.config.look_ahead_steps]
        if look_ahead_millis not in offered:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"look-ahead of {look_ahead_millis} ms is not offered; allowed: "
                f"{', '.join(map(str, offered))}",
                field="look_ahead_millis",
            )
        self._net = net
        self._head = offered.index(look_ahead_millis)
        self._look_ahead_steps = look_ahead_millis // 20
        self._front_end = StreamingLogMel()
        self._shaper = MouthShaper()
        self._level = LevelTracker()
        self.reset()

    @property
    def lookahead_nanos(self) -> int:
        """Audio needed beyond a time before the mouth at that time is known."""
        return (self._look_ahead_steps + 1) * STEP_NANOS

    @property
    def known_until_nanos(self) -> int:
        """Latest time that `mouth_at` can answer; before the first step, just before the start."""
        return self._next_pts - STEP_NANOS

    def reset(self, start_nanos: int = 0) -> None:
        """Forget the stream; the next sample pushed has the time start_nanos."""
        self._front_end.reset()
        self._shaper.reset()
        self._level.reset()
        self._heard: deque[HeardLevel] = deque()
        self._memory = _silent_memory(self._net)
        self._mels = np.zeros((0, 80), np.float32)
        self._skip = self._look_ahead_steps - 1
        self._start_nanos = start_nanos
        self._next_pts = start_nanos
        self._known: deque[_KnownSpeech] = deque()
        self._ready: deque[ArticulationStep] = deque()
        self._history: deque[ArticulationStep] = deque(maxlen=_HISTORY_STEPS)

    def push(self, samples: Float32Array) -> None:
        """Take samples in; the network runs when steps are pulled.

        Args:
            samples: (n,) float32 in [-1, 1], mono, 16 kHz, following the ones before.

        Raises:
            AvatarError: INVALID_AUDIO where the shape is wrong or a sample is not finite.
        """
        frames = self._front_end.push(samples)
        if len(frames):
            self._mels = np.concatenate([self._mels, frames])

    def push_phones(self, phones: Sequence[TimedPhone], alphabet: str, pts_nanos: int) -> None:
        """Let known phones drive the mouth in place of the network, for steps not yet computed.

        Args:
            phones: symbols with seconds from pts_nanos.
            alphabet: "arpabet", "espeak" or "ipa".
            pts_nanos: time of the phones' zero on the stage's clock.

        Raises:
            AvatarError: INVALID_FIELD, see phones.canonical_phones.
        """
        timeline = canonical_phones(phones, alphabet)
        if not timeline:
            return
        secs = timeline[-1].end_secs
        labels = np.maximum(viseme_grid(timeline, secs), 0)
        grid = mouth_grid(timeline, secs)
        end = pts_nanos + round(secs * _NANOS)
        self._known.append(_KnownSpeech(pts_nanos, end, grid, labels))

    def pull(self) -> Iterator[ArticulationStep]:
        """Yield the steps that the audio pushed so far makes known, each once, in order."""
        self._compute()
        while self._ready:
            yield self._ready.popleft()

    def mouth_at(self, pts_nanos: int) -> Float32Array:
        """Interpolate the mouth at any time.

        Args:
            pts_nanos: not later than `known_until_nanos` and not more than 3 s before it.

        Returns:
            (52,) float32; rest before the stream's first step.

        Raises:
            AvatarError: INVALID_FIELD where the time is not known yet, or was forgotten.
        """
        self._compute()
        if pts_nanos > self.known_until_nanos:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"the mouth at {pts_nanos} ns is not known yet; known until "
                f"{self.known_until_nanos} ns",
                field="pts_nanos",
            )
        if not self._history or pts_nanos <= self._start_nanos:
            return np.zeros(52, np.float32)
        first = self._history[0].pts_nanos
        if pts_nanos < first:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"the mouth at {pts_nanos} ns was forgotten; kept from {first} ns",
                field="pts_nanos",
            )
        index, rest = divmod(pts_nanos - first, STEP_NANOS)
        low = self._history[index]
        high = self._history[min(index + 1, len(self._history) - 1)]
        share = rest / STEP_NANOS
        mixed = low.articulators * (1 - share) + high.articulators * share
        return lip_shapes(mixed.astype(np.float32))

    def _compute(self) -> None:
        if self._pending():
            run_batched([self])

    def _pending(self) -> int:
        return len(self._mels) // MELS_PER_STEP

    def _take(self, num_steps: int) -> Float32Array:
        count = num_steps * MELS_PER_STEP
        taken, self._mels = self._mels[:count], self._mels[count:]
        self._heard.extend(self._level.hear(taken.reshape(num_steps, MELS_PER_STEP, -1)))
        return taken

    def _accept(self, visemes: Float32Array, curves: Float32Array) -> None:
        """Take what the network says of the next steps: (steps, 15) and (steps, 7)."""
        told = []
        for probabilities, row in zip(visemes, curves, strict=True):
            heard = self._heard.popleft()
            if self._skip:  # outputs about times before the stream's start
                self._skip -= 1
                continue
            told.append(self._shape(probabilities, row, heard))
            self._next_pts += STEP_NANOS
        if told:
            expressions = lip_shapes(np.stack([shown for _, shown, _ in told]))
            for (pts, shown, probabilities), expression in zip(told, expressions, strict=True):
                step = ArticulationStep(pts, shown, expression, probabilities)
                self._ready.append(step)
                self._history.append(step)

    def _shape(
        self, visemes: Float32Array, row: Float32Array, heard: HeardLevel
    ) -> tuple[int, Float32Array, Float32Array]:
        """Time, shown articulators and visemes of the next step."""
        pts = self._next_pts
        while self._known and self._known[0].end_nanos <= pts:
            self._known.popleft()
        if self._known and self._known[0].start_nanos <= pts:
            return pts, *self._known[0].at(pts)
        shown = self._shaper.step(
            row,
            float(visemes[_SILENCE]),
            bilabial=float(visemes[_BILABIAL]),
            # Quiet up to the newest audio; the step told now lies the look-ahead before it.
            quiet_steps=heard.quiet_steps - self._look_ahead_steps,
            clarity=heard.clarity,
        )
        return pts, shown, visemes


def run_batched(stages: Sequence[ArticulationStage]) -> None:
    """Run the pending steps of many stages of one network as batches.

    Stages with equally many pending steps share a batch; the results are those of each stage
    alone, within rounding.
    """
    groups: dict[tuple[int, int], list[ArticulationStage]] = {}
    for stage in stages:
        pending = stage._pending()
        if pending:
            groups.setdefault((id(stage._net), pending), []).append(stage)
    for (_, pending), members in groups.items():
        for first in range(0, pending, _MOST_STEPS):
            _run(members, min(pending - first, _MOST_STEPS))


_MOST_STEPS: Final = 128
"""Of one pass, which bounds its memory."""


def _run(stages: Sequence[ArticulationStage], num_steps: int) -> None:
    features = np.stack([stage._take(num_steps) for stage in stages])
    memory = stages[0]._memory.join([stage._memory for stage in stages])
    told, memory = stages[0]._net(features, memory)
    tell(told.reshape(-1, told.shape[-1]))
    for i, (stage, own) in enumerate(zip(stages, memory.split(), strict=True)):
        stage._memory = own
        mine = told[i, :, stage._head]
        stage._accept(mine[:, :NUM_VISEMES], mine[:, NUM_VISEMES:])


@lru_cache(maxsize=4)
def _silent_memory(net: ArticulationRunner) -> Any:
    """Memory of a stream that begins after a second of silence, so that it begins at rest."""
    silence = log_mel(np.zeros(SAMPLE_RATE_HZ, np.float32))
    return net(silence[None], net.initial_memory())[1]
