"""Score what lives beside the lips; the second half of `avatar bench motion`.

All speech given is joined to one monologue with pauses and played to five seeds of the generator,
then played to it as a listener, then left in silence under each control.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from avatar_service.motion import life_metrics
from avatar_service.motion.easing import FloatArray
from avatar_service.motion.emotion import EMOTION_FACE
from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.life_figures import beat_alignment_z, diversity, upper_face_sd
from avatar_service.motion.life_meaning import eye_contact
from avatar_service.motion.model import MotionModel
from avatar_service.motion.stage import SAMPLE_NANOS, TICK_NANOS, MotionStage
from avatar_service.motion.statistics import motion_statistics
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import CAMERA_DISTANCE_UNITS, EMOTION_NAMES
from avatar_service.signals import AudioChunk, AudioRole, Controls, Float32Array, MotionFrame

LIFE_TARGETS: Final[dict[str, str]] = {
    "head_step_deg": "0.75..1.2",
    "head_step_listening_deg": "0.03..0.4",
    "yaw_sd_deg": "3..6",
    "pitch_sd_deg": "2.5..5",
    "roll_sd_deg": "2..4",
    "acceleration_ratio": "3.2..5.5",
    "beat_alignment_z": ">= 3",
    "head_diversity": "0.8..1.4",
    "lip_diversity": "<= 0.15",
    "blinks_per_min": "12..42",
    "blink_interval_cv": "0.5..0.9",
    "blink_length_ms": "200..350",
    "saccades_per_min": "2..18",
    "eye_contact": "0.6..0.85",
    "seam_acceleration_ratio": "<= 1.2",
    "gaze_error_deg": "<= 2",
    "distance_error": "<= 0.02",
    "emotion_right": ">= 1",
    "emotion_monotonic": ">= 1",
}
"""Goals; those of head, blinks and gaze are what was measured on real talking video."""

Maker = Callable[[Fraction, Controls, int], MotionModel]
"""Makes a fresh model from frame rate, controls and seed."""

_SEEDS: Final = range(5)
_MIN_SPEECH_SECS: Final = 60.0
_PAUSE_SECS: Final = 0.45
_SPEECH_RATE: Final = Fraction(50)
_SEAM_RATE: Final = Fraction(100)
_CONTROL_SECS: Final = 5.0
_ARRIVED_SECS: Final = 1.5
_GAZES_DEG: Final = ((12.0, 0.0), (-12.0, 0.0), (0.0, 8.0), (0.0, -8.0), (9.0, 6.0), (0.0, 0.0))
_DISTANCES: Final = (0.6, 0.8, 1.25, 1.6)
_INTENSITIES: Final = (0.25, 0.5, 0.75, 1.0)


def make_stage(rate: Fraction, controls: Controls, seed: int) -> MotionModel:
    """Make the generator that ships."""
    return MotionStage(rate, controls, seed=seed)


def run(
    model: MotionModel,
    rate: Fraction,
    speech: Float32Array,
    heard: Float32Array | None = None,
) -> MotionTrack:
    """Play speech to a model (and what it hears beside it) and keep its motion.

    Args:
        model: fresh.
        rate: the model's frame rate.
        speech: (n,) float32, 16 kHz, the avatar's own voice.
        heard: (n,) the partner's voice.
    """
    frames: list[MotionFrame] = []
    piece = 8000
    for low in range(0, len(speech), piece):
        if heard is not None:
            chunk = heard[low : low + piece]
            model.push(AudioChunk(chunk, low * SAMPLE_NANOS, role=AudioRole.LISTEN))
        model.push(AudioChunk(speech[low : low + piece], low * SAMPLE_NANOS))
        frames += model.pull()
    model.close()
    return MotionTrack.from_frames(frames, rate)


def monologue(clips: Sequence[Float32Array]) -> Float32Array:
    """Join clips with pauses, again and again until they last a minute; (n,) float32, 16 kHz."""
    pause = np.zeros(round(_PAUSE_SECS * 16000), np.float32)
    once = np.concatenate([part for clip in clips for part in (clip, pause)])
    return np.tile(once, math.ceil(_MIN_SPEECH_SECS * 16000 / len(once)))


def bench_life(
    clips: Sequence[Float32Array],
    *,
    make: Maker = make_stage,
    seam_nanos: int = BLOCK * TICK_NANOS,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Score a generator's head, eyes and face.

    Args:
        clips: speech, each (n,) float32, 16 kHz.
        make: makes a fresh generator.
        seam_nanos: length of its blocks.
        progress: called with (done, total).

    Returns:
        Figures by the names of LIFE_TARGETS, those of motion_statistics, and upper_face_sd (no
        goal: a landmark tracker's own noise on brows and lower lids is larger than what it would
        have to tell); without those for which the speech holds no event.
    """
    speech = monologue(clips)
    silence = np.zeros_like(speech)
    total, done = len(_SEEDS) + 3, 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    tracks = []
    for seed in _SEEDS:
        tracks.append(run(make(_SPEECH_RATE, Controls(), seed), _SPEECH_RATE, speech))
        advance()
    figures = _speaking(tracks, speech)
    listening = run(make(_SPEECH_RATE, Controls(), 0), _SPEECH_RATE, silence, speech)
    figures["head_step_listening_deg"] = motion_statistics(listening)["head_step_deg"]
    advance()
    fine = run(make(_SEAM_RATE, Controls(), 0), _SEAM_RATE, speech)
    figures["seam_acceleration_ratio"] = life_metrics.seam_ratio(fine, seam_nanos)
    advance()
    figures |= control_figures(make)
    advance()
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _speaking(tracks: Sequence[MotionTrack], speech: Float32Array) -> dict[str, float]:
    rows = [
        motion_statistics(track)
        | life_metrics.blink_figures(track)
        | {
            "upper_face_sd": upper_face_sd(track),
            "beat_alignment_z": beat_alignment_z(track, speech),
            "eye_contact": eye_contact(track),
        }
        for track in tracks
    ]
    mean = {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}
    return mean | diversity(tracks)


