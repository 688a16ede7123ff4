import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait import topology
from avatar_service.portrait.lip_opening import snap_to_opening

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
