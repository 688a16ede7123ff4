"""Score the lips on labelled speech; the function behind `avatar bench motion`.

Labels stand beside each clip in NAME.json, either

    [[start s, end s, ARPAbet phone, score], ...]                      pocketsphinx, 9 ms early
    {"alphabet": "arpabet", "bias_secs": 0.0, "phones": [[start, end, symbol], ...]}
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from avatar_service.audio.file import read_audio
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.articulation import ArticulationStage, ArticulationStep
from avatar_service.motion.articulation_net import ArticulationNet, load_weights
from avatar_service.motion.lip_shapes import aperture
from avatar_service.motion.metrics import ScoredClip, score_clips
from avatar_service.motion.phones import TimedPhone, canonical_phones
from avatar_service.signals import Float32Array

_ALIGNER_BIAS_SECS: Final = 0.009
"""pocketsphinx's phones are this early (measured against exact labels)."""
_GROUPS: Final = ("austen", "jfk", "LJ", "slt")
_GOAL_GROUPS: Final = ("austen", "jfk")
"""The goals stand for clean clips of speakers not heard in training."""
_SUFFIXES: Final = (".wav", ".flac")
_STREAM_SECS: Final = 6.0
_TIMED_STEPS: Final = 250


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """Speech with its phones.

    Attributes:
        samples: (n,) float32, 16 kHz mono.
        phones: canonical phones, the aligner's bias removed.
    """

    name: str
    samples: Float32Array
    phones: list[TimedPhone]


def read_labels(path: Path) -> list[TimedPhone]:
    """Read the phones of one clip.

    Raises:
        AvatarError: INVALID_FILE where the JSON is not one of the two forms.
    """
    try:
        content: Any = json.loads(path.read_text("utf-8"))
        is_plain = isinstance(content, list)
        bias = _ALIGNER_BIAS_SECS if is_plain else float(content.get("bias_secs", 0.0))
        rows = content if is_plain else content["phones"]
        alphabet = "arpabet" if is_plain else str(content["alphabet"])
        phones = [TimedPhone(float(r[0]) + bias, float(r[1]) + bias, str(r[2])) for r in rows]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as fault:
        raise AvatarError(
            Reason.INVALID_FILE, f"{path.name} holds no phone labels: {fault}"
        ) from fault
    return canonical_phones(phones, alphabet)


def read_clips(folder: Path) -> list[LabelledClip]:
    """Read every clip of a folder that has labels.

    Raises:
        AvatarError: INVALID_FILE where there is none, or one cannot be read.
    """
    clips = []
    for labels in sorted(folder.glob("*.json")):
        audio = [path for s in _SUFFIXES if (path := labels.with_suffix(s)).exists()]
        if audio:
            samples = read_audio(audio[0]).samples
            clips.append(LabelledClip(labels.stem, samples, read_labels(labels)))
    if not clips:
        raise AvatarError(
            Reason.INVALID_FILE, f"{folder} holds no NAME.wav or NAME.flac with NAME.json beside it"
        )
    return clips


def drive(net: ArticulationNet, samples: Float32Array, look_ahead_millis: int,
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


def score(net: ArticulationNet, clip: LabelledClip, look_ahead_millis: int) -> ScoredClip:
    """Run one clip and put the mouth beside its labels."""
    steps = drive(net, clip.samples, look_ahead_millis)
    expression = np.stack([step.expression for step in steps])
    visemes = np.array([int(step.visemes.argmax()) for step in steps], np.int64)
    return ScoredClip(clip.phones, clip.samples, expression, aperture(expression), visemes)


def stream_difference(net: ArticulationNet, samples: Float32Array, look_ahead_millis: int) -> float:
    """Largest difference of a coefficient between small odd chunks and the whole clip at once."""
    part = samples[: round(_STREAM_SECS * 16000)]
    whole = drive(net, part, look_ahead_millis)
    pieces = drive(net, part, look_ahead_millis, chunk_samples=173)
    if len(whole) != len(pieces):
        raise AvatarError(Reason.BUG, "streaming gave another number of steps than offline")
    return max(
        float(np.abs(a.expression - b.expression).max()) for a, b in zip(whole, pieces, strict=True)
    )


def step_cost_millis(net: ArticulationNet) -> float:
    """Median time of one 20 ms step of one stream, front end to coefficients, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        stage = ArticulationStage(net)
        rng = np.random.default_rng(0)
        costs = []
        for _ in range(_TIMED_STEPS):
            chunk = rng.normal(0, 0.1, 320).astype(np.float32)
            start = time.perf_counter()
            stage.push(chunk)
            list(stage.pull())
            costs.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return float(np.median(costs)) * 1000


def bench_motion(
    folder: Path | None = None,
    *,
    weights: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score the network's lips on labelled speech.

    Args:
        folder: clips with labels; None takes the demonstration's own speech, whose synthetic
            voice the network was not trained on.
        weights: npz of tools.train_articulation; None takes the committed ones.
        progress: called with (done, total).

    Returns:
        The metrics of metrics.score_clips and `stream_offline_max_diff`, `step_ms`, at top level
        for 40 ms of look-ahead over the clips `austen*` and `jfk*` (over all where neither is
        there); `look_ahead_80ms` the same; `groups_40ms`, `groups_80ms` by group of clips.

    Raises:
        AvatarError: INVALID_FILE for a folder without usable clips; MODELS_NOT_AVAILABLE for
            weights that cannot be read.
    """
    net = load_weights(weights)
    clips = read_clips(folder) if folder else [_own_clip()]
    looks = [steps * 20 for steps in net.config.look_ahead_steps]
    total, done = len(looks) * (len(clips) + 1), 0
    figures: dict[str, Any] = {}
    for look in looks:
        scored: dict[str, ScoredClip] = {}
        for clip in clips:
            scored[clip.name] = score(net, clip, look)
            done += 1
            if progress:
                progress(done, total)
        figures_here = _score(_chosen(scored, _GOAL_GROUPS) or list(scored.values()))
        figures_here["stream_offline_max_diff"] = stream_difference(net, clips[0].samples, look)
        done += 1
        if progress:
            progress(done, total)
        if look == looks[0]:
            figures.update(figures_here)
            figures["step_ms"] = step_cost_millis(net)
        else:
            figures[f"look_ahead_{look}ms"] = figures_here
        groups = {name: members for name in _GROUPS if (members := _chosen(scored, (name,)))}
        if len(groups) > 1:
            figures[f"groups_{look}ms"] = {n: _score(members) for n, members in groups.items()}
    figures["clips"] = len(clips)
    return figures


def _score(clips: list[ScoredClip]) -> dict[str, float]:
    """Metrics without those for which the clips hold no event (JSON knows no NaN)."""
    return {name: value for name, value in score_clips(clips).items() if math.isfinite(value)}


def _chosen(scored: dict[str, ScoredClip], prefixes: tuple[str, ...]) -> list[ScoredClip]:
    return [clip for name, clip in scored.items() if name.startswith(prefixes)]


def _own_clip() -> LabelledClip:
    with resources.as_file(resources.files("avatar_service") / "data") as folder:
        samples = read_audio(folder / "demo_speech.wav").samples
        return LabelledClip("slt_demo", samples, read_labels(folder / "demo_speech.json"))
