"""How alive a face is: figures of head, eyes and upper face over whole tracks of motion.

Beside statistics.py, which compares a track with real video, these ask what a generator does: does
it move with the voice, differently each time, without seams, and where it was told to look.

Convention: tracks as in track.MotionTrack; figures that a track does not hold are NaN.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from avatar_service.motion.easing import FloatArray
from avatar_service.motion.metrics import STEP_SECS, speech_envelope
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES
from avatar_service.signals import Float32Array

RATE_HZ: Final = 25.0
"""The rate of the real videos that the goals were measured on."""
UPPER_FACE: Final = tuple(
    i for i, name in enumerate(EXPRESSION_NAMES) if name.startswith(("brow", "cheekSq", "eyeSq"))
)
MOUTH: Final = tuple(
    i for i, name in enumerate(EXPRESSION_NAMES) if name.startswith(("mouth", "jaw"))
)
_BLINK: Final = (EXPRESSION_INDEX["eyeBlinkLeft"], EXPRESSION_INDEX["eyeBlinkRight"])
_BLINK_LEVEL: Final = 0.35
_SACCADE_DEG_PER_SEC: Final = 30.0
"""Eye movements faster than this are saccades (the usual velocity threshold)."""
_SACCADE_MARGIN_SECS: Final = 0.08
_BEAT_SECS: Final = 0.1
_BEAT_SHIFTS: Final = 100
_ENVELOPE_SMOOTH_STEPS: Final = 3.0


def on_grid(track: MotionTrack, values: FloatArray | Float32Array) -> FloatArray:
    """Sample (N, ...) values of a track at 25 Hz; (M, columns)."""
    secs = track.pts_nanos * 1e-9
    grid = np.arange(secs[0], secs[-1], 1 / RATE_HZ)
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    return np.stack([np.interp(grid, secs, column) for column in flat.T], axis=1)


def rotation_matrices(angles: FloatArray) -> FloatArray:
    """R = Ry(yaw) Rx(pitch) Rz(roll) of (N, 3) angles in radians; (N, 3, 3)."""
    (cy, cx, cz), (sy, sx, sz) = np.cos(angles.T), np.sin(angles.T)
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    about_y = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    about_x = np.array([[one, zero, zero], [zero, cx, -sx], [zero, sx, cx]])
    about_z = np.array([[cz, -sz, zero], [sz, cz, zero], [zero, zero, one]])
    return np.asarray(np.einsum("ijn,jkn,kln->nil", about_y, about_x, about_z))


def pose_intensity_deg(track: MotionTrack) -> float:
    """Mean angle between the head's rotations 40 ms apart, degrees (dP)."""
    rotation = rotation_matrices(on_grid(track, track.head_rotation))
    between = np.einsum("nji,njk->nik", rotation[:-1], rotation[1:])
    cosine = (np.trace(between, axis1=1, axis2=2) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def diversity(runs: Sequence[FloatArray]) -> float:
    """Mean distance between runs of the same speech over their standard deviation.

    Args:
        runs: (M, columns) each, the same channels from another seed.

    Returns:
        About 1.3 for three independent Gaussian channels, 0 for equal runs.
    """
    count = min(map(len, runs))
    stack = np.stack([run[:count] for run in runs])
    spread = float(np.sqrt(stack.var(axis=1).sum(axis=1).mean()))
    pairs = itertools.combinations(stack, 2)
    distances = [float(np.linalg.norm(a - b, axis=1).mean()) for a, b in pairs]
    return float(np.mean(distances)) / spread if spread > 0 else float("nan")


def _peaks(curve: FloatArray) -> NDArray[np.int64]:
    inner = curve[1:-1]
    return np.flatnonzero((inner > curve[:-2]) & (inner >= curve[2:])) + 1


def beat_alignment(tracks: Sequence[MotionTrack], samples: Float32Array) -> float:
    """Tell whether the head's strokes fall on the beats of the voice.

    Each peak of the head's speed scores exp(-d^2 / (2 * 0.1^2)) by its distance d in seconds to
    the nearest beat, a peak of the smoothed loudness; the mean score stands against those of the
    head's motion shifted around the clip 100 times.

    Args:
        tracks: motion generated from the samples.
        samples: (n,) float32, 16 kHz.

    Returns:
        z: standard deviations by which the score exceeds that of the shifted motion.
    """
    envelope = gaussian_filter1d(speech_envelope(samples), _ENVELOPE_SMOOTH_STEPS)
    beats = _peaks(envelope)
    beats = beats[envelope[beats] > np.percentile(envelope, 60)] * STEP_SECS
    if not len(beats):
        return float("nan")
    scores, shifted = [], []
    for track in tracks:
        rotation = np.degrees(on_grid(track, track.head_rotation))
        speed = np.linalg.norm(np.gradient(rotation, axis=0), axis=1)
        strokes = _peaks(speed)
        strokes = strokes[speed[strokes] > np.median(speed)]
        secs, length = strokes / RATE_HZ, len(speed) / RATE_HZ
        shifts = np.linspace(0, length, _BEAT_SHIFTS + 2)[1:-1]

        def score(at: FloatArray) -> float:
            distance = np.abs(at[:, None] - beats[None]).min(axis=1)
            return float(np.exp(-(distance**2) / (2 * _BEAT_SECS**2)).mean())

        scores.append(score(secs))
        shifted.append([score((secs + shift) % length) for shift in shifts])
    null = np.mean(shifted, axis=0)
    return float((np.mean(scores) - null.mean()) / null.std())


def upper_face_sd(track: MotionTrack) -> float:
    """Root mean square over brows, cheeks and lower lids of their standard deviation in time."""
    return float(np.sqrt(on_grid(track, track.expression[:, UPPER_FACE]).var(axis=0).mean()))


def seam_ratio(track: MotionTrack, seam_nanos: int) -> float:
    """99th percentile of head and brow acceleration at block seams over that inside blocks.

    Args:
        track: of a rate that puts several frames into a block.
        seam_nanos: length of the generator's blocks, which begin at 0.
    """
    moving = np.concatenate(
        [np.degrees(track.head_rotation), 10 * track.expression[:, UPPER_FACE]], axis=1
    )
    acceleration = np.linalg.norm(np.diff(moving.astype(np.float64), n=2, axis=0), axis=1)
    step = int(np.median(np.diff(track.pts_nanos)))
    away = np.abs((track.pts_nanos[1:-1] + seam_nanos // 2) % seam_nanos - seam_nanos // 2)
    at_seam = away <= step // 2
    if at_seam.all() or not at_seam.any():
        return float("nan")
    inside = float(np.percentile(acceleration[~at_seam], 99))
    return float(np.percentile(acceleration[at_seam], 99)) / inside if inside else float("nan")


def blink_figures(track: MotionTrack) -> dict[str, float]:
    """Coefficient of variation of the blinks' intervals, and their whole length in ms."""
    closure = track.expression[:, _BLINK].astype(np.float64).mean(axis=1)
    secs = track.pts_nanos * 1e-9
    rest = float(np.median(closure))
    above = np.concatenate([[0], (closure > rest + _BLINK_LEVEL).astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(above) == 1), np.flatnonzero(np.diff(above) == -1)
    lengths = []
    for start, end in zip(starts, ends, strict=True):
        low, high = int(start), int(end) - 1
        while low > 0 and closure[low] > rest + 0.05:
            low -= 1
        while high < len(closure) - 1 and closure[high] > rest + 0.05:
            high += 1
        lengths.append(secs[high] - secs[low])
    gaps = np.diff(secs[starts])
    return {
        "blink_interval_cv": float(gaps.std() / gaps.mean()) if len(gaps) > 2 else float("nan"),
        "blink_length_ms": float(np.median(lengths)) * 1000 if lengths else float("nan"),
    }


def camera_gaze(track: MotionTrack) -> FloatArray:
    """Direction of sight in the camera frame, both eyes together; (N, 2) yaw, pitch, radians."""
    yaw, pitch = np.moveaxis(track.gaze.astype(np.float64), 2, 0)  # (N, eyes) each
    eyes = np.stack([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    sight = np.einsum(
        "nij,jn->ni", rotation_matrices(track.head_rotation.astype(np.float64)), eyes.mean(axis=2)
    )
    x, y, z = sight.T
    return np.stack([np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))], axis=1)


def gaze_error_deg(track: MotionTrack, wanted: tuple[float, float], from_secs: float) -> float:
    """Mean angle between sight and the asked direction, outside saccades and blinks, degrees.

    Args:
        track: motion under the gaze control.
        wanted: yaw, pitch in radians, camera frame.
        from_secs: time by which the gaze has arrived.
    """
    away = np.degrees(camera_gaze(track) - wanted)
    secs = track.pts_nanos * 1e-9
    speed = np.linalg.norm(np.gradient(away, secs, axis=0), axis=1)
    margin = round(_SACCADE_MARGIN_SECS * float(track.frame_rate))
    busy = (speed > _SACCADE_DEG_PER_SEC) | (track.expression[:, _BLINK].max(axis=1) > _BLINK_LEVEL)
    busy = np.convolve(busy, np.ones(2 * margin + 1), mode="same") > 0
    counted = ~busy & (secs >= from_secs)
    return float(np.linalg.norm(away[counted], axis=1).mean()) if counted.any() else float("nan")
