import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from fakes.lips import FakeLips
from fakes.voice import fake_voice
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from avatar_service.audio.prosody import ProsodyHop
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.generators import MOTION_MODELS
from avatar_service.motion.stage import SAMPLE_NANOS, MotionStage, compute_together
from avatar_service.schema import (
    EMOTION_NAMES,
    EXPRESSION_INDEX,
    EXPRESSION_MAX,
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
    MAX_HEAD_PITCH_RADIANS,
    MAX_HEAD_ROLL_RADIANS,
    MAX_HEAD_YAW_RADIANS,
)
from avatar_service.signals import AudioChunk, AudioRole, Controls, MotionFrame

pytestmark = pytest.mark.unit

FPS = Fraction(40)
JAW = EXPRESSION_INDEX["jawOpen"]
MILLI = 1_000_000
VOICE = fake_voice(12.0, seed=1)
SILENCE = np.zeros(16_000 * 6, np.float32)


@pytest.fixture(autouse=True)
def simple_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep to the simple generator, which is quick; test_stage_life.py has the transformer."""
    monkeypatch.setitem(MOTION_MODELS, "mixed", frozenset())  # type: ignore[arg-type]


def new_stage(controls: Controls | None = None, **options: object) -> MotionStage:
    return MotionStage(FPS, controls, lips=FakeLips(), **options)  # type: ignore[arg-type]


def feed(
    stage: MotionStage,
    samples: np.ndarray,
    *,
    start_sample: int = 0,
    chunk: int = 320,
    cuts: list[int] | None = None,
    before: Callable[[int], None] | None = None,
) -> list[MotionFrame]:
    """Push all samples; `before(pts)` is called before the chunk that starts at pts."""
    frames: list[MotionFrame] = []
    edges = sorted({0, *(cuts or range(0, len(samples), chunk)), len(samples)})
    for low, high in zip(edges, edges[1:], strict=False):
        pts = (start_sample + low) * SAMPLE_NANOS
        if before is not None:
            before(pts)
        stage.push(AudioChunk(samples[low:high], pts))
        frames += stage.pull()
    return frames


def rows(frames: list[MotionFrame], name: str) -> np.ndarray:
    return np.array([getattr(frame, name) for frame in frames])


def assert_equal(first: list[MotionFrame], second: list[MotionFrame]) -> None:
    assert len(first) == len(second)
    for name in (
        "pts_nanos",
        "expression",
        "head_rotation",
        "head_translation",
        "gaze",
        "emotion",
        "speech",
    ):
        np.testing.assert_array_equal(rows(first, name), rows(second, name), err_msg=name)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    cy, sy, cx, sx = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    cz, sz = math.cos(roll), math.sin(roll)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return ry @ rx @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])


def gaze_error_deg(frame: MotionFrame, yaw: float, pitch: float) -> float:
    forward = np.array([0.0, 0.0, 1.0])
    eye_yaw, eye_pitch = frame.gaze.mean(axis=0)
    seen = rotation(*frame.head_rotation) @ rotation(eye_yaw, eye_pitch, 0) @ forward
    return math.degrees(math.acos(min(1.0, seen @ rotation(yaw, pitch, 0) @ forward)))


@pytest.mark.parametrize("rate", [Fraction(1), 25, Fraction(30_000, 1001), 40, 60, 120])
def test_frames_lie_on_the_grid_and_come_once_in_order(rate: Fraction) -> None:
    stage = MotionStage(Fraction(rate), lips=FakeLips())
    frames = feed(stage, VOICE[:48_000])
    num, den = Fraction(rate).numerator, Fraction(rate).denominator
    assert [frame.pts_nanos for frame in frames] == [
        k * 10**9 * den // num for k in range(len(frames))
    ]
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
    assert frames[-1].pts_nanos >= 3e9 - 100 * MILLI - 1e9 / float(rate)


def test_a_frame_waits_for_the_look_ahead_and_its_step_only() -> None:
    stage = new_stage()
    for i in range(200):
        stage.push(AudioChunk(VOICE[i * 160 : i * 160 + 160], i * 160 * SAMPLE_NANOS))
        heard = (i + 1) * 160 * SAMPLE_NANOS
        for frame in stage.pull():
            assert 40 * MILLI <= heard - frame.pts_nanos <= 75 * MILLI


def test_life_hears_the_voice_beyond_its_tick_at_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames come out as early as they would with the lips alone; life has heard 20 ms more."""
    taken: list[tuple[int, int]] = []
    stage = new_stage()
    sense = stage._life.sense

    def spy(start: int, voice: list[ProsodyHop], heard: list[ProsodyHop]) -> None:
        taken.append((start, len(voice)))
        sense(start, voice, heard)

    monkeypatch.setattr(stage._life, "sense", spy)
    feed(stage, VOICE[:16_000])
    hops = np.cumsum([count for _, count in taken])
    ends = np.array([start for start, _ in taken]) + 40 * MILLI
    np.testing.assert_array_equal(hops * 20 * MILLI, ends + 20 * MILLI)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 64_000 - 1), max_size=60))
