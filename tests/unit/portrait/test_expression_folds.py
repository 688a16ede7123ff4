from dataclasses import replace

import numpy as np
import pytest
from fakes import synthetic_face as face
from fakes.portraits import astronaut

from avatar_service.portrait import topology
from avatar_service.portrait.expression_folds import GROUPS, paint_folds

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folds():
    return astronaut().folds


def landmarks():
    geometry = astronaut().geometry
    return (geometry.uv[:468] - 0.5) / 2


def test_map_is_as_large_as_the_frame_with_margins(folds):
    portrait = astronaut()
    side = portrait.size_px + 2 * portrait.margin_px
    assert folds.shape == (side, side, 2)
    assert 2 * side == portrait.texture.shape[0]


def test_skin_without_folds_is_neutral(folds):
    assert np.all(folds[folds[..., 0] == 0, 1] == 128)
    oval = landmarks()[list(topology.FACE_OVAL)]
    outside = np.ones(folds.shape[:2], bool)
    x0, y0 = oval.min(0).astype(int) - 12
    x1, y1 = oval.max(0).astype(int) + 12
    outside[y0:y1, x0:x1] = False
    assert not folds[outside, 0].any()


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_darkens_and_lightens_some_skin(folds, name):
    shade = folds[folds[..., 0] == GROUPS.index(name) + 1, 1].astype(int) - 128
    if name == "browUp":  # hair hides most of this forehead
        assert len(shade) > 0
        return
    assert shade.min() < -10
    assert shade.max() > 2


def test_left_is_the_subjects_left(folds):
    nose = landmarks()[topology.NOSE_TIP, 0]
    for name in GROUPS[:4]:
        columns = np.nonzero(folds[..., 0] == GROUPS.index(name) + 1)[1]
        assert (columns.mean() > nose) == name.endswith("Left")


def test_lines_over_the_forehead_are_uneven_and_no_mirror_image():
    folds = paint_folds(face.make_fit())
    shade = folds[..., 1].astype(int) - 128
    dark = np.where(folds[..., 0] == GROUPS.index("browUp") + 1, shade, 0)
    columns = np.flatnonzero((dark < -4).any(0))
    middle = dark[:, columns[len(columns) // 4 : -len(columns) // 4]]
    deepest = middle.min(0)
    assert np.ptp(deepest) > 0.3 * np.abs(deepest).max()
    assert np.abs(middle - middle[:, ::-1]).max() > 0.4 * np.abs(deepest).max()


def test_a_coarse_forehead_without_lines_of_its_own_gets_shallower_ones():
    fit = face.make_fit()
    noise = np.random.default_rng(2).normal(0, 5, (*fit.canvas2x.shape[:2], 1))
    rows = 4 * np.sin(np.arange(len(noise)) / 4)[:, None, None]

    def deepest(pattern):
        picture = np.clip(fit.canvas2x + pattern, 0, 255).astype(np.uint8)
        folds = paint_folds(replace(fit, canvas2x=picture, image2x=picture))
        return int(128 - folds[folds[..., 0] == GROUPS.index("browUp") + 1, 1].min())

    assert deepest(noise) < 0.8 * deepest(noise + rows)
