"""Life beside the lips, measured: the transformer, the simple generator, real people."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import resources
from typing import Any, Final

import numpy as np

from avatar_service.audio.file import read_audio
from avatar_service.motion.life_figures import (
    band_shares,
    beat_alignment_z,
    brow_loudness_r,
    diversity,
    loudness_correlation,
    seam_ratio,
    upper_face_sd,
)
from avatar_service.motion.life_meaning import meaning_figures
from avatar_service.motion.life_stream import LifeModel, shared_model
from avatar_service.motion.stage import MotionStage
from avatar_service.motion.statistics import REFERENCES, motion_statistics
from avatar_service.motion.track import MotionTrack
from avatar_service.signals import AudioChunk, AudioRole, Controls, Float32Array, MotionFrame

_RATE: Final = Fraction(25)
_SAMPLE_NANOS: Final = 62_500
_TAIL_SAMPLES: Final = 3200
_PIECE: Final = 32_000


@dataclass(frozen=True, slots=True)
class Voice:
    """Speech to move to; `track` is what its speaker did, where that is known."""

    name: str
    samples: Float32Array
    track: MotionTrack | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to generate."""

    name: str
    motion_model: str
    model: LifeModel | None = None


def variants_of(model: LifeModel, *, with_ablations: bool) -> list[Variant]:
    """List the generators and, where asked for, the ablations of the transformer."""

    def with_settings(**changes: float) -> LifeModel:
        return replace(model, settings=replace(model.settings, **changes))  # type: ignore[arg-type]

    made = [
        Variant("simple generator", "rules"),
        Variant("transformer", "transformer", model),
        Variant("mixed", "mixed", model),
    ]
    if not with_ablations:
        return made
    made += [
        Variant(f"{n} step{'s' if n > 1 else ''}", "transformer", with_settings(steps=n))
        for n in (1, 2, 4, 8)
    ]
    made += [
        Variant("no guidance", "transformer",
                with_settings(voice_guidance=0.0, control_guidance=0.0)),
        Variant("voice guidance 1.5", "transformer", with_settings(voice_guidance=1.5)),
        Variant("realness 0", "transformer", with_settings(realness=0.0)),
        Variant("realness 1", "transformer", with_settings(realness=1.0)),
    ]  # fmt: skip
    return made


def animate(
    voice: Float32Array,
    seed: int,
    variant: Variant,
    *,
    chunk: int = _PIECE,
    controls: Controls | None = None,
    heard: Float32Array | None = None,
) -> MotionTrack:
    """Animate (n,) samples at 25 fps; `heard` is the partner's voice at the same time."""
    asked = replace(controls or Controls(), motion_model=variant.motion_model)
    stage = MotionStage(_RATE, asked, seed=seed, life_model=variant.model)
    if heard is not None:
        stage.push(AudioChunk(heard, 0, role=AudioRole.LISTEN))
    line = np.concatenate([voice, np.zeros(_TAIL_SAMPLES, np.float32)])
    frames: list[MotionFrame] = []
    for start in range(0, len(line), chunk):
        stage.push(AudioChunk(line[start : start + chunk], start * _SAMPLE_NANOS))
        frames += stage.pull()
    end = len(voice) * _SAMPLE_NANOS
    return MotionTrack.from_frames([f for f in frames if f.pts_nanos < end], _RATE)


def figures_of(track: MotionTrack, samples: Float32Array) -> dict[str, float]:
    """Measure one track beside its voice."""
    return {
        **motion_statistics(track),
        **band_shares(track),
        "upper_face_sd": upper_face_sd(track),
        "beat_alignment_z": beat_alignment_z(track, samples),
        "head_loudness_r": loudness_correlation(track, samples),
        "brow_loudness_r": brow_loudness_r(track, samples),
        **meaning_figures(track, samples),
    }


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        key: round(float(np.nanmean([row[key] for row in rows])), 4)
        for key in rows[0]
        if np.isfinite([row[key] for row in rows]).any()
    }