def test_any_chunking_gives_the_same_latents(cuts: list[int]) -> None:
    samples = VOICE[:64_000]
    assert_equal(feed(new_stage(), samples), feed(new_stage(), samples, cuts=cuts))


def test_seeds_decide_and_nothing_else() -> None:
    first, again = feed(new_stage(seed=3), VOICE), feed(new_stage(seed=3), VOICE)
    other, control = feed(new_stage(seed=4), VOICE), feed(new_stage(Controls(seed=9)), VOICE)
    assert_equal(first, again)
    for frames in (other, control):
        assert np.abs(rows(frames, "head_rotation") - rows(first, "head_rotation")).max() > 0.03
    np.testing.assert_array_equal(
        rows(first, "expression")[:, JAW].round(3), rows(other, "expression")[:, JAW].round(3)
    )


def test_one_control_does_not_reshuffle_the_other_channels() -> None:
    base = feed(new_stage(), VOICE)
    blinking = feed(new_stage(Controls(blink_rate=3.0)), VOICE)
    np.testing.assert_array_equal(rows(base, "head_rotation"), rows(blinking, "head_rotation"))
    np.testing.assert_array_equal(rows(base, "gaze"), rows(blinking, "gaze"))
    happy = feed(new_stage(Controls(expression=1.7)), VOICE)
    lids = [EXPRESSION_INDEX["eyeBlinkLeft"], EXPRESSION_INDEX["eyeBlinkRight"]]
    np.testing.assert_allclose(
        rows(base, "expression")[:, lids], rows(happy, "expression")[:, lids], atol=1e-6
    )
    np.testing.assert_array_equal(rows(base, "head_rotation"), rows(happy, "head_rotation"))


def test_applied_controls_replayed_give_the_same_latents() -> None:
    change = Controls(gaze=(0.3, 0.1), emotion={"happy": 0.7}, distance=0.7)
    live, applied = new_stage(), 0

    def change_now(pts: int) -> None:
        nonlocal applied
        if pts == 6_400 * 10 * SAMPLE_NANOS:
            applied = live.set_controls(change, 0)

    frames = feed(live, VOICE, before=change_now)
    assert applied > 0
    replay = new_stage()
    assert replay.set_controls(change, applied) == applied
    assert_equal(frames, feed(replay, VOICE, chunk=5_000))


def test_controls_act_within_100_ms_of_the_newest_frame_and_of_their_time() -> None:
    stage = new_stage()
    frames = feed(stage, VOICE[:32_000])
    newest = frames[-1].pts_nanos
    latest = 65 * MILLI  # the rest of a tick and of a frame
    assert newest < stage.set_controls(Controls(), 0) <= newest + latest
    wanted = newest + 777 * MILLI
    assert wanted <= stage.set_controls(Controls(), wanted) <= wanted + latest