def control_figures(make: Maker = make_stage) -> dict[str, float]:
    """Ask for gaze, distance and emotions in silence and compare what the latents show.

    Returns:
        gaze_error_deg, the mean outside saccades and blinks; distance_error, the largest share;
        emotion_right, the share of asked emotions whose pattern is the nearest of all;
        emotion_monotonic, the share that grows with each intensity.
    """
    silence = np.zeros(round(_CONTROL_SECS * 16000), np.float32)

    def still(controls: Controls) -> MotionTrack:
        return run(make(_SPEECH_RATE, controls, 3), _SPEECH_RATE, silence)

    gaze_errors = []
    for degrees in _GAZES_DEG:
        wanted = math.radians(degrees[0]), math.radians(degrees[1])
        track = still(Controls(gaze=wanted))
        gaze_errors.append(life_metrics.gaze_error_deg(track, wanted, _ARRIVED_SECS))
    distance_errors = []
    for distance in _DISTANCES:
        depth = _settled(still(Controls(distance=distance)), "head_translation")[2]
        shown = 1 - depth / CAMERA_DISTANCE_UNITS
        distance_errors.append(abs(shown / distance - 1))
    rest = _settled(still(Controls()), "expression")
    right, rising = [], []
    for index, name in enumerate(EMOTION_NAMES[1:], start=1):
        faces = [
            _settled(still(Controls(emotion={name: weight})), "expression") - rest
            for weight in _INTENSITIES
        ]
        right += [_nearest_emotion(face) == index for face in faces]
        shares = np.array([0.0, *(float(face @ EMOTION_FACE[index]) for face in faces)])
        rising.append(bool((np.diff(shares) > 0).all()))
    return {
        "gaze_error_deg": float(np.mean(gaze_errors)),
        "distance_error": float(np.max(distance_errors)),
        "emotion_right": float(np.mean(right)),
        "emotion_monotonic": float(np.mean(rising)),
    }


def _settled(track: MotionTrack, channel: str) -> FloatArray:
    values: FloatArray = np.asarray(getattr(track, channel), np.float64)
    return np.asarray(np.median(values[track.pts_nanos * 1e-9 >= _ARRIVED_SECS], axis=0))


def _nearest_emotion(face: FloatArray) -> int:
    patterns = EMOTION_FACE[1:]
    lengths = np.linalg.norm(patterns, axis=1)
    return int(np.argmax(patterns @ face / lengths)) + 1
