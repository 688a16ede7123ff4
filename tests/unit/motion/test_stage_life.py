"""The motion stage with the life transformer (a small one that has learnt nothing)."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fakes.life import small_model
from fakes.lips import FakeLips
from fakes.voice import fake_voice

from avatar_service.errors import AvatarError
from avatar_service.motion.generators import MOTION_MODELS
from avatar_service.motion.stage import SAMPLE_NANOS, MotionStage, compute_together
from avatar_service.schema import CAMERA_DISTANCE_UNITS, EXPRESSION_NAMES
from avatar_service.signals import AudioChunk, AudioRole, Controls, MotionFrame

pytestmark = pytest.mark.unit

VOICE = fake_voice(5.0, seed=2)
TRANSFORMER = Controls(motion_model="transformer")
MIXED = Controls()
MODEL = small_model()
FPS = Fraction(50)
CHANGE_SECS = 2.0


def new_stage(controls: Controls = TRANSFORMER, seed: int = 0) -> MotionStage:
    return MotionStage(FPS, controls, seed=seed, lips=FakeLips(), life_model=MODEL)


def feed(
    stage: MotionStage,
    chunk: int = 320,
    *,
    at_change: Controls | None = None,
    heard: np.ndarray | None = None,
) -> list[MotionFrame]:
    frames: list[MotionFrame] = []
    for start in range(0, len(VOICE), chunk):
        pts = start * SAMPLE_NANOS
        if at_change is not None and start == CHANGE_SECS * 16000:
            stage.set_controls(at_change)
        if heard is not None:
            stage.push(AudioChunk(heard[start : start + chunk], pts, role=AudioRole.LISTEN))
        stage.push(AudioChunk(VOICE[start : start + chunk], pts))
        frames += stage.pull()
    return frames


def table(frames: list[MotionFrame]) -> np.ndarray:
    parts = ("expression", "head_rotation", "head_translation", "gaze")
    return np.array([np.concatenate([getattr(f, p).ravel() for p in parts]) for f in frames])


@pytest.mark.parametrize("controls", [TRANSFORMER, MIXED])
@pytest.mark.parametrize("chunk", [173, 4000, 80_000])
def test_frames_do_not_depend_on_the_chunks(chunk: int, controls: Controls) -> None:
    whole, pieces = feed(new_stage(controls)), feed(new_stage(controls), chunk)
    assert np.array_equal(table(whole), table(pieces))


def test_the_default_raises_its_brows_more_than_the_transformer_alone() -> None:
    brow = EXPRESSION_NAMES.index("browInnerUp")

    def highest(controls: Controls) -> float:
        lives = [feed(new_stage(controls, seed), 4000) for seed in range(4)]
        return float(np.mean([max(f.expression[brow] for f in frames) for frames in lives]))

    assert highest(MIXED) > highest(TRANSFORMER) + 0.1
    assert highest(replace(MIXED, expression=0.0)) < 0.02


def test_stages_computed_together_move_as_they_do_alone() -> None:
    alone = [table(feed(new_stage(seed=seed))) for seed in range(3)]
    stages = [new_stage(seed=seed) for seed in range(3)]
    frames: list[list[MotionFrame]] = [[], [], []]
    for start in range(0, len(VOICE), 320):
        for stage in stages:
            stage.push(AudioChunk(VOICE[start : start + 320], start * SAMPLE_NANOS))
        compute_together(stages)
        for stage, own in zip(stages, frames, strict=True):
            own.extend(stage.pull())
    for own, expected in zip(frames, alone, strict=True):
        assert np.allclose(table(own), expected, atol=1e-5)


def test_seeds_differ_in_the_head_and_agree_in_the_lips() -> None:
    one, other = (feed(new_stage(seed=seed)) for seed in (1, 2))
    jaw = EXPRESSION_NAMES.index("jawOpen")
    assert np.allclose([f.expression[jaw] for f in one], [f.expression[jaw] for f in other])
    apart = np.degrees([a.head_rotation - b.head_rotation for a, b in zip(one, other, strict=True)])
    assert np.abs(apart).max() > 1


def test_distance_and_gaze_act_within_100_ms_without_a_jump() -> None:
    at_change = replace(TRANSFORMER, distance=0.7, gaze=(0.4, 0.1))
    changed, plain = feed(new_stage(), at_change=at_change), feed(new_stage())
    z = np.array([a.head_translation[2] for a in changed])
    moved = z - np.array([b.head_translation[2] for b in plain])
    first = round((CHANGE_SECS + 0.1) * FPS)
    assert np.abs(moved[: round(CHANGE_SECS * FPS) - 1]).max() == 0
    goal = 0.3 * CAMERA_DISTANCE_UNITS
    assert moved[first] > 0.005 * goal
    assert moved[round((CHANGE_SECS + 0.6) * FPS)] == pytest.approx(goal, rel=0.1)
    assert np.abs(np.diff(moved)).max() < 0.2 * goal
    yaw = np.array([a.gaze[:, 0].mean() + a.head_rotation[0] for a in changed])
    assert yaw[first] - yaw[round(CHANGE_SECS * FPS) - 1] > 0.1


@pytest.mark.parametrize(
    ("before", "after"),
    [("rules", "transformer"), ("transformer", "rules"), ("rules", "mixed"), ("mixed", "rules")],
)
def test_the_generators_change_over_without_a_jump(before: str, after: str) -> None:
    stage = new_stage(Controls(motion_model=before))
    frames = feed(stage, at_change=Controls(motion_model=after))
    head = np.array([f.head_rotation for f in frames])
    steps = np.linalg.norm(np.diff(head, axis=0), axis=1)
    change = round(CHANGE_SECS * FPS)
    assert steps[change - 4 : change + 8].max() < 2.5 * np.percentile(steps, 95)
    pure = np.array([f.head_rotation for f in feed(new_stage(Controls(motion_model=before)))])
    assert np.array_equal(head[: change - 1], pure[: change - 1])
    assert np.abs(head[change + 20 :] - pure[change + 20 :]).max() > 0.01


def test_blink_rate_changes_nothing_but_blinks() -> None:
    plain, many = feed(new_stage()), feed(new_stage(replace(TRANSFORMER, blink_rate=3.0)))
    for name in ("head_rotation", "gaze"):
        assert np.array_equal(
            [getattr(f, name) for f in plain], [getattr(f, name) for f in many]
        ), name


def test_the_lips_of_the_voice_are_the_same_with_either_generator() -> None:
    shapes = ("jaw", "mouthClose", "mouthRoll", "mouthLowerDown", "mouthUpperUp")
    columns = [k for k, name in enumerate(EXPRESSION_NAMES) if name.startswith(shapes)]
    one, other = (feed(new_stage(Controls(motion_model=m))) for m in ("rules", "transformer"))
    lips = [np.array([f.expression[columns] for f in frames]) for frames in (one, other)]
    # The suggested emotion of the voice may differ in nothing: both have heard the same.
    assert np.allclose(lips[0], lips[1], atol=1e-6)


def test_barge_in_goes_on_smoothly() -> None:
    stage = new_stage()
    stage.push(AudioChunk(VOICE[:48_000], 0))
    before = list(stage.pull())
    stage.reset(epoch=1)
    stage.push(AudioChunk(np.zeros(32_000, np.float32), 48_000 * SAMPLE_NANOS, epoch=1))
    after = list(stage.pull())
    head = np.degrees([f.head_rotation for f in before + after])
    steps = np.linalg.norm(np.diff(head, axis=0), axis=1)
    cut = len(before)
    assert steps[cut - 2 : cut + 5].max() < 2 * np.percentile(steps, 95)
    assert after[0].epoch == 1


def test_a_partner_is_heard() -> None:
    quiet = feed(new_stage(), heard=np.zeros_like(VOICE))
    heard = feed(new_stage(), heard=VOICE[::-1].copy())
    assert not np.allclose(table(quiet)[60:], table(heard)[60:])


def test_an_unknown_motion_model_is_refused() -> None:
    with pytest.raises(AvatarError, match=r"'magic'; known: mixed, transformer, rules"):
        new_stage(Controls(motion_model="magic"))
    assert next(iter(MOTION_MODELS)) == Controls().motion_model
