from dataclasses import replace

import numpy as np
import pytest

from avatar_service.motion.blink import Blink, Blinks
from avatar_service.motion.rhythm import Beat

pytestmark = pytest.mark.unit

SILENCE = Beat()
SPEECH = replace(SILENCE, speaking=1.0, pause_secs=0.0)


def closures(
    minutes: float, *, beat: Beat = SPEECH, rate: float = 1.0, seed: int = 0, shift: float = 0.0
) -> np.ndarray:
    blinks = Blinks(seed)
    values = []
    for i in range(round(minutes * 60 * 25)):
        blinks.step(i * 0.04, beat, SILENCE, rate, shift)
        values += [blinks.closure(i * 0.04 + j * 0.01)[0] for j in range(4)]
    return np.array(values)


def count(values: np.ndarray) -> int:
    return int(np.sum((values[1:] > 0.3) & (values[:-1] <= 0.3)))


def test_rate_in_speech_and_at_rest() -> None:
    assert 24 <= count(closures(10)) / 10 <= 38
    assert 11 <= count(closures(10, beat=SILENCE)) / 10 <= 22


def test_rate_control_scales_and_stops() -> None:
    assert count(closures(3, rate=0.0)) == 0
    base, double = count(closures(6)), count(closures(6, rate=2.0))
    assert 1.5 < double / base < 2.4


def test_closing_is_faster_than_opening() -> None:
    blink = Blink(0.0, 1.0, 0.085, 0.02, 0.18, 0.0)
    time = np.arange(0, 0.4, 0.001)
    closure = np.array([blink.closure(t, 0) for t in time])
    assert closure.max() == 1.0
    up = np.sum((closure > 0.1) & (closure < 0.9) & (time < 0.09))
    down = np.sum((closure > 0.1) & (closure < 0.9) & (time > 0.09))
    assert up < 0.6 * down
    width = np.sum(closure > 0.5)
    assert 110 <= width <= 180
    assert np.abs(np.diff(closure)).max() < 0.03


def test_some_blinks_are_partial() -> None:
    values = closures(10)
    peaks = values[1:-1][
        (values[1:-1] >= values[:-2]) & (values[1:-1] > values[2:]) & (values[1:-1] > 0.3)
    ]
    assert 0.08 < np.mean(peaks < 0.85) < 0.4
    assert peaks.min() > 0.45


def test_intervals_vary_like_a_log_normal() -> None:
    values = closures(20)
    starts = np.flatnonzero((values[1:] > 0.3) & (values[:-1] <= 0.3)) * 0.01
    intervals = np.diff(starts)
    assert 0.45 < intervals.std() / intervals.mean() < 0.95


def test_large_gaze_shifts_bring_blinks() -> None:
    blinks, with_shift = Blinks(0), 0
    for i in range(25 * 120):
        shift = 20.0 if i % 50 == 0 else 0.0
        blinks.step(i * 0.04, SILENCE, SILENCE, 1.0, shift)
        if i % 50 == 0:
            with_shift += blinks.closure(i * 0.04 + 0.04)[0] > 0.01
    assert with_shift > 15  # of 60


def test_both_lids_close_together() -> None:
    blinks = Blinks(0)
    for i in range(25 * 30):
        blinks.step(i * 0.04, SPEECH, SILENCE, 1.0, 0.0)
        left, right = blinks.closure(i * 0.04 + 0.02)
        assert abs(left - right) < 0.12


def test_equal_seeds_are_equal_and_others_differ() -> None:
    np.testing.assert_array_equal(closures(1, seed=5), closures(1, seed=5))
    assert not np.array_equal(closures(1, seed=5), closures(1, seed=6))


def test_breaks_of_speech_bring_blinks_within_half_a_second() -> None:
    blinks, found, num_breaks = Blinks(0), 0, 0
    for i in range(25 * 240):
        is_break = i % 100 == 50
        beat = replace(SPEECH, is_break=is_break)
        blinks.step(i * 0.04, beat, SILENCE, 1.0, 0.0)
        if is_break:
            num_breaks += 1
            found += any(0 <= start - i * 0.04 <= 0.4 for start in blinks.starts_secs)
    assert 0.3 < found / num_breaks < 0.65


def test_no_blink_at_a_break_where_none_are_asked_for() -> None:
    blinks = Blinks(0)
    for i in range(25 * 60):
        blinks.step(i * 0.04, replace(SPEECH, is_break=True), SILENCE, 0.0, 0.0)
        assert not blinks.starts_secs