@pytest.mark.parametrize(
    "rate", [Fraction(1), Fraction(10), FPS, Fraction(30000, 1001), Fraction(50), Fraction(120)]
)
@pytest.mark.parametrize("num_made", [1, 2, 9])  # at 40 a second, frame 8 ends a tick
@pytest.mark.parametrize("ahead_millis", [0, 155])
def test_the_confirmed_time_is_of_the_first_frame_that_shows_a_change(
    rate: Fraction, num_made: int, ahead_millis: int
) -> None:
    def run(at_frame: int | None) -> tuple[list[MotionFrame], int, int]:
        stage = MotionStage(rate, Controls(idle=0.0), lips=FakeLips())
        frames: list[MotionFrame] = []
        asked = applied = 0
        samples = np.zeros(80, np.float32)
        for start in range(0, 16_000 * (2 if rate > 5 else 12), len(samples)):
            if at_frame is not None and len(frames) >= at_frame and not applied:
                asked = frames[-1].pts_nanos + ahead_millis * MILLI if ahead_millis else 0
                applied = stage.set_controls(Controls(idle=0.0, distance=0.5), asked)
                assert applied > frames[-1].pts_nanos
            stage.push(AudioChunk(samples, start * SAMPLE_NANOS))
            frames += stage.pull()
        return frames, asked, applied

    (plain, *_), (moved, asked, applied) = run(None), run(num_made)
    changes = [
        after.pts_nanos
        for before, after in zip(plain, moved, strict=True)
        if not np.array_equal(before.head_translation, after.head_translation)
    ]
    assert changes[0] == applied >= asked


def changed(change: Controls, start: Controls | None = None) -> tuple[list[MotionFrame], int, int]:
    """Frames of silence with a change at 2 s; index of its frame and of the one 300 ms later."""
    stage = new_stage(start or Controls(idle=0.0, blink_rate=0.0))
    applied = stage.set_controls(change, 2_000 * MILLI)
    frames = feed(stage, SILENCE)
    pts = rows(frames, "pts_nanos")
    at = int(np.searchsorted(pts, applied))
    return frames, at, int(np.searchsorted(pts, applied + 300 * MILLI))


def test_distance_reaches_90_percent_in_300_ms_and_is_exact_at_the_end() -> None:
    frames, at, later = changed(Controls(distance=0.5, idle=0.0, blink_rate=0.0))
    z = rows(frames, "head_translation")[:, 2]
    assert abs(z[at - 1]) < 0.01 < z[at]
    assert z[at + 4] > 0.3  # 100 ms
    assert z[later] == pytest.approx(4.6, abs=0.25)
    assert z[-1] == pytest.approx(5.0, abs=0.1)  # (1 - 0.5) * 10 units, 2 %
    assert np.abs(np.diff(z, 2)).max() < 0.25


def test_emotion_shows_on_the_face_with_its_sign() -> None:
    for name, shape in {
        "happy": "mouthSmileLeft",
        "sad": "mouthFrownLeft",
        "angry": "browDownLeft",
        "surprised": "browOuterUpLeft",
        "afraid": "eyeWideLeft",
        "disgusted": "noseSneerLeft",
        "contemptuous": "mouthDimpleLeft",
    }.items():
        change = Controls(emotion={name: 1.0}, idle=0.0, blink_rate=0.0)
        frames, at, later = changed(change)
        shown = rows(frames, "expression")[:, EXPRESSION_INDEX[shape]]
        assert shown[at] < 0.02
        assert shown[later] > 0.85 * shown[-1] > 0.25
        assert frames[-1].emotion[EMOTION_NAMES.index(name)] == pytest.approx(1.0, abs=1e-3)
        assert frames[-1].emotion[EMOTION_NAMES.index("neutral")] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("target", [(0.15, 0.0), (-0.35, 0.12), (0.5, -0.2), (0.0, 0.3)])
def test_gaze_reaches_its_target_and_keeps_it_while_speaking(target: tuple[float, float]) -> None:
    stage = new_stage()
    stage.set_controls(Controls(gaze=target), 2_000 * MILLI)
    frames = feed(stage, VOICE)
    errors = [gaze_error_deg(frame, *target) for frame in frames if frame.pts_nanos > 2.4e9]
    assert np.percentile(errors, 99) < 2.0
    assert np.median(errors) < 0.6


