"""Score the lips on labelled speech; the function behind `avatar bench motion`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.articulation import ArticulationStage, ArticulationStep
from avatar_service.motion.articulation_parameters import load_weights
from avatar_service.motion.articulation_step import ArticulationStepper
from avatar_service.motion.baselines import energy_jaw, viseme_lookup
from avatar_service.motion.coarticulation import GRID_SECS, mouth_grid, viseme_grid
from avatar_service.motion.disturbances import CONDITIONS
from avatar_service.motion.labelled import LabelledClip, read_clips_or_own
from avatar_service.motion.lip_shapes import aperture, lip_shapes
from avatar_service.motion.metrics import STEP_SECS, ScoredClip, score_clips
from avatar_service.motion.vertex_error import ShapeVertices, vertex_errors
from avatar_service.signals import Float32Array

_GROUPS: Final = ("austen", "jfk", "LJ", "slt")
_GOAL_GROUPS: Final = ("austen", "jfk")
"""The goals stand for clean clips of speakers not heard in training."""
_STREAM_SECS: Final = 6.0
_TIMED_STEPS: Final = 250

_Scored = dict[str, ScoredClip]
"""Mouths beside their speech, by the clip's name."""


def drive(net: ArticulationStepper, samples: Float32Array, look_ahead_millis: int,
          chunk_samples: int | None = None) -> list[ArticulationStep]:  # fmt: skip
    """Run a clip through a fresh stage, whole or in chunks; silence is added for the look-ahead.

    Returns:
        The steps at 0, 20, 40 ms ... up to the clip's end.
    """
    stage = ArticulationStage(net, look_ahead_millis=look_ahead_millis)
    padded = np.concatenate([samples, np.zeros(16 * look_ahead_millis, np.float32)])
    size = chunk_samples or len(padded)
    steps: list[ArticulationStep] = []
    for start in range(0, len(padded), size):
        stage.push(padded[start : start + size])
        steps += stage.pull()
    return steps


def score(net: ArticulationStepper, clip: LabelledClip, look_ahead_millis: int) -> ScoredClip:
    """Run one clip and put the mouth beside its labels."""
    steps = drive(net, clip.samples, look_ahead_millis)
    expression = np.stack([step.expression for step in steps])
    visemes = np.array([int(step.visemes.argmax()) for step in steps], np.int64)
    return ScoredClip(clip.phones, clip.samples, expression, aperture(expression), visemes)


def stream_difference(
    net: ArticulationStepper, samples: Float32Array, look_ahead_millis: int
) -> float:
    """Largest difference of a coefficient between small odd chunks and the whole clip at once."""
    part = samples[: round(_STREAM_SECS * 16000)]
    whole = drive(net, part, look_ahead_millis)
    pieces = drive(net, part, look_ahead_millis, chunk_samples=173)
    if len(whole) != len(pieces):
        raise AvatarError(Reason.BUG, "streaming gave another number of steps than offline")
    return max(
        float(np.abs(a.expression - b.expression).max()) for a, b in zip(whole, pieces, strict=True)
    )


def step_cost_millis(net: ArticulationStepper) -> float:
    """Median time of one 20 ms step of one stream, front end to coefficients."""
    stage = ArticulationStage(net)
    rng = np.random.default_rng(0)
    costs = []
    for _ in range(_TIMED_STEPS):
        chunk = rng.normal(0, 0.1, 320).astype(np.float32)
        start = time.perf_counter()
        stage.push(chunk)
        list(stage.pull())
        costs.append(time.perf_counter() - start)
    return float(np.median(costs)) * 1000


