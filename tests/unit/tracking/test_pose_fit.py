"""The fitted latent is the one that the renderer would show: signs, units, shapes."""

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.tracking.face_rig import FaceRig
from avatar_service.tracking.face_watch import FaceSeen
from avatar_service.tracking.pose_fit import CLOSED_LIP_GAP, fit_pose, landmark_points

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(astronaut())


@pytest.fixture(scope="module")
def rig() -> FaceRig:
    """A rig whose tracker sees every landmark exactly where the portrait has it."""
    portrait = astronaut()
    points = (portrait.geometry.uv[:468] - 0.5) / 2 - portrait.margin_px
    landmarks = np.concatenate([points, np.zeros((468, 1))], 1).astype(np.float64)
    seen = FaceSeen(landmarks, np.zeros((2, 16, 2)), np.zeros((2, 2)), 1.0)
    return FaceRig.of(portrait, seen)


MOTION = pose_frame(turn=(11, -6, 8), shift=(0.1, -0.05, 0.7), jawOpen=0.5, mouthSmile=0.6)


def test_the_rig_puts_landmarks_where_the_renderer_does(stage: Stage, rig: FaceRig):
    stage.picture(MOTION)
    apart = np.hypot(*(rig.landmarks_of(MOTION) - stage.vertices[:468, :2]).T)
    # Lips that pass through each other are parted by the renderer only.
    assert np.percentile(apart, 99) < 0.1


def test_pose_and_expression_are_recovered_from_the_renderers_own_landmarks(
    stage: Stage, rig: FaceRig
):
    stage.picture(MOTION)
    seen = stage.vertices[:468, :2].astype(np.float64)
    fitted = fit_pose(rig, landmark_points(rig, seen), iterations=8)
    np.testing.assert_allclose(
        np.degrees(rig.head_rotation(fitted.pose)), [11, -6, 8], rtol=0, atol=0.7
    )
    np.testing.assert_allclose(
        rig.head_translation(fitted.pose), [0.1, -0.05, 0.7], rtol=0, atol=0.06
    )
    coefficient = {name: fitted.expression[EXPRESSION_INDEX[name]] for name in EXPRESSION_INDEX}
    assert coefficient["jawOpen"] == pytest.approx(0.5, abs=0.15)
    assert coefficient["mouthSmileLeft"] == pytest.approx(0.6, abs=0.2)
    assert coefficient["browDownLeft"] < 0.15
    assert (fitted.expression >= 0).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turn_back_and_forth_reads_with_its_sign(stage: Stage, rig: FaceRig, axis: int):
    read = []
    for degrees in (-12, 12):
        turn = [0.0, 0.0, 0.0]
        turn[axis] = degrees
        stage.picture(pose_frame(turn=tuple(turn)))
        seen = stage.vertices[:468, :2].astype(np.float64)
        fitted = fit_pose(rig, landmark_points(rig, seen), iterations=8)
        read.append(np.degrees(rig.head_rotation(fitted.pose)))
    slope = (read[1] - read[0]) / 24
    expected = np.zeros(3)
    expected[axis] = 1
    np.testing.assert_allclose(slope, expected, atol=0.03)


def test_the_gap_seen_on_touching_lips_is_taken_off(rig: FaceRig):
    landmarks = rig.reference.landmarks[:, :2].copy()
    landmarks[13] = landmarks[14] - [0, 0.5 * CLOSED_LIP_GAP * rig.unit_px]
    seen = landmark_points(rig, landmarks).seen
    np.testing.assert_allclose(seen[13], seen[14], atol=1e-9)
