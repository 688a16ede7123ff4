"""How well a mouth fits speech whose phones are known.

The definitions follow what a viewer notices: lips that close on p b m and only there, the lower
lip on the teeth for f v, a jaw that opens with the vowels, no lag, and rest in pauses.

Convention: curves are sampled every 20 ms, row k at k * 20 ms; times are seconds from the start of
the clip; a negative lag means that the mouth is early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from avatar_service.motion.coarticulation import GRID_SECS, paint, viseme_grid
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.visemes import (
    BILABIALS,
    LABIODENTALS,
    NUM_VISEMES,
    SHAPES,
    UNKNOWN,
)
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Float32Array

STEP_SECS: Final = 0.02
TARGETS: Final[dict[str, str]] = {
    "jaw_r": ">= 0.82",
    "viseme_tolerant_accuracy": ">= 0.66",
    "viseme_f1": ">= 0.60",
    "bilabial_recall": ">= 0.85",
    "false_closures": "<= 0.25",
    "closed_elsewhere": "<= 0.03",
    "closure_ms_p5": ">= 60",
    "closure_ms_p95": "<= 160",
    "labiodental_recall": ">= 0.80",
    "aperture_lag_ms": "-40..+20",
    "pause_still_fraction": ">= 0.95",
    "stream_offline_max_diff": "<= 1e-4",
    "lve_mm": "<= 3",
    "mve_mm": "<= 1.5",
}
"""Goals on clean clips of speakers not heard in training."""

_CLOSED_SHARE: Final = 0.10
"""Lips count as closed under this share of the clip's 95th percentile of aperture."""
_EVENT_SLACK_SECS: Final = 0.04
_FALSE_SLACK_SECS: Final = 0.06
_CONTACT_ROLL: Final = 0.3
"""mouthRollLower from which the lower lip touches the upper teeth."""
_OPENNESS_SIGMA_SECS: Final = 0.035
_LAG_RANGE_SECS: Final = 0.2
_ENVELOPE_BAND_HZ: Final = (2.0, 10.0)
_PAUSE_SECS: Final = 0.3
_PAUSE_MARGIN_SECS: Final = 0.12
"""At a pause's ends the mouth may still settle and already prepare (JALI: onset and decay of a
viseme take about 120 ms; lips lead by 100 ms and more: Schwartz & Savariaux 2014)."""
_STILL_SHARE: Final = 0.10
_FINE_SECS: Final = 0.005
_STILL: Final = 1e-6
"""Standard deviation under which a curve does not move and correlates with nothing."""


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A mouth beside the speech it was made from.

    Attributes:
        phones: canonical phones of the reference, biases removed.
        samples: (n,) float32, 16 kHz mono.
        expression: (steps, 52) coefficients every 20 ms.
        aperture: (steps,) gap of the inner lips, from coefficients or from a rendered mesh, any
            unit.
        visemes: (steps,) int64 most probable viseme.
    """

    phones: Sequence[TimedPhone]
    samples: Float32Array
    expression: Float32Array
    aperture: Float32Array
    visemes: np.ndarray


@dataclass(slots=True)
class _Tally:
    hit: int = 0
    total: int = 0

    def add(self, is_hit: bool) -> None:
        self.hit += is_hit
        self.total += 1

    @property
    def share(self) -> float:
        return self.hit / self.total if self.total else float("nan")


def score_clips(clips: Sequence[ScoredClip]) -> dict[str, float]:
    """Compute the metrics over clips taken together; NaN where there is nothing to count.

    Returns:
        jaw_r, viseme_tolerant_accuracy, viseme_f1, bilabial_recall, bilabial_events,
        false_closures (share of the closures in speech that belong to no p b m f v or pause),
        closed_elsewhere (share of the time away from p b m f v and pauses with closed lips),
        closure_ms_median, closure_ms_p5, closure_ms_p95, labiodental_recall, aperture_lag_ms,
        aperture_envelope_r, jaw_lag_ms, pause_still_fraction, pauses.
    """
    bilabial, labiodental, false, still = _Tally(), _Tally(), _Tally(), _Tally()
    elsewhere = _Tally()
    durations: list[float] = []
    lags, strengths = [], []
    truth, guess, near = [], [], []
    jaws, openness = [], []
    for clip in clips:
        closures = _closures(clip.aperture)
        _score_bilabials(clip, closures, bilabial)
        _score_labiodentals(clip, labiodental)
        durations += _score_closures(clip, closures, false)
        _score_elsewhere(clip, closures, elsewhere)
        _score_pauses(clip, still)
        lag, strength = aperture_lag(clip.aperture, clip.samples)
        lags.append(lag)
        strengths.append(strength)
        labels = _labels(clip)
        truth.append(labels)
        guess.append(clip.visemes[: len(labels)])
        near.append(_matches_nearby(labels, guess[-1]))
        known = labels >= 0
        jaws.append(clip.expression[: len(labels), EXPRESSION_INDEX["jawOpen"]][known])
        openness.append(_openness(clip, len(labels))[known])
    jaw, wanted = np.concatenate(jaws), np.concatenate(openness)
    labels, said = np.concatenate(truth), np.concatenate(guess)
    speech = labels > 0
    percentiles = np.percentile(durations, (5, 50, 95)) if durations else [float("nan")] * 3
    return {
        "jaw_r": _pearson(jaw, wanted),
        "viseme_tolerant_accuracy": float(np.concatenate(near)[speech].mean()),
        "viseme_f1": macro_f1(labels, said),
        "bilabial_recall": bilabial.share,
        "bilabial_events": float(bilabial.total),
        "false_closures": false.share,
        "closed_elsewhere": elsewhere.share,
        "closure_ms_median": float(percentiles[1]),
        "closure_ms_p5": float(percentiles[0]),
        "closure_ms_p95": float(percentiles[2]),
        "labiodental_recall": labiodental.share,
        "aperture_lag_ms": float(np.median(lags)),
        "aperture_envelope_r": float(np.mean(strengths)),
        "jaw_lag_ms": _lag(jaw, wanted, STEP_SECS)[0],
        "pause_still_fraction": still.share,
        "pauses": float(still.total),
    }


def _labels(clip: ScoredClip) -> np.ndarray:
    """Reference viseme at each step that prediction and audio both cover."""
    secs = len(clip.samples) / 16000
    cells = viseme_grid(clip.phones, secs)
    stride = round(STEP_SECS / GRID_SECS)
    steps = min(len(clip.visemes), len(cells) // stride)
    return cells[::stride][:steps].astype(np.int64)


def _matches_nearby(labels: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Whether each guess equals the reference within one step."""
    before = np.concatenate([labels[:1], labels[:-1]])
    after = np.concatenate([labels[1:], labels[-1:]])
    return np.asarray((guess == labels) | (guess == before) | (guess == after))