def bench_motion(
    folder: Path | None = None,
    *,
    weights: Path | None = None,
    head: ShapeVertices | None = None,
    conditions: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score the network's lips on labelled speech.

    Args:
        folder: clips with labels; None takes the demonstration's own speech, whose synthetic
            voice the network was not trained on.
        weights: npz of tools.train_articulation; None takes the committed ones.
        head: on which LVE and MVE are measured; None leaves them out.
        conditions: also score disturbed speech (disturbances.CONDITIONS) at 40 ms.
        progress: called with (done, total).

    Returns:
        The metrics of metrics.score_clips and `lve_mm`, `mve_mm`, `stream_offline_max_diff`,
        `step_ms`, at top level for 40 ms of look-ahead over the clips `austen*` and `*jfk*` (over
        all where neither is there); `look_ahead_80ms` the same; `groups_40ms`, `groups_80ms` by
        group of clips; `phones_known`, `energy_jaw` and `viseme_lookup` the same clips by other
        means: the mouth where phones and times are known, and two simple baselines; and the
        conditions asked for, by name.

    Raises:
        AvatarError: INVALID_FILE for a folder without usable clips; MODELS_NOT_AVAILABLE for
            weights that cannot be read.
    """
    net = ArticulationStepper(load_weights(weights))
    clips = read_clips_or_own(folder)
    looks = [steps * 20 for steps in net.config.look_ahead_steps]
    disturbed = CONDITIONS if conditions else {}
    total, done = (len(looks) + len(disturbed)) * len(clips), 0

    def scored_clips(look: int, disturb: Callable[[Float32Array], Float32Array]) -> _Scored:
        nonlocal done
        scored = {}
        for clip in clips:
            heard = replace(clip, samples=disturb(clip.samples))
            scored[clip.name] = replace(score(net, heard, look), samples=clip.samples)
            done += 1
            if progress:
                progress(done, total)
        return scored

    figures: dict[str, Any] = {}
    for look in looks:
        scored = scored_clips(look, lambda samples: samples)
        here = _score(_of_goals(scored), head)
        here["stream_offline_max_diff"] = stream_difference(net, clips[0].samples, look)
        if look == looks[0]:
            figures |= here
            figures["step_ms"] = step_cost_millis(net)
            for means, others in _by_other_means(clips, scored).items():
                figures[means] = _score(_of_goals(others), head)
                if means != "phones_known":  # they say no visemes of their own
                    for name in ("viseme_f1", "viseme_tolerant_accuracy"):
                        del figures[means][name]
        else:
            figures[f"look_ahead_{look}ms"] = here
        groups = {name: members for name in _GROUPS if (members := _chosen(scored, (name,)))}
        if len(groups) > 1:
            figures[f"groups_{look}ms"] = {n: _score(members) for n, members in groups.items()}
    for name, disturb in disturbed.items():
        figures[name] = _score(_of_goals(scored_clips(looks[0], disturb)))
    figures["clips"] = len(clips)
    return figures


def phones_known(clip: LabelledClip) -> ScoredClip:
    """The mouth where the phones and their times are known, as a speech engine gives them."""
    secs = len(clip.samples) / 16000
    stride = round(STEP_SECS / GRID_SECS)
    expression = lip_shapes(mouth_grid(clip.phones, secs)[::stride])
    visemes = np.maximum(viseme_grid(clip.phones, secs)[::stride], 0).astype(np.int64)
    return ScoredClip(clip.phones, clip.samples, expression, aperture(expression), visemes)


def _by_other_means(clips: Sequence[LabelledClip], ours: _Scored) -> dict[str, _Scored]:
    def shown(clip: LabelledClip, expression: Float32Array) -> ScoredClip:
        mine = ours[clip.name]
        count = min(len(expression), len(mine.visemes))
        part = expression[:count]
        return replace(mine, expression=part, aperture=aperture(part), visemes=mine.visemes[:count])

    return {
        "phones_known": {clip.name: phones_known(clip) for clip in clips},
        "viseme_lookup": {
            clip.name: shown(clip, viseme_lookup(ours[clip.name].visemes)) for clip in clips
        },
        "energy_jaw": {clip.name: shown(clip, energy_jaw(clip.samples)) for clip in clips},
    }


def _score(clips: list[ScoredClip], head: ShapeVertices | None = None) -> dict[str, float]:
    """Metrics without those for which the clips hold no event (JSON knows no NaN)."""
    figures = score_clips(clips)
    if head:
        pairs = [
            vertex_errors(
                clip.expression,
                phones_known(LabelledClip("", clip.samples, list(clip.phones))).expression,
                head,
            )
            for clip in clips
        ]
        figures["lve_mm"], figures["mve_mm"] = np.mean(pairs, axis=0).tolist()
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _chosen(scored: _Scored, prefixes: tuple[str, ...]) -> list[ScoredClip]:
    return [clip for name, clip in scored.items() if name.startswith(prefixes)]


def _of_goals(scored: _Scored) -> list[ScoredClip]:
    return _chosen(scored, _GOAL_GROUPS) or list(scored.values())
