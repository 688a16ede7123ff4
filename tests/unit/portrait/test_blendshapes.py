"""Every shape moves the right part of the face the right way; left is the SUBJECT's left (+x)."""

from dataclasses import replace

import numpy as np
import pytest
from fakes.portraits import astronaut, astronaut_fit

from avatar_service.portrait import topology
from avatar_service.portrait.blendshapes import SHAPE_NAMES, _corners_height
from avatar_service.schema import EXPRESSION_NAMES

pytestmark = pytest.mark.unit

# Landmarks, the subject's side first: R = right (image left), L = left.
CORNER_R, CORNER_L = 61, 291
UPPER_LIP, LOWER_LIP = 0, 17
INNER_UPPER, INNER_LOWER = 13, 14
CHIN = 152
LID_R, LID_L = 159, 386
LOWER_LID_R, LOWER_LID_L = 145, 374
BROW_IN_R, BROW_IN_L, BROW_OUT_R, BROW_OUT_L = 107, 336, 70, 300
CHEEK_R, CHEEK_L = 205, 425
NOSTRIL_R, NOSTRIL_L = 129, 358
LIP_R, LIP_L = 37, 267
LOW_LIP_R, LOW_LIP_L = 84, 314
UP, DOWN, LEFT, RIGHT, NEAR = (0, -1, 0), (0, 1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, -1)

EXPECTED = {
    "eyeBlinkLeft": (LID_L, DOWN, LID_R),
    "eyeBlinkRight": (LID_R, DOWN, LID_L),
    "eyeLookDownLeft": (LID_L, DOWN, LID_R),
    "eyeLookDownRight": (LID_R, DOWN, LID_L),
    "eyeLookUpLeft": (LID_L, UP, LID_R),
    "eyeLookUpRight": (LID_R, UP, LID_L),
    "eyeSquintLeft": (LOWER_LID_L, UP, LOWER_LID_R),
    "eyeSquintRight": (LOWER_LID_R, UP, LOWER_LID_L),
    "eyeWideLeft": (LID_L, UP, LID_R),
    "eyeWideRight": (LID_R, UP, LID_L),
    "jawForward": (CHIN, NEAR, 10),
    "jawLeft": (CHIN, LEFT, 10),
    "jawRight": (CHIN, RIGHT, 10),
    "jawOpen": (CHIN, DOWN, 10),
    "mouthClose": (INNER_LOWER, UP, CHIN),
    "mouthFunnel": (UPPER_LIP, NEAR, 10),
    "mouthPucker": (CORNER_L, RIGHT, 10),
    "mouthLeft": (UPPER_LIP, LEFT, 10),
    "mouthRight": (UPPER_LIP, RIGHT, 10),
    "mouthSmileLeft": (CORNER_L, UP, CORNER_R),
    "mouthSmileRight": (CORNER_R, UP, CORNER_L),
    "mouthFrownLeft": (CORNER_L, DOWN, CORNER_R),
    "mouthFrownRight": (CORNER_R, DOWN, CORNER_L),
    "mouthDimpleLeft": (CORNER_L, LEFT, CORNER_R),
    "mouthDimpleRight": (CORNER_R, RIGHT, CORNER_L),
    "mouthStretchLeft": (CORNER_L, LEFT, CORNER_R),
    "mouthStretchRight": (CORNER_R, RIGHT, CORNER_L),
    "mouthRollLower": (LOWER_LIP, UP, UPPER_LIP),
    "mouthRollUpper": (UPPER_LIP, DOWN, LOWER_LIP),
    "mouthShrugLower": (LOWER_LIP, UP, 10),
    "mouthShrugUpper": (UPPER_LIP, UP, 10),
    "mouthPressLeft": (LIP_L, DOWN, LIP_R),
    "mouthPressRight": (LIP_R, DOWN, LIP_L),
    "mouthLowerDownLeft": (LOW_LIP_L, DOWN, LOW_LIP_R),
    "mouthLowerDownRight": (LOW_LIP_R, DOWN, LOW_LIP_L),
    "mouthUpperUpLeft": (LIP_L, UP, LIP_R),
    "mouthUpperUpRight": (LIP_R, UP, LIP_L),
    "browDownLeft": (BROW_IN_L, DOWN, BROW_IN_R),
    "browDownRight": (BROW_IN_R, DOWN, BROW_IN_L),
    "browInnerUp": (BROW_IN_L, UP, BROW_OUT_L),
    "browOuterUpLeft": (BROW_OUT_L, UP, BROW_OUT_R),
    "browOuterUpRight": (BROW_OUT_R, UP, BROW_OUT_L),
    "cheekPuff": (CHEEK_L, NEAR, 10),
    "cheekSquintLeft": (346, UP, 117),
    "cheekSquintRight": (117, UP, 346),
    "noseSneerLeft": (NOSTRIL_L, UP, NOSTRIL_R),
    "noseSneerRight": (NOSTRIL_R, UP, NOSTRIL_L),
    "tongueOut": (INNER_LOWER, DOWN, 10),
}