def macro_f1(labels: np.ndarray, guess: np.ndarray) -> float:
    """Average the F1 of the visemes that occur more than five times; unknown steps left out."""
    known = labels >= 0
    labels, guess = labels[known], guess[known]
    scores = []
    for viseme in range(NUM_VISEMES):
        occurs = int((labels == viseme).sum())
        if occurs > 5:
            right = int(((labels == viseme) & (guess == viseme)).sum())
            scores.append(2 * right / (occurs + int((guess == viseme).sum())))
    return float(np.mean(scores)) if scores else float("nan")


def _openness(clip: ScoredClip, steps: int) -> Float32Array:
    """Reference jaw: each phone's openness, smoothed by a Gaussian of 35 ms."""
    num_cells = int(np.ceil(len(clip.samples) / 16000 / GRID_SECS))
    cells = paint(clip.phones, {name: s.jaw for name, s in SHAPES.items()}, num_cells)
    smooth = gaussian_filter1d(cells, _OPENNESS_SIGMA_SECS / GRID_SECS, mode="nearest")
    return np.asarray(smooth[:: round(STEP_SECS / GRID_SECS)][:steps], np.float32)


def _pearson(a: Float32Array, b: Float32Array) -> float:
    if len(a) < 2 or min(a.std(), b.std()) < _STILL:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _closures(aperture: Float32Array) -> list[tuple[float, float]]:
    """[start, end] seconds of each stretch with closed lips, on a 5 ms grid."""
    times = np.arange(0, (len(aperture) - 1) * STEP_SECS, _FINE_SECS)
    fine = np.interp(times, np.arange(len(aperture)) * STEP_SECS, aperture)
    closed = fine < _CLOSED_SHARE * np.percentile(aperture, 95)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed.astype(np.int8), [0]])))
    return [(a * _FINE_SECS, b * _FINE_SECS) for a, b in edges.reshape(-1, 2).tolist()]


def _overlaps(closure: tuple[float, float], phone: TimedPhone, slack: float) -> bool:
    return closure[0] <= phone.end_secs + slack and closure[1] >= phone.start_secs - slack


def _score_bilabials(clip: ScoredClip, closures: list[tuple[float, float]], tally: _Tally) -> None:
    for phone in clip.phones:
        if phone.symbol in BILABIALS:
            tally.add(any(_overlaps(c, phone, _EVENT_SLACK_SECS) for c in closures))


def _score_labiodentals(clip: ScoredClip, tally: _Tally) -> None:
    contact = clip.expression[:, EXPRESSION_INDEX["mouthRollLower"]] >= _CONTACT_ROLL
    for phone in clip.phones:
        if phone.symbol in LABIODENTALS:
            first = max(0, int(np.ceil((phone.start_secs - _EVENT_SLACK_SECS) / STEP_SECS)))
            last = int((phone.end_secs + _EVENT_SLACK_SECS) / STEP_SECS) + 1
            tally.add(bool(contact[first:last].any()))


def _silent(clip: ScoredClip) -> list[TimedPhone]:
    """Pauses, including what no phone covers and what is not known."""
    end = len(clip.samples) / 16000
    gaps, cursor = [], 0.0
    for phone in clip.phones:
        if phone.start_secs > cursor + 1e-3:
            gaps.append(TimedPhone(cursor, phone.start_secs, "SIL"))
        if phone.symbol in ("SIL", UNKNOWN):
            gaps.append(phone)
        cursor = max(cursor, phone.end_secs)
    if cursor < end:
        gaps.append(TimedPhone(cursor, end, "SIL"))
    return gaps


