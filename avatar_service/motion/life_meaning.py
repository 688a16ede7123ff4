"""What life has to do with the sentence: figures around emphasis and breaks of the voice.

All compare the moments of an event with the whole track, so that a face that merely moves a lot, or
that sways without listening, scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from avatar_service.audio.prosody import Prosody
from avatar_service.motion.easing import FloatArray
from avatar_service.motion.life_figures import at_25_hz, head_degrees
from avatar_service.motion.life_metrics import camera_gaze
from avatar_service.motion.rhythm import Rhythm
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Float32Array

_BROWS: Final = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
_BLINKS: Final = ("eyeBlinkLeft", "eyeBlinkRight")
_BLINK_LEVEL: Final = 0.35
_BEFORE_TICKS: Final = 8
"""A gesture of a person begins up to this long before the peak of the syllable it goes with."""
_AFTER_TICKS: Final = 14
_BREAK_TICKS: Final = 25
_CONTACT_DEG: Final = 4.0


def meaning_figures(track: MotionTrack, samples: Float32Array) -> dict[str, float]:
    """Measure how a track's gestures fall on its voice.

    Args:
        track: motion of the voice, from its time 0 on.
        samples: (n,) float32, 16 kHz.

    Returns:
        brow_at_emphasis: rise of the brows around an emphasis, less that around any moment;
        chin_fall_deg: pitch at breaks less that at emphases, degrees, + where the chin sinks;
        blinks_at_breaks: rate of blinks in the second after a break over the mean rate;
        eye_contact: see there.
        NaN where the voice has fewer than two such events.
    """
    emphases, breaks = _events(samples)
    brows = at_25_hz(track, _columns(track, _BROWS)).mean(axis=1)
    pitch = head_degrees(track)[:, 1]
    lids = at_25_hz(track, _columns(track, _BLINKS)).mean(axis=1)
    closing = (lids[1:] > _BLINK_LEVEL) & (lids[:-1] <= _BLINK_LEVEL)
    lifts = np.array([_lift(brows, i) for i in range(len(brows))])
    return {
        "brow_at_emphasis": _mean(lifts, emphases) - float(np.nanmean(lifts)),
        "chin_fall_deg": _mean(pitch, breaks) - _mean(pitch, emphases),
        "blinks_at_breaks": _blinks_after(closing.astype(np.float64), breaks),
        "eye_contact": eye_contact(track),
    }


def eye_contact(track: MotionTrack) -> float:
    """Share of time with the eyes within 4 degrees of the camera, 0..1."""
    sight = np.degrees(np.hypot(*camera_gaze(track).T))
    return float(np.mean(sight < _CONTACT_DEG))


def _events(samples: Float32Array) -> tuple[list[int], list[int]]:
    """Ticks of emphasis, and of breaks."""
    hops, rhythm = Prosody().push_hops(samples), Rhythm()
    beats = [rhythm.step(hops[i : i + 2]) for i in range(0, len(hops) - 1, 2)]
    emphases = [i for i, beat in enumerate(beats) if beat.emphasis > 0]
    return emphases, [i for i, beat in enumerate(beats) if beat.is_break]


def _columns(track: MotionTrack, names: Sequence[str]) -> FloatArray:
    return track.expression[:, [EXPRESSION_INDEX[name] for name in names]].astype(np.float64)


def _lift(brows: FloatArray, tick: int) -> float:
    """How far the brows are at their highest around a tick above their lowest before that."""
    window = brows[max(0, tick - _BEFORE_TICKS) : tick + _AFTER_TICKS]
    top = int(np.argmax(window))
    return float(window[top] - window[: top + 1].min())


def _mean(values: FloatArray, ticks: Sequence[int]) -> float:
    known = [tick for tick in ticks if tick < len(values)]
    return float(values[known].mean()) if len(known) > 1 else math.nan


def _blinks_after(closing: FloatArray, breaks: Sequence[int]) -> float:
    rates = [
        closing[i : i + _BREAK_TICKS].mean() for i in breaks if i + _BREAK_TICKS <= len(closing)
    ]
    if len(rates) < 2 or not closing.any():
        return math.nan
    return float(np.mean(rates) / closing.mean())
