import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait.eye_geometry import EyeGeometry
from avatar_service.portrait.eyes import EyeAssets, build_eyes, fill_eyes

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def fit():
    return face.make_fit()


@pytest.fixture(scope="module")
def assets(fit):
    return build_eyes(fit, fit.image2x)


def test_the_white_has_no_iris(fit, assets):
    for eye in (0, 1):
        x, y = np.array(face.EYE_CENTERS[eye]) * 2 + 0.5 - assets.patch_origin[eye]
        middle = assets.sclera[eye][int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]
        assert middle.mean() > 0.85 * np.mean(face.SCLERA)


def test_the_iris_is_completed_and_has_no_reflection(fit, assets):
    half = assets.iris.shape[1] // 2
    radius = int(assets.iris_radius[0])
    for eye in (0, 1):
        iris = assets.iris[eye].mean(-1)
        ring = [iris[half - radius + 3, half], iris[half + radius - 3, half]]
        assert ring == pytest.approx([np.mean(face.IRIS)] * 2, abs=30)
        assert iris[half - radius + 2 : half + radius - 2, half].max() < 130
        assert assets.glint[eye].max() > 90
        y, x = np.unravel_index(assets.glint[eye].mean(-1).argmax(), iris.shape)
        assert (x - half, y - half) == pytest.approx((-3, -3), abs=2)


def test_the_closed_lid_is_skin_with_dark_lashes_below(assets):
    for eye in (0, 1):
        middle = assets.lid_skin[eye][6:18, 12:36].reshape(-1, 3)
        assert middle.mean(0) == pytest.approx(np.array(face.SKIN), rel=0.12)
        assert assets.lash_color[eye].mean() < 0.6 * np.mean(face.SKIN)
        assert 0.15 <= assets.lash_strength[eye] <= 0.8


def test_fill_eyes_leaves_no_eye_and_keeps_the_rest(fit):
    texture = fit.image2x.astype(np.float32)
    before = texture.copy()
    fill_eyes(texture, fit)
    for x, y in face.EYE_CENTERS:
        box = texture[int(2 * y) - 4 : int(2 * y) + 6, int(2 * x) - 12 : int(2 * x) + 12]
        assert np.abs(box - 0.9 * np.array(face.SKIN)).mean() < 20
    assert np.array_equal(texture[300:], before[300:])


def test_arrays_round_trip(assets):
    again = EyeAssets.from_arrays(assets.to_arrays())
    for name, value in assets.to_arrays().items():
        assert np.array_equal(getattr(again, name), value)
        assert np.isfinite(value).all()


def test_same_photo_same_eyes(fit, assets):
    again = build_eyes(fit, fit.image2x).to_arrays()
    assert all(np.array_equal(again[k], v) for k, v in assets.to_arrays().items())


def test_lashes_are_as_fair_as_the_brow(fit, assets):
    fair = fit.image2x.astype(np.float32)
    for eye in (0, 1):
        brow = EyeGeometry(fit, eye).brow.reshape(-1, 2)
        (x0, y0), (x1, y1) = brow.min(0).astype(int) - 1, brow.max(0).astype(int) + 2
        fair[y0:y1, x0:x1] = np.median(fair[y0 - 6 : y0, x0:x1], (0, 1))
    dark = fair.copy()
    for eye in (0, 1):
        upper, lower = EyeGeometry(fit, eye).brow
        (x0, y0), (x1, y1) = upper.min(0).astype(int), lower.max(0).astype(int) + 1
        dark[y0:y1, x0:x1] *= 0.3
    with_fair, with_dark = build_eyes(fit, fair), build_eyes(fit, dark)
    assert with_fair.lash_color.mean() > 1.5 * with_dark.lash_color.mean()
    assert (with_fair.lash_strength < with_dark.lash_strength).all()
