"""The metrics on mouths whose scores are known: perfect, frozen, late, chattering."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_service.motion.articulation import phone_articulators
from avatar_service.motion.coarticulation import viseme_grid
from avatar_service.motion.lip_shapes import aperture, lip_shapes
from avatar_service.motion.metrics import ScoredClip, aperture_lag, macro_f1, score_clips
from avatar_service.motion.phones import TimedPhone
from avatar_service.signals import Float32Array

pytestmark = pytest.mark.unit

_WORD = "SIL M AA P IY SIL F UW S AO B AE V EH N AA M SIL K AA T IY P UH SIL"
_RATE = 16000


def phones() -> list[TimedPhone]:
    timeline, start = [], 0.0
    for _ in range(3):
        for symbol in _WORD.split():
            secs = 0.45 if symbol == "SIL" else 0.13 if symbol in "AA IY UW AO AE EH UH" else 0.09
            timeline.append(TimedPhone(start, start + secs, symbol))
            start += secs
    return timeline


def sound(timeline: list[TimedPhone]) -> Float32Array:
    """Noise as loud as the jaw is open."""
    count = int(timeline[-1].end_secs * _RATE)
    times = np.arange(count, dtype=np.float32) / _RATE
    jaw = phone_articulators(timeline, "arpabet", times)[:, 0]
    return (np.random.default_rng(0).normal(0, 0.3, count) * jaw).astype(np.float32)


def clip(delay_secs: float = 0.0, *, chatter: bool = False, frozen: bool = False) -> ScoredClip:
    timeline = phones()
    samples = sound(timeline)
    times = np.arange(len(samples) // 320, dtype=np.float32) * 0.02
    articulators = phone_articulators(timeline, "arpabet", times - np.float32(delay_secs))
    if chatter:
        articulators[::10, 1] = 1.0
    if frozen:
        articulators[:] = articulators.mean(axis=0)
    expression = lip_shapes(articulators)
    grid = viseme_grid(timeline, timeline[-1].end_secs + 1)
    cells = np.clip(((times - delay_secs) / 0.005).astype(int), 0, len(grid) - 1)
    visemes = grid[cells].astype(np.int64)
    gap = aperture(expression)
    return ScoredClip(timeline, samples, expression, gap, visemes)


def test_the_mouth_of_the_phones_themselves_is_near_perfect() -> None:
    figures = score_clips([clip()])
    assert figures["jaw_r"] > 0.9
    assert figures["viseme_tolerant_accuracy"] == 1.0
    assert figures["viseme_f1"] > 0.98
    assert figures["bilabial_recall"] == 1.0
    assert figures["labiodental_recall"] == 1.0
    assert figures["false_closures"] == 0.0
    assert figures["closed_elsewhere"] == 0.0
    assert 40 <= figures["closure_ms_median"] <= 160
    assert figures["pause_still_fraction"] == 1.0
    assert abs(figures["jaw_lag_ms"]) < 10


def test_a_frozen_mouth_closes_never() -> None:
    figures = score_clips([clip(frozen=True)])
    assert figures["bilabial_recall"] == 0.0
    assert not figures["jaw_r"] > 0.1


def test_a_chattering_mouth_has_false_closures() -> None:
    figures = score_clips([clip(chatter=True)])
    assert figures["false_closures"] > 0.3
    assert 0.02 < figures["closed_elsewhere"] < 0.3


@pytest.mark.parametrize("delay_ms", [-60, 60, 120])
def test_a_late_mouth_has_a_positive_lag(delay_ms: int) -> None:
    late, on_time = score_clips([clip(delay_ms / 1000)]), score_clips([clip()])
    assert late["jaw_lag_ms"] - on_time["jaw_lag_ms"] == pytest.approx(delay_ms, abs=8)
    assert late["aperture_lag_ms"] - on_time["aperture_lag_ms"] == pytest.approx(delay_ms, abs=15)


def test_a_mouth_that_moves_in_pauses_is_not_still() -> None:
    restless = clip()
    gap = restless.aperture + 0.2 * np.random.default_rng(1).random(len(restless.aperture))
    moved = ScoredClip(
        restless.phones,
        restless.samples,
        restless.expression,
        gap.astype(np.float32),
        restless.visemes,
    )
    assert score_clips([moved])["pause_still_fraction"] < 0.2


def test_one_step_off_is_tolerated_two_are_not() -> None:
    assert score_clips([clip(0.02)])["viseme_tolerant_accuracy"] > 0.98
    assert score_clips([clip(0.06)])["viseme_tolerant_accuracy"] < 0.9


def test_unknown_labels_do_not_count() -> None:
    labels = np.array([-1] * 10 + [1] * 10 + [2] * 10)
    guess = np.array([5] * 10 + [1] * 10 + [1] * 10)
    assert macro_f1(labels, guess) == pytest.approx((2 * 10 / 30 + 0) / 2)


def test_a_still_mouth_has_no_lag() -> None:
    lag, strength = aperture_lag(np.zeros(200, np.float32), sound(phones())[:64000])
    assert np.isnan(lag)
    assert np.isnan(strength)