def _score_closures(
    clip: ScoredClip, closures: list[tuple[float, float]], false: _Tally
) -> list[float]:
    """Count false closures among those in speech; return milliseconds of the bilabial ones."""
    silences = _silent(clip)
    durations = []
    for closure in closures:
        if any(_overlaps(closure, silence, _FALSE_SLACK_SECS) for silence in silences):
            continue
        sealed, toothed = (
            any(
                phone.symbol in kind and _overlaps(closure, phone, _FALSE_SLACK_SECS)
                for phone in clip.phones
            )
            for kind in (BILABIALS, LABIODENTALS)
        )
        false.add(not (sealed or toothed))
        if sealed:
            durations.append((closure[1] - closure[0]) * 1000)
    return durations


def _score_elsewhere(clip: ScoredClip, closures: list[tuple[float, float]], tally: _Tally) -> None:
    """Count the moments away from p b m f v and pauses, and those of them with closed lips."""
    times = np.arange(0, (len(clip.aperture) - 1) * STEP_SECS, _FINE_SECS)
    closed, away = np.zeros(len(times), bool), np.ones(len(times), bool)
    for start, end in closures:
        closed |= (times >= start) & (times < end)
    lips = [p for p in clip.phones if p.symbol in BILABIALS or p.symbol in LABIODENTALS]
    for phone in (*lips, *_silent(clip)):
        away &= (times < phone.start_secs - _FALSE_SLACK_SECS) | (
            times > phone.end_secs + _FALSE_SLACK_SECS
        )
    tally.hit += int((closed & away).sum())
    tally.total += int(away.sum())


def _score_pauses(clip: ScoredClip, tally: _Tally) -> None:
    """Compare aperture movement inside long pauses with that in speech."""
    speed = np.abs(np.diff(clip.aperture)) / STEP_SECS
    in_pause = np.zeros(len(speed), bool)
    insides = []
    for silence in _silent(clip):
        first, last = (round(t / STEP_SECS) for t in (silence.start_secs, silence.end_secs))
        in_pause[first:last] = True
        margin = round(_PAUSE_MARGIN_SECS / STEP_SECS)
        is_long = silence.end_secs - silence.start_secs > _PAUSE_SECS
        if is_long and silence.symbol == "SIL" and last - margin <= len(speed):
            insides.append(speed[first + margin : last - margin])
    if (~in_pause).any():
        limit = _STILL_SHARE * float(np.sqrt(np.mean(speed[~in_pause] ** 2)))
        for inside in insides:
            if len(inside):
                tally.add(float(np.sqrt(np.mean(inside**2))) < limit)


def speech_envelope(samples: Float32Array) -> Float32Array:
    """Loudness every 20 ms: root mean square of the 20 ms around each step.

    Args:
        samples: (n,) float32, 16 kHz.

    Returns:
        (n // 320 + 1,) float32.
    """
    hop = round(STEP_SECS * 16000)
    padded = np.pad(samples, (hop // 2, hop + hop // 2))
    count = len(samples) // hop + 1
    frames = padded[: count * hop].reshape(count, hop)
    return np.asarray(np.sqrt(np.mean(frames**2, axis=1)), np.float32)


def aperture_lag(aperture: Float32Array, samples: Float32Array) -> tuple[float, float]:
    """Find the lag at which the aperture fits the 2-10 Hz envelope of the speech best.

    Args:
        aperture: (steps,) every 20 ms.
        samples: (n,) float32, 16 kHz.

    Returns:
        Milliseconds (negative = the mouth is early) and Pearson's r at that lag.
    """
    envelope = speech_envelope(samples)
    steps = min(len(envelope), len(aperture))
    band = butter(2, _ENVELOPE_BAND_HZ, "bandpass", fs=1 / STEP_SECS, output="sos")
    moved = sosfiltfilt(band, aperture[:steps])
    heard = sosfiltfilt(band, envelope[:steps])
    return _lag(moved, heard, STEP_SECS)


def _lag(moving: Float32Array, reference: Float32Array, step_secs: float) -> tuple[float, float]:
    """Lag in milliseconds of the best correlation (refined by a parabola), and that r."""
    reach = round(_LAG_RANGE_SECS / step_secs)
    scores = np.array(
        [
            _pearson(moving[shift:], reference[: len(reference) - shift])
            if shift >= 0
            else _pearson(moving[:shift], reference[-shift:])
            for shift in range(-reach, reach + 1)
        ]
    )
    if not np.isfinite(scores).all():
        return float("nan"), float("nan")
    best = int(np.argmax(scores))
    offset = 0.0
    if 0 < best < len(scores) - 1:
        left, middle, right = scores[best - 1 : best + 2]
        bend = left - 2 * middle + right
        offset = 0.5 * float(left - right) / float(bend) if bend < 0 else 0.0
    return (best - reach + offset) * step_secs * 1000, float(scores[best])