def measure(variant: Variant, voices: Sequence[Voice], num_seeds: int) -> dict[str, float]:
    """Average the figures of a variant over voices and seeds."""
    rows, seams, spread, beats = [], [], [], []
    cost = samples = 0.0
    for voice in voices:
        started = time.process_time()
        tracks = [animate(voice.samples, seed, variant) for seed in range(num_seeds)]
        cost += time.process_time() - started
        samples += num_seeds * len(voice.samples)
        rows += [figures_of(track, voice.samples) for track in tracks]
        beats.append(float(np.nanmean([row["beat_alignment_z"] for row in rows[-num_seeds:]])))
        seams += [seam_ratio(track) for track in tracks]
        spread.append(diversity(tracks))
    figures = _mean(rows)
    figures.update(_mean(spread))
    # Clips are short, and so is each one's proof; together they are one test (Stouffer 1949).
    figures["beat_alignment_joint_z"] = round(float(np.sum(beats)) / len(beats) ** 0.5, 4)
    figures["seam_ratio"] = round(float(np.mean(seams)), 3)
    figures["cpu_ms_per_40ms"] = round(cost / (samples / 16000) * 40, 3)
    return figures


def listening(variant: Variant, voice: Voice, num_seeds: int) -> float:
    """Head rotation between frames in degrees while the partner speaks."""
    quiet = np.zeros(len(voice.samples), np.float32)
    tracks = [animate(quiet, s, variant, heard=voice.samples) for s in range(num_seeds)]
    return round(float(np.mean([motion_statistics(t)["head_step_deg"] for t in tracks])), 4)


def compare_lives(
    voices: Sequence[Voice],
    *,
    num_seeds: int = 5,
    model: LifeModel | None = None,
    with_ablations: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Measure everything on a set of voices.

    Returns:
        "real NAME" figures of the voices' own tracks; one entry for each variant; "summary": how
        many figures with a natural range lie in it, by variant, and "stream_offline_max_diff".
    """
    model = model or shared_model()
    figures: dict[str, Any] = {}
    for voice in voices:
        if voice.track is not None:
            figures[f"real {voice.name}"] = _mean([figures_of(voice.track, voice.samples)])
    variants = variants_of(model, with_ablations=with_ablations)
    for i, variant in enumerate(variants):
        figures[variant.name] = measure(variant, voices, num_seeds)
        figures[variant.name]["listening_step_deg"] = listening(variant, voices[0], num_seeds)
        progress(i + 1, len(variants) + 1)
    part = voices[0].samples[: 16000 * 6]
    difference = 0.0
    for variant in variants[1:3]:
        whole, pieces = (animate(part, 1, variant, chunk=size) for size in (_PIECE, 373))
        for name in ("expression", "head_rotation", "head_translation", "gaze"):
            apart = np.abs(getattr(whole, name) - getattr(pieces, name))
            difference = max(difference, float(apart.max()))
    progress(len(variants) + 1, len(variants) + 1)
    ranges = natural_ranges()
    summary = {
        f"natural figures, {variant.name}": sum(
            low <= figures[variant.name].get(key, np.nan) <= high
            for key, (low, high) in ranges.items()
        )
        for variant in variants
    }
    summary["natural figures, of"] = len(ranges)
    figures["summary"] = summary | {"stream_offline_max_diff": difference}
    return figures


def own_voice() -> Voice:
    """Return the demonstration's own speech."""
    with resources.as_file(resources.files("avatar_service") / "data") as folder:
        return Voice("demo", read_audio(folder / "demo_speech.wav").samples)


def natural_ranges() -> dict[str, tuple[float, float]]:
    """What counts as natural, by key; those of statistics.REFERENCES and of listening."""
    ranges = {key: (r.low, r.high) for key, r in REFERENCES.items()}
    ranges["seam_ratio"] = (0.0, 1.2)
    ranges["beat_alignment_z"] = ranges["beat_alignment_joint_z"] = (3.0, float("inf"))
    ranges["head_diversity"] = (0.8, 1.4)
    ranges["lip_diversity"] = (0.0, 0.15)
    ranges["cpu_ms_per_40ms"] = (0.0, 4.0)
    return ranges
