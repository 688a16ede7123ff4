from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.motion.emotion import EMOTION_FACE
from avatar_service.motion.life import LifeSample
from avatar_service.motion.lips import LipTrack, compose
from avatar_service.schema import EMOTION_NAMES, EXPRESSION_INDEX, EXPRESSION_NAMES, NUM_EXPRESSIONS

pytestmark = pytest.mark.unit

I = EXPRESSION_INDEX  # noqa: E741
STEP = 20_000_000
STILL = LifeSample(
    head=np.zeros(6),
    gaze=np.zeros((2, 2), np.float32),
    lids=(0.0, 0.0),
    emotion_face=np.zeros(NUM_EXPRESSIONS),
    brows_face=np.zeros(NUM_EXPRESSIONS),
    emotion=np.zeros(8),
    jaw_gain=1.0,
    lip_gain=1.0,
    speech=0.0,
    talking=0.0,
)


def lips(**shapes: float) -> np.ndarray:
    values = np.zeros(NUM_EXPRESSIONS)
    for name, weight in shapes.items():
        values[I[name]] = weight
    return values


def feeling(name: str, **changes: object) -> LifeSample:
    face = EMOTION_FACE[EMOTION_NAMES.index(name)].copy()
    return replace(STILL, emotion_face=face, **changes)  # type: ignore[arg-type]


def ramp_track(values: list[float]) -> LipTrack:
    track = LipTrack()
    track.start(0)
    for value in values:
        track.append(lips(jawOpen=value).astype(np.float32))
    return track


