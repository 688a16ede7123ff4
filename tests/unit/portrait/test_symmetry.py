import dataclasses

import numpy as np
import pytest
from fakes.portraits import astronaut_fit

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.head_frame import fit_head_frame
from avatar_service.portrait.symmetry import complete_far_side

pytestmark = pytest.mark.unit


def turned(fit: FaceFit, degrees: float) -> FaceFit:
    """Return the fit of a head turned to the subject's left."""
    angle = np.radians(degrees)
    turn = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    points = fit.landmarks - fit.head.center
    landmarks = points @ turn.T + fit.head.center
    return dataclasses.replace(fit, landmarks=landmarks, head=fit_head_frame(landmarks))


def half_rough(fit: FaceFit) -> np.ndarray:
    """Return skin that is rough on the image's left half of the face and flat on the other."""
    side = fit.image2x.shape[0]
    colours = np.full((side, side, 3), 128, np.float32)
    nose = 2 * fit.landmarks[topology.NOSE_TIP, 0]
    rough = np.random.default_rng(3).normal(0, 12, (side, side, 1)).astype(np.float32)
    near = np.arange(side)[None, :, None] < nose
    return colours + np.where(near, rough, 0).astype(np.float32)


def cheek(colours: np.ndarray, fit: FaceFit, landmark: int) -> np.ndarray:
    x, y = (2 * fit.landmarks[landmark, :2]).astype(int)
    return colours[y - 6 : y + 7, x - 6 : x + 7]


def test_a_face_from_the_front_stays_as_it_is():
    fit = astronaut_fit()
    colours = half_rough(fit)
    before = colours.copy()
    complete_far_side(colours, fit)
    assert np.array_equal(colours, before)


def test_the_far_cheek_gets_the_near_ones_detail_and_the_near_one_stays():
    fit = turned(astronaut_fit(), 18.0)
    assert np.degrees(fit.head.yaw) == pytest.approx(18, abs=3)
    colours = half_rough(fit)
    before = colours.copy()
    complete_far_side(colours, fit)
    far, near = 352, 123  # below the left and the right cheekbone, by the ear
    assert cheek(before, fit, far).std() < 0.1
    assert cheek(colours, fit, far).std() > 3
    assert np.array_equal(cheek(colours, fit, near), cheek(before, fit, near))
    assert abs(cheek(colours, fit, far).mean() - 128) < 6


def test_what_only_the_far_side_has_stays():
    fit = turned(astronaut_fit(), 18.0)
    colours = half_rough(fit)
    x, y = (2 * fit.landmarks[352, :2]).astype(int)
    colours[y - 30 : y + 30, x - 12 : x + 60] = 250  # a rim of light
    before = cheek(colours, fit, 352).copy()
    complete_far_side(colours, fit)
    assert np.abs(cheek(colours, fit, 352) - before).mean() < 6