def test_default_gaze_is_on_the_camera_while_the_head_moves() -> None:
    frames = feed(new_stage(), VOICE)
    errors = np.array([gaze_error_deg(frame, 0.0, 0.0) for frame in frames])
    assert np.median(errors) < 1.5
    assert np.degrees(rows(frames, "head_rotation")).std(axis=0).max() > 1.5


def test_head_motion_scales_the_head() -> None:
    still = rows(feed(new_stage(Controls(head_motion=0.0)), VOICE), "head_rotation")
    one = rows(feed(new_stage(), VOICE), "head_rotation")
    two = rows(feed(new_stage(Controls(head_motion=2.0)), VOICE), "head_rotation")
    assert np.degrees(still).std(axis=0).max() < 0.3  # breathing
    assert two.std() / one.std() == pytest.approx(2.0, abs=0.25)


def test_silence_keeps_the_lips_at_rest_and_life_going() -> None:
    frames = feed(new_stage(), SILENCE)
    expression = rows(frames, "expression")
    assert expression[:, JAW].max() < 1e-3
    assert rows(frames, "speech").max() < 0.01
    head = np.degrees(rows(frames, "head_rotation"))
    step = np.linalg.norm(np.diff(head, axis=0), axis=1)
    assert 0.01 < step.mean() < 0.25
    assert step[1:].min() > 0  # never frozen


def test_idle_zero_leaves_breathing_and_blinks() -> None:
    frames = feed(new_stage(Controls(idle=0.0)), np.zeros(16_000 * 20, np.float32))
    head = np.degrees(rows(frames, "head_rotation"))
    assert head[:, 0].std() < 0.02
    assert 0.05 < head[:, 1].std() < 0.4
    assert rows(frames, "expression")[:, EXPRESSION_INDEX["eyeBlinkLeft"]].max() > 0.4


def test_listening_keeps_the_lips_at_rest_and_is_deterministic() -> None:
    def listen(chunk: int) -> list[MotionFrame]:
        stage, frames = new_stage(), []
        for low in range(0, len(VOICE), chunk):
            part = VOICE[low : low + chunk]
            stage.push(AudioChunk(part, low * SAMPLE_NANOS, role=AudioRole.LISTEN))
            stage.push(AudioChunk(np.zeros_like(part), low * SAMPLE_NANOS, is_speech=False))
            frames += stage.pull()
        return frames

    heard, alone = listen(320), feed(new_stage(), np.zeros_like(VOICE))
    assert_equal(heard, listen(4_000))
    assert rows(heard, "expression")[:, JAW].max() < 1e-3
    difference = rows(heard, "head_rotation") - rows(alone, "head_rotation")
    assert np.degrees(np.abs(difference)).max() > 0.5  # it nods to the partner