def motion(name: str) -> np.ndarray:
    """Return a shape's displacement in head axes, units, (V, 3)."""
    portrait = astronaut()
    field = portrait.shapes.displacement(name, len(portrait.geometry.rest))
    return field @ portrait.geometry.rotation / portrait.geometry.unit_px


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_shape_moves_its_point_its_way_and_more_than_the_other_side(name):
    landmark, direction, other = EXPECTED[name]
    field = motion(name)
    along = float(field[landmark] @ np.array(direction))
    assert along > 0.008, field[landmark]
    assert np.linalg.norm(field[other]) < 0.62 * np.linalg.norm(field[landmark])


def test_every_shape_is_expected_or_turns_the_eyes():
    rest = set(EXPRESSION_NAMES) - set(EXPECTED)
    assert rest == {"eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight"}
    assert SHAPE_NAMES[:52] == EXPRESSION_NAMES


@pytest.mark.parametrize(
    ("left", "right"), [(n, n[:-4] + "Right") for n in EXPRESSION_NAMES if n.endswith("Left")]
)
def test_left_and_right_mirror_each_other(left, right):
    a = motion(left)[:468]
    b = motion(right)[:468][topology.MIRROR] * [-1, 1, 1]
    scale = max(np.abs(a).max(), 0.01)
    assert np.abs(a - b).max() < 0.35 * scale


def test_both_cheeks_puff_outwards():
    field = motion("cheekPuff")
    assert field[CHEEK_L, 0] > 0.03
    assert field[CHEEK_R, 0] < -0.03


def test_blink_closes_the_whole_gap():
    portrait = astronaut()
    rest = portrait.geometry.rest[:, :3]
    closed = rest + portrait.shapes.displacement("eyeBlinkLeft", len(rest))
    down = portrait.geometry.rotation[:, 1]
    upper = topology.mirrored(topology.LID_UPPER)[2:-2]
    lower = topology.mirrored(topology.LID_LOWER)[2:-2]
    before = (rest[list(lower)] - rest[list(upper)]) @ down
    after = (closed[list(lower)] - closed[list(upper)]) @ down
    assert (before > 0).all()
    assert np.abs(after).max() < 0.25 * before.max()


def test_source_close_brings_the_photos_lips_together():
    portrait = astronaut()
    rest = portrait.geometry.rest
    closed = rest + portrait.shapes.displacement("sourceClose", len(rest))
    down = portrait.geometry.rotation[:, 1]
    gap = (closed[INNER_LOWER] - closed[INNER_UPPER]) @ down / portrait.geometry.unit_px
    assert portrait.shapes.source_gap == pytest.approx(astronaut_fit().lip_gap)
    assert abs(gap) < 0.02


def test_hair_and_shoulders_do_not_move_with_expression():
    portrait = astronaut()
    geometry = portrait.geometry
    position = (geometry.rest - geometry.center) @ geometry.rotation / geometry.unit_px
    outer = np.arange(len(position)) >= geometry.num_face
    far = outer & ((position[:, 1] < -0.6) | (position[:, 1] > 1.9))
    assert far.sum() > 50
    for name in SHAPE_NAMES:
        field = portrait.shapes.displacement(name, len(position))
        assert np.abs(field[far]).max() < 0.02 * geometry.unit_px


@pytest.mark.parametrize("pucker", [0.0, 0.8])
def test_the_skin_below_the_corners_does_not_fold_when_a_smile_is_taken_away(pucker):
    portrait = astronaut()
    rest, shapes = portrait.geometry.rest, portrait.shapes
    posed = rest.copy()
    for name, weight in (("sourceClose", 1), ("sourceUnsmile", 1), ("mouthPucker", pucker)):
        posed += weight * shapes.displacement(name, len(rest))

    def area(points, triangle):
        a, b, c = points[list(triangle), :2]
        return float((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0])

    for triangle in ((61, 146, 43), (291, 375, 273)):  # corner, lip beside it, skin below
        assert area(posed, triangle) / area(rest, triangle) > (0.25 if pucker else 0.4)


def test_a_smile_taken_away_leaves_a_calm_mouth_not_a_sad_one():
    fit = astronaut_fit()
    rest, shapes = astronaut().geometry.rest, astronaut().shapes
    neutral = rest + sum(
        shapes.displacement(n, len(rest)) for n in ("sourceClose", "sourceUnsmile")
    )

    def corners_above(points):
        return float(points[[13, 14], 1].mean() - points[[78, 308], 1].mean()) / fit.head.unit_px

    assert corners_above(rest) > 0.07
    assert 0 < corners_above(neutral) < 0.02
    # It is read off the landmarks: level lips have level corners.
    lips = [*topology.LIP_INNER_UPPER, *topology.LIP_INNER_LOWER]
    assert _corners_height(fit) > 0.05
    level = fit.landmarks.copy()
    level[lips, 1] = level[78, 1]
    assert _corners_height(replace(fit, landmarks=level)) == pytest.approx(0, abs=0.02)
