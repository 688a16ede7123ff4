import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_service.motion.controls import ControlSchedule, EasedControls
from avatar_service.motion.gaze import EYE_X, Gaze, eyes_from_aim
from avatar_service.motion.lips import eye_look
from avatar_service.motion.rhythm import Beat
from avatar_service.schema import CAMERA_DISTANCE_UNITS
from avatar_service.signals import Controls

pytestmark = pytest.mark.unit

REST = 1 / CAMERA_DISTANCE_UNITS
SILENCE = Beat()
SPEECH = replace(SILENCE, speaking=1.0, loudness=0.5, pause_secs=0.0)
angle = st.floats(-0.3, 0.3)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    cy, sy = math.cos(yaw), math.sin(yaw)
    cx, sx = math.cos(pitch), math.sin(pitch)
    cz, sz = math.cos(roll), math.sin(roll)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return ry @ rx @ rz


def direction(yaw: float, pitch: float) -> np.ndarray:
    return rotation(yaw, pitch, 0.0) @ np.array([0.0, 0.0, 1.0])


def eased(controls: Controls) -> EasedControls:
    return ControlSchedule(controls).step(0)


def settle(controls: Controls, ticks: int = 40, beat: Beat = SILENCE, seed: int = 1) -> Gaze:
    gaze = Gaze(seed)
    for i in range(ticks):
        gaze.step(i * 0.04, beat, SILENCE, eased(controls), (0.0, 0.0, 0.0))
    return gaze


def test_rest_is_both_eyes_on_the_camera() -> None:
    np.testing.assert_allclose(eyes_from_aim((0.0, 0.0, REST), (0.0, 0.0, 0.0)), 0, atol=1e-7)


def test_signs_of_gaze_in_the_head_frame() -> None:
    left_down = eyes_from_aim((0.2, 0.1, REST), (0.0, 0.0, 0.0))
    assert (left_down[:, 0] > 0.15).all()  # + yaw: towards the subject's left
    assert (left_down[:, 1] > 0.08).all()  # + pitch: down


def test_eyes_counter_rotate_when_the_head_turns() -> None:
    turned = eyes_from_aim((0.0, 0.0, REST), (0.2, 0.0, 0.0))
    np.testing.assert_allclose(turned[:, 0], -0.2, atol=0.01)
    nodded = eyes_from_aim((0.0, 0.0, REST), (0.0, 0.15, 0.0))
    np.testing.assert_allclose(nodded[:, 1], -0.15, atol=0.01)


@given(yaw=angle, pitch=angle, head_yaw=angle, head_pitch=angle, roll=angle)
def test_head_and_eyes_together_reach_the_aim(
    yaw: float, pitch: float, head_yaw: float, head_pitch: float, roll: float
) -> None:
    # Within 70 % of the eyes' range, where nothing is limited.
    head = (head_yaw * 0.4, head_pitch * 0.4, roll)
    eyes = eyes_from_aim((yaw * 0.5, pitch * 0.5, REST), head)
    mean = eyes.mean(axis=0)
    world = rotation(*head) @ direction(float(mean[0]), float(mean[1]))
    error = math.degrees(math.acos(min(1.0, world @ direction(yaw * 0.5, pitch * 0.5))))
    assert error < 0.5


def test_near_point_makes_the_eyes_converge() -> None:
    near = eyes_from_aim((0.0, 0.0, 1 / 3), (0.0, 0.0, 0.0))
    expected = math.atan(EYE_X / 3) - math.atan(EYE_X / CAMERA_DISTANCE_UNITS)
    np.testing.assert_allclose(near[:, 0], [-expected, expected], atol=1e-6)
    far = eyes_from_aim((0.0, 0.0, 1e-4), (0.0, 0.0, 0.0))
    assert far[0, 0] > 0 > far[1, 0]


def test_eye_look_follows_the_signs_of_gaze() -> None:
    # Left eye right-down (inwards), right eye left-up (inwards).
    look = eye_look(np.array([[-0.3, 0.2], [0.15, -0.1]], np.float32))
    down_l, in_l, out_l, up_l, down_r, in_r, out_r, up_r = look
    np.testing.assert_allclose([in_l, in_r], [0.5, 0.25], atol=1e-6)
    np.testing.assert_allclose([down_l, up_r], [0.2 / 0.45, 0.1 / 0.45], atol=1e-6)
    assert (out_l, up_l, down_r, out_r) == (0, 0, 0, 0)


def test_look_at_point_is_met_from_a_moved_head() -> None:
    point = (2.0, -1.0, 6.0)
    gaze = Gaze(0)
    position = (0.3, -0.2, 1.0)
    for i in range(30):
        gaze.step(i * 0.04, SILENCE, SILENCE, eased(Controls(look_at=point, idle=0.0)), position)
    yaw, pitch, nearness = gaze.aim(30 * 0.04)
    to_point = np.subtract(point, position)
    distance = np.linalg.norm(to_point)
    cosine = direction(yaw, pitch) @ to_point / distance
    assert math.degrees(math.acos(min(1.0, cosine))) < 0.1
    assert nearness == pytest.approx(1 / distance, rel=1e-6)