def test_barge_in_closes_the_mouth_within_100_ms_and_nothing_jumps() -> None:
    stage = new_stage()
    frames = feed(stage, VOICE[: 16_000 * 4 + 2_000])
    while frames[-1].expression[JAW] < 0.2:  # interrupt in the middle of a syllable
        low = len(VOICE) - 16_000 * 4
        start = int(stage._line_end // SAMPLE_NANOS)
        frames += feed(stage, VOICE[low : low + 320], start_sample=start)
    stage.reset(epoch=1)
    num_before = len(frames)
    start = int(stage._line_end // SAMPLE_NANOS)
    frames += feed(stage, SILENCE[:32_000], start_sample=start)
    after = frames[num_before:]
    assert {frame.epoch for frame in after} == {1}
    assert [f.pts_nanos for f in frames] == [k * 25 * MILLI for k in range(len(frames))]
    cut = frames[num_before - 1].pts_nanos
    jaw = rows(frames, "expression")[:, JAW]
    assert jaw[num_before] > 0.5 * jaw[num_before - 1]  # it starts from where it was
    assert max(f.expression[JAW] for f in after if f.pts_nanos >= cut + 100 * MILLI) < 0.01
    steps = np.abs(np.diff(jaw[num_before - 1 : num_before + 8]))
    assert steps.max() < 0.6 * jaw[num_before - 1]  # closing, not snapping shut
    assert_no_jumps(frames[num_before - 8 : num_before + 16])


def test_barge_in_of_another_sentence_starts_afresh() -> None:
    lips = FakeLips()
    stage = MotionStage(FPS, lips=lips)
    feed(stage, VOICE[:32_000])
    stage.reset(epoch=1)
    assert lips.starts[-1] % SAMPLE_NANOS == 0
    frames = feed(stage, VOICE[:64_000], start_sample=32_000)
    assert frames[-1].pts_nanos > 5.8e9
    assert max(frame.expression[JAW] for frame in frames) > 0.1


def assert_no_jumps(
    frames: list[MotionFrame], head_step_deg: float = 4.0, face_step: float = 0.2
) -> None:
    """Between frames of 25 ms: head within 160 deg/s, lids within a blink's speed, face slower."""
    head = np.degrees(rows(frames, "head_rotation"))
    assert np.abs(np.diff(head, axis=0)).max() < head_step_deg
    assert np.abs(np.diff(rows(frames, "head_translation"), axis=0)).max() < 5.0
    expression = rows(frames, "expression")
    lids = [EXPRESSION_INDEX["eyeBlinkLeft"], EXPRESSION_INDEX["eyeBlinkRight"]]
    wide = [EXPRESSION_INDEX["eyeWideLeft"], EXPRESSION_INDEX["eyeWideRight"]]
    looks = [i for name, i in EXPRESSION_INDEX.items() if name.startswith("eyeLook")]
    rest = np.setdiff1d(np.arange(52), [*lids, *wide, *looks, JAW])
    assert np.abs(np.diff(expression[:, lids], axis=0)).max() < 0.8
    assert np.abs(np.diff(expression[:, rest], axis=0)).max() < face_step


fraction = st.floats(0, 1)
controls_strategy = st.builds(
    Controls,
    gaze=st.none() | st.tuples(st.floats(-1.57, 1.57), st.floats(-1.57, 1.57)),
    distance=st.floats(0.3, 3),
    emotion=st.dictionaries(st.sampled_from(EMOTION_NAMES), fraction),
    head_motion=st.floats(0, 2),
    expression=st.floats(0, 2),
    speaking_style=st.sampled_from(["neutral", "lively", "calm", "warm"]),
    blink_rate=st.floats(0, 4),
    idle=st.floats(0, 2),
    seed=st.integers(0, 2**63),
) | st.builds(Controls, look_at=st.tuples(*[st.floats(-50, 50)] * 3))
audio_strategy = st.sampled_from(["voice", "noise", "square", "silence", "clicks"])


def make_audio(kind: str, rng: np.random.Generator) -> np.ndarray:
    size = 16_000
    if kind == "voice":
        return fake_voice(1.0, seed=int(rng.integers(100)))
    if kind == "noise":
        return rng.uniform(-1, 1, size).astype(np.float32)
    if kind == "square":
        return np.sign(np.sin(np.arange(size) * 0.06)).astype(np.float32)
    if kind == "clicks":
        return (rng.random(size) > 0.999).astype(np.float32)
    return np.zeros(size, np.float32)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    script=st.lists(
        st.tuples(audio_strategy, controls_strategy, st.booleans()), min_size=1, max_size=5
    ),
    seed=st.integers(0, 1000),
)
def test_latents_are_finite_in_range_and_smooth_under_any_controls_and_audio(
    script: list[tuple[str, Controls, bool]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stage, frames, end = new_stage(seed=seed), [], 0
    for epoch, (kind, controls, is_cut) in enumerate(script):
        stage.set_controls(controls, 0)
        if is_cut:
            stage.reset(epoch)
        audio = make_audio(kind, rng)
        frames += feed(stage, audio, start_sample=end, chunk=1_600)
        end += len(audio)
    expression = rows(frames, "expression")
    assert np.isfinite(expression).all()
    assert expression.min() >= 0
    assert expression.max() <= EXPRESSION_MAX
    limits = [MAX_HEAD_YAW_RADIANS, MAX_HEAD_PITCH_RADIANS, MAX_HEAD_ROLL_RADIANS]
    assert (np.abs(rows(frames, "head_rotation")) <= np.float32(limits)).all()
    assert np.isfinite(rows(frames, "head_translation")).all()
    assert (
        np.abs(rows(frames, "gaze")) <= np.float32([MAX_GAZE_YAW_RADIANS, MAX_GAZE_PITCH_RADIANS])
    ).all()
    for name in ("emotion", "speech"):
        values = rows(frames, name)
        assert values.min() >= 0
        assert values.max() <= 1
    # Mixed emotions at strength 2 go from rest to the limit, 1.25, in six frames.
    assert_no_jumps(frames, head_step_deg=7.0, face_step=0.45)  # at twice the motion, too


def test_a_gap_in_the_line_is_refused() -> None:
    stage = new_stage()
    stage.push(AudioChunk(VOICE[:320], 0))
    with pytest.raises(AvatarError) as caught:
        stage.push(AudioChunk(VOICE[320:640], 40 * MILLI))
    assert caught.value.reason is Reason.INVALID_AUDIO


def test_samples_that_are_not_finite_are_refused() -> None:
    with pytest.raises(AvatarError) as caught:
        new_stage().push(AudioChunk(np.array([0, np.nan], np.float32), 0))
    assert caught.value.reason is Reason.INVALID_AUDIO


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(-25), Fraction(121)])
def test_impossible_frame_rates_are_refused(rate: Fraction) -> None:
    with pytest.raises(AvatarError) as caught:
        MotionStage(rate, lips=FakeLips())
    assert caught.value.reason is Reason.INVALID_FIELD


def test_wrong_controls_change_nothing() -> None:
    stage = new_stage()
    with pytest.raises(AvatarError):
        stage.set_controls(Controls(distance=9.0), 0)
    assert_equal(feed(stage, VOICE[:16_000]), feed(new_stage(), VOICE[:16_000]))


def test_a_closed_stage_takes_no_audio() -> None:
    stage = new_stage()
    stage.close()
    with pytest.raises(AvatarError) as caught:
        stage.push(AudioChunk(VOICE[:320], 0))
    assert caught.value.reason is Reason.SESSION_CLOSED


@pytest.mark.parametrize("rate", [Fraction(40), Fraction(30000, 1001), Fraction(7), Fraction(120)])
@pytest.mark.parametrize("interrupted_at", [0, 333])
def test_a_frame_comes_with_exactly_the_audio_that_the_stage_says_it_needs(
    rate: Fraction, interrupted_at: int
) -> None:
    stage = MotionStage(rate)
    line = 0

    def push(samples: int) -> None:
        nonlocal line
        stage.push(AudioChunk(VOICE[line : line + samples], line * SAMPLE_NANOS))
        line += samples

    if interrupted_at:
        push(16 * interrupted_at)
        list(stage.pull())
        push(16 * 10)
        stage.reset(1)
    for _ in range(25):
        missing = -(-(stage.needed_until_nanos - line * SAMPLE_NANOS) // SAMPLE_NANOS)
        if missing > 0:
            push(missing - 1)
            assert not list(stage.pull())
            push(1)
        assert list(stage.pull())


def test_stages_that_compute_together_move_as_each_alone() -> None:
    voices = [fake_voice(1.5, seed=seed) for seed in range(3)]
    alone = [feed(MotionStage(FPS), voice) for voice in voices]
    stages = [MotionStage(FPS) for _ in voices]
    together: list[list[MotionFrame]] = [[] for _ in voices]
    for start in range(0, len(voices[0]), 480):
        for stage, voice in zip(stages, voices, strict=True):
            stage.push(AudioChunk(voice[start : start + 480], start * SAMPLE_NANOS))
        compute_together([*stages, new_stage()])
        for frames, stage in zip(together, stages, strict=True):
            frames += stage.pull()
    for one, other in zip(alone, together, strict=True):
        assert [frame.pts_nanos for frame in one] == [frame.pts_nanos for frame in other]
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a.expression, b.expression, atol=1e-4)
            np.testing.assert_allclose(a.head_rotation, b.head_rotation, atol=1e-5)
            np.testing.assert_allclose(a.gaze, b.gaze, atol=1e-5)