def test_track_meets_its_steps_and_is_smooth_between() -> None:
    values = [0.0, 0.1, 0.4, 0.5, 0.2, 0.0, 0.0]
    track = ramp_track(values)
    assert track.end_pts_nanos == 6 * STEP
    at = [track.at(i * STEP // 20)[I["jawOpen"]] for i in range(6 * 20 + 1)]
    np.testing.assert_allclose(at[::20], values, atol=1e-6)
    slope = np.diff(at)
    assert np.abs(np.diff(slope)).max() < 0.25 * np.abs(slope).max()  # no corners


def test_long_tracks_keep_their_time() -> None:
    track = LipTrack()
    track.start(40_000_000)
    for i in range(500):
        track.append(lips(jawOpen=i / 500).astype(np.float32))
        assert track.end_pts_nanos == 40_000_000 + i * STEP
        assert track.at(track.end_pts_nanos)[I["jawOpen"]] == pytest.approx(i / 500, abs=1e-6)


def test_release_eases_from_the_old_mouth_into_the_new_track() -> None:
    track = ramp_track([0.0, 0.2, 0.4, 0.5, 0.5])
    cut = 3 * STEP + 7_000_000
    before = track.at(cut)[I["jawOpen"]]
    track.release(cut, cut)
    for _ in range(12):
        track.append(np.zeros(NUM_EXPRESSIONS, np.float32))
    after = [track.at(cut + i * 5_000_000)[I["jawOpen"]] for i in range(30)]
    assert after[0] == pytest.approx(before, abs=1e-6)
    assert np.abs(np.diff(after)).max() < 0.06
    assert max(after[20:]) < 1e-6  # 100 ms


def test_plain_lips_pass_unchanged() -> None:
    mouth = lips(jawOpen=0.3, mouthPucker=0.5, mouthUpperUpLeft=0.1)
    np.testing.assert_allclose(compose(mouth, STILL), mouth, atol=1e-7)


def test_style_gains_act_on_jaw_and_lips_apart() -> None:
    face = compose(lips(jawOpen=0.3, mouthPucker=0.4), replace(STILL, jaw_gain=0.5, lip_gain=1.1))
    assert face[I["jawOpen"]] == pytest.approx(0.15)
    assert face[I["mouthPucker"]] == pytest.approx(0.44)


def test_smile_and_rounding_give_way_to_each_other() -> None:
    rounded = lips(mouthPucker=0.8)
    alone = compose(lips(), feeling("happy"))[I["mouthSmileLeft"]]
    together = compose(rounded, feeling("happy"))
    assert together[I["mouthSmileLeft"]] < 0.6 * alone
    assert 0.55 < together[I["mouthPucker"]] < 0.8


@pytest.mark.parametrize("name", ["surprised", "disgusted", "afraid", "happy"])
def test_closures_close_in_any_mood(name: str) -> None:
    closed = lips(mouthClose=0.3, mouthPressLeft=0.5, mouthPressRight=0.5, mouthRollLower=0.7)
    face = compose(closed, feeling(name))
    for opening in ("jawOpen", "mouthUpperUpLeft", "mouthLowerDownLeft"):
        assert face[I[opening]] < 0.01


def test_emotion_steps_back_from_the_mouth_while_speaking() -> None:
    silent = compose(lips(), feeling("happy"))
    speaking = compose(lips(), feeling("happy", talking=1.0))
    assert speaking[I["mouthSmileLeft"]] == pytest.approx(0.6 * silent[I["mouthSmileLeft"]])
    assert speaking[I["cheekSquintLeft"]] == silent[I["cheekSquintLeft"]]


def test_an_angry_mouth_presses_only_closed_lips() -> None:
    assert compose(lips(), feeling("angry"))[I["mouthPressLeft"]] > 0.3
    assert compose(lips(jawOpen=0.2), feeling("angry"))[I["mouthPressLeft"]] == 0


def test_blink_closes_fully_from_any_resting_lid_and_narrows_wide_eyes() -> None:
    face = compose(lips(), feeling("sad", lids=(1.0, 0.5)))
    assert face[I["eyeBlinkLeft"]] == pytest.approx(1.0)
    assert 0.5 < face[I["eyeBlinkRight"]] < 0.7
    wide = compose(lips(), feeling("surprised", lids=(1.0, 0.0)))
    assert wide[I["eyeWideLeft"]] == 0.0
    assert wide[I["eyeWideRight"]] > 0.5


def test_lids_follow_vertical_gaze() -> None:
    down = compose(lips(), replace(STILL, gaze=np.full((2, 2), [0.0, 0.3], np.float32)))
    up = compose(lips(), replace(STILL, gaze=np.full((2, 2), [0.0, -0.3], np.float32)))
    assert down[I["eyeLookDownLeft"]] == pytest.approx(0.3 / 0.45)
    assert down[I["eyeBlinkLeft"]] > 0.1
    assert up[I["eyeLookUpRight"]] == pytest.approx(0.3 / 0.45)
    assert up[I["eyeBlinkLeft"]] == 0.0
    assert up[I["eyeWideRight"]] > 0.1


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 1.25), min_size=52, max_size=52),
    st.lists(st.floats(-0.2, 1.5), min_size=52, max_size=52),
    st.floats(0, 1),
    st.floats(0, 1.5),
)
def test_any_mixture_is_in_range(
    mouth: list[float], mood: list[float], speech: float, gain: float
) -> None:
    life = replace(
        STILL, emotion_face=np.array(mood), talking=speech, lip_gain=gain, lids=(1.0, 0.3)
    )
    face = compose(np.array(mouth), life)
    assert face.dtype == np.float32
    assert face.min() >= 0
    assert face.max() <= 1.25


def test_spread_vowels_lift_the_cheeks_and_leave_the_mouth_alone() -> None:
    mouth = lips(mouthStretchLeft=0.3, mouthStretchRight=0.3, mouthSmileLeft=0.1)
    face = compose(mouth, STILL)
    assert 0.05 < face[I["cheekSquintRight"]] < face[I["cheekSquintLeft"]] < 0.3
    assert 0 < face[I["eyeSquintLeft"]] < face[I["cheekSquintLeft"]]
    spoken = [k for k, name in enumerate(EXPRESSION_NAMES) if name.startswith(("mouth", "jaw"))]
    np.testing.assert_allclose(face[spoken], mouth[spoken], atol=1e-6)