def test_large_change_is_a_saccade_with_the_main_sequence_duration() -> None:
    gaze = Gaze(0)
    still = Controls(gaze=(0.0, 0.0), idle=0.0)
    for i in range(10):
        gaze.step(i * 0.04, SILENCE, SILENCE, eased(still), (0.0, 0.0, 0.0))
    target = math.radians(20)
    aims = []
    for i in range(10, 16):
        aside = Controls(gaze=(target, 0.0), idle=0.0)
        gaze.step(i * 0.04, SILENCE, SILENCE, eased(aside), (0.0, 0.0, 0.0))
        if i == 10:
            assert gaze.shift_deg == pytest.approx(20, abs=0.5)
        aims += [gaze.aim(i * 0.04 + j * 0.004)[0] for j in range(10)]
    start = next(i for i, yaw in enumerate(aims) if yaw > 0.01 * target)
    end = next(i for i, yaw in enumerate(aims) if yaw > 0.99 * target)
    assert (np.diff(aims) > -1e-9).all()
    assert 0.03 < (end - start) * 0.004 < 0.073  # 25 ms + 2.4 ms per degree in all
    assert aims[0] == pytest.approx(0.0, abs=1e-3)


def test_slow_change_is_followed_without_saccades() -> None:
    gaze = Gaze(0)
    for i in range(50):
        yaw = 0.004 * i
        gaze.step(
            i * 0.04, SILENCE, SILENCE, eased(Controls(gaze=(yaw, 0.0), idle=0.0)), (0.0, 0.0, 0.0)
        )
        assert gaze.shift_deg == 0.0
        assert gaze.aim(i * 0.04 + 0.04)[0] == pytest.approx(yaw, abs=1e-6)


def test_head_takes_over_part_of_a_large_gaze_only() -> None:
    assert settle(Controls(gaze=(0.08, 0.0), idle=0.0)).follow == (0.0, 0.0)
    far = settle(Controls(gaze=(0.6, 0.3), idle=0.0)).follow
    assert 0.2 < far[0] < 0.4
    assert 0.05 < far[1] < 0.25
    back = settle(Controls(gaze=(-0.6, -0.3), idle=0.0)).follow
    np.testing.assert_allclose(back, [-far[0], -far[1]])


def test_free_gaze_glances_away_a_few_times_a_minute_and_comes_back() -> None:
    gaze = Gaze(3)
    shifts, aside = [], []
    for i in range(25 * 60 * 5):
        beat = SPEECH
        if i % 75 == 0:  # phrases of 3 s with short pauses, now and then a long one
            beat = replace(SPEECH, resumed_secs=0.8 if i % 300 == 0 else 0.3)
        elif i % 75 == 65:
            beat = replace(SPEECH, is_break=True)
        gaze.step(i * 0.04, beat, SILENCE, eased(Controls()), (0.0, 0.0, 0.0))
        shifts.append(gaze.shift_deg)
        aside.append(math.degrees(math.hypot(*gaze.aim(i * 0.04 + 0.04)[:2])))
    per_minute = np.sum(np.array(shifts) > 3) / 5
    assert 8 <= per_minute <= 22
    assert 0.7 < np.mean(np.array(aside) < 4) < 0.85  # the eyes on whom they talk to


def glances(beat: Beat, seeds: int = 60) -> int:
    """How many of so many lives look aside within half a second of a beat in steady speech."""
    found = 0
    for seed in range(seeds):
        gaze, shifts = Gaze(seed), []
        for i in range(20):
            now = beat if i == 5 else SPEECH
            gaze.step(i * 0.04, now, SILENCE, eased(Controls()), (0.0, 0.0, 0.0))
            shifts.append(gaze.shift_deg)
        found += max(shifts[5:]) > 3
    return found


def test_people_look_aside_as_they_begin_to_speak_but_not_when_they_greet() -> None:
    assert 20 <= glances(replace(SPEECH, resumed_secs=1.0)) <= 45
    assert glances(replace(SPEECH, resumed_secs=100.0)) <= 3  # one that began before it


def test_after_a_greeting_the_eyes_stay_for_a_while() -> None:
    for seed in range(30):
        gaze = Gaze(seed)
        for i in range(49):
            beat = replace(SPEECH, resumed_secs=100.0) if i == 0 else SPEECH
            gaze.step(i * 0.04, beat, SILENCE, eased(Controls()), (0.0, 0.0, 0.0))
            assert math.degrees(math.hypot(*gaze.offset)) < 4


def test_listeners_look_at_whom_they_hear() -> None:
    aside = []
    for seed in range(4):
        gaze = Gaze(seed)
        for i in range(25 * 60):
            gaze.step(i * 0.04, SILENCE, SPEECH, eased(Controls()), (0.0, 0.0, 0.0))
            aside.append(math.degrees(math.hypot(*gaze.offset)))
    assert 0.75 < np.mean(np.array(aside) < 4) < 0.95


def test_a_phrase_end_brings_the_eyes_back() -> None:
    looked_back = 0
    for seed in range(200):
        gaze, yaws = Gaze(seed), []
        for i in range(16):
            beat = replace(SPEECH, resumed_secs=1.0 if i == 5 else 0.0, is_phrase_end=i == 10)
            gaze.step(i * 0.04, beat, SILENCE, eased(Controls()), (0.0, 0.0, 0.0))
            yaws.append(np.degrees(np.hypot(*gaze.aim(i * 0.04 + 0.04)[:2])))
        if yaws[9] > 4:
            looked_back += 1
            assert yaws[-1] < 4
    assert looked_back > 10


def test_controlled_gaze_stays_within_half_a_degree() -> None:
    gaze = Gaze(3)
    for i in range(25 * 60):
        gaze.step(i * 0.04, SPEECH, SILENCE, eased(Controls(gaze=(0.2, -0.1))), (0.0, 0.0, 0.0))
        if i > 3:
            yaw, pitch, _ = gaze.aim(i * 0.04 + 0.02)
            assert math.degrees(math.hypot(yaw - 0.2, pitch + 0.1)) < 1.8
