import cv2
import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait import topology
from avatar_service.portrait.lip_fill import fill_mouth
from avatar_service.portrait.lip_opening import snap_to_opening
from avatar_service.portrait.mouth_colours import has_colours, is_opening_seen, lip_tones, skin_tone
from avatar_service.portrait.own_teeth import cut_own_teeth

pytestmark = pytest.mark.unit

UPPER, LOWER = list(topology.LIP_INNER_UPPER), list(topology.LIP_INNER_LOWER)


@pytest.fixture(scope="module")
def fit():
    return face.make_fit(lip_gap=0.13)


def heights(landmarks):
    """Return (2, 9) rows of both inner lips between their corners."""
    return np.stack([landmarks[UPPER[1:-1], 1], landmarks[LOWER[1:-1], 1]])


def test_landmarks_on_the_outline_stay(fit):
    snapped = snap_to_opening(fit.image2x, fit.landmarks, fit.head)
    assert np.abs(snapped - fit.landmarks)[UPPER + LOWER, :2].max() < 2


@pytest.mark.parametrize("shift", [-2.0, 2.0])
def test_landmarks_beside_the_outline_come_back_to_it(fit, shift):
    wrong = fit.landmarks.copy()
    wrong[UPPER[1:-1] + LOWER[1:-1], 1] += shift
    snapped = snap_to_opening(fit.image2x, wrong, fit.head)
    before = np.abs(heights(wrong) - heights(fit.landmarks)).mean()
    after = np.abs(heights(snapped) - heights(fit.landmarks)).mean()
    assert after < 0.5 * before


def test_corners_reach_as_far_as_the_teeth_are_seen(fit):
    narrow = fit.landmarks.copy()
    middle = face.MOUTH[0]
    rows = UPPER + LOWER[1:-1]
    narrow[rows, 0] = middle + 0.9 * (narrow[rows, 0] - middle)
    snapped = snap_to_opening(fit.image2x, narrow, fit.head)
    ends = [UPPER[0], UPPER[-1]]
    assert np.ptp(snapped[ends, 0]) > np.ptp(narrow[ends, 0]) + 1.5
    assert np.ptp(snapped[ends, 0]) < np.ptp(fit.landmarks[ends, 0]) + 1.5


def test_only_the_inner_lips_move(fit):
    snapped = snap_to_opening(fit.image2x, fit.landmarks, fit.head)
    others = np.setdiff1d(np.arange(468), UPPER + LOWER)
    assert np.array_equal(snapped[others], fit.landmarks[others])


def paint_upper_lip(fit, colour):
    """Return image2x whose upper lip has this colour."""
    rows = list(topology.LIP_OUTER_UPPER) + UPPER[::-1]
    loop = np.round(fit.landmarks[rows, :2] * 2 + 0.5).astype(np.int32)
    return cv2.fillPoly(fit.image2x.copy(), [loop], colour)


def test_an_upper_lip_as_dark_as_the_inside_stays_lip(fit):
    image = paint_upper_lip(fit, (70, 8, 12))
    snapped = snap_to_opening(image, fit.landmarks, fit.head)
    moved = heights(snapped)[0] - heights(fit.landmarks)[0]
    assert np.abs(moved).mean() < 1.0


def test_an_opening_is_told_from_the_bulge_of_a_lip(fit):
    image = fit.image2x.astype(np.float32)
    assert is_opening_seen(image, fit.landmarks)
    shut = face.make_fit().image2x.astype(np.float32)
    assert not is_opening_seen(shut, fit.landmarks)  # landmarks believe in a gap


def test_a_photo_without_colours_is_believed(fit):
    image = fit.image2x.astype(np.float32)
    assert has_colours(image[330:400, 180:330])
    grey = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    grey[grey > 200] = 170  # teeth no lighter than fair skin
    sepia = grey * np.array([1.0, 0.8, 0.6], np.float32)
    for picture in (grey, sepia):
        assert not has_colours(picture[330:400, 180:330])
        assert is_opening_seen(picture, fit.landmarks)
        skin = skin_tone(picture, fit.landmarks)
        assert cut_own_teeth(picture, fit, skin)[2] > 0


def test_each_lip_has_its_own_tone_though_most_of_it_is_skin(fit):
    image = paint_upper_lip(fit, (90, 20, 25)).astype(np.float32)
    upper, lower = lip_tones(image, fit.landmarks)
    assert np.abs(upper - (90, 20, 25)).max() < 12
    assert np.abs(lower - np.array(face.LIP)).max() < 12
    thin = fit.landmarks.copy()  # the outer line is believed to lie on skin
    outer = list(topology.LIP_OUTER_UPPER)
    thin[outer, 1] -= 0.9 * (fit.landmarks[13, 1] - fit.landmarks[0, 1])
    assert np.abs(lip_tones(image, thin)[0] - (90, 20, 25)).max() < 12


def test_lips_painted_over_teeth_are_each_of_their_own_colour(fit):
    image = paint_upper_lip(fit, (90, 20, 25)).astype(np.float32)
    fill_mouth(image, fit)
    middle = fit.landmarks[[13, 14], :2] * 2 + 0.5
    x, (top, bottom) = int(middle[0, 0]), middle[:, 1].astype(int)
    upper, lower = (image[row, x - 10 : x + 10].mean(0) for row in (top + 2, bottom - 3))
    assert upper[0] < 120
    assert upper[1] < 50
    assert lower.mean() > 1.6 * upper.mean()


def test_what_is_as_red_as_lips_is_no_own_tooth(fit):
    image = fit.image2x.astype(np.float32)
    skin = skin_tone(image, fit.landmarks)
    assert cut_own_teeth(image, fit, skin)[2] > 0
    pale = (image > 0.8 * np.array(face.TOOTH)).all(-1)
    image[pale] = np.array([0.62, 0.40, 0.36]) * skin.mean() * 1.9
    texture, _, show, colour = cut_own_teeth(image, fit, skin)
    assert show == 0
    assert colour is None
    assert texture.shape == (1, 1, 4)
