from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fakes.voice import fake_voice

from avatar_service.motion.life_meaning import _events, meaning_figures
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX

pytestmark = pytest.mark.unit

VOICE = fake_voice(30.0)
EMPHASES, BREAKS = _events(VOICE)
COUNT = 750


def still() -> MotionTrack:
    return MotionTrack(
        pts_nanos=np.arange(COUNT, dtype=np.int64) * 40_000_000,
        expression=np.zeros((COUNT, 52), np.float32),
        head_rotation=np.zeros((COUNT, 3), np.float32),
        head_translation=np.zeros((COUNT, 3), np.float32),
        gaze=np.zeros((COUNT, 2, 2), np.float32),
        speech=np.zeros(COUNT, np.float32),
        emotion=np.zeros((COUNT, 8), np.float32),
        frame_rate=Fraction(25),
    )


def bumps(ticks: list[int]) -> np.ndarray:
    time = np.arange(COUNT)
    return np.sum([np.exp(-(((time - tick - 4) / 4.0) ** 2)) for tick in ticks], axis=0)


def raising(ticks: list[int]) -> MotionTrack:
    track = still()
    for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"):
        track.expression[:, EXPRESSION_INDEX[name]] = 0.4 * bumps(ticks)
    return track


def test_a_still_face_means_nothing_and_looks_at_the_viewer() -> None:
    figures = meaning_figures(still(), VOICE)
    assert figures["brow_at_emphasis"] == 0
    assert figures["chin_fall_deg"] == 0
    assert np.isnan(figures["blinks_at_breaks"])
    assert figures["eye_contact"] == 1


def test_brows_that_meet_the_emphases_count_and_others_do_not() -> None:
    random = np.random.default_rng(0).integers(20, COUNT - 20, len(EMPHASES)).tolist()
    assert meaning_figures(raising(EMPHASES), VOICE)["brow_at_emphasis"] > 0.12
    assert abs(meaning_figures(raising(random), VOICE)["brow_at_emphasis"]) < 0.08


def test_a_chin_that_sinks_at_breaks_is_measured_in_degrees() -> None:
    track = still()
    pitch = np.zeros(COUNT)
    pitch[BREAKS] = 3.0
    pitch[EMPHASES] = -1.0
    track.head_rotation[:, 1] = np.radians(pitch)
    assert meaning_figures(track, VOICE)["chin_fall_deg"] == pytest.approx(4.0, abs=0.1)


def test_blinks_after_breaks_are_counted_against_the_others() -> None:
    def with_blinks(ticks: list[int]) -> MotionTrack:
        track = still()
        for tick in ticks:
            track.expression[tick : tick + 4, EXPRESSION_INDEX["eyeBlinkLeft"]] = 1
            track.expression[tick : tick + 4, EXPRESSION_INDEX["eyeBlinkRight"]] = 1
        return track

    at_breaks = with_blinks([tick + 5 for tick in BREAKS])
    assert meaning_figures(at_breaks, VOICE)["blinks_at_breaks"] > 1.5
    before = with_blinks([tick - 8 for tick in BREAKS])
    assert meaning_figures(before, VOICE)["blinks_at_breaks"] < 0.7


def test_eyes_aside_are_no_contact() -> None:
    track = still()
    track.gaze[: COUNT // 4, :, 0] = 0.15
    assert meaning_figures(track, VOICE)["eye_contact"] == pytest.approx(0.75, abs=0.01)
    turned = replace(track, gaze=np.zeros_like(track.gaze))
    turned.head_rotation[:, 0] = 0.15
    assert meaning_figures(turned, VOICE)["eye_contact"] == 0
