import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait.spectacles import SpectaclesAssets, take_off_spectacles
from avatar_service.render.spectacles import SpectaclesDrawer, scale_spectacles

pytestmark = pytest.mark.unit


def drawer_of(assets: SpectaclesAssets, fit) -> SpectaclesDrawer:
    scale = face.SIZE / fit.size_px
    return SpectaclesDrawer(scale_spectacles(assets.to_arrays(), scale))


@pytest.fixture(scope="module")
def worn():
    fit = face.make_fit(has_spectacles=True)
    return fit, *take_off_spectacles(fit)


def test_a_bare_face_wears_none():
    fit = face.make_fit()
    same, assets = take_off_spectacles(fit)
    assert same is fit
    assert not assets.are_worn
    frame = face.blank_frame()
    drawer_of(assets, fit).draw(face.make_pose(fit), frame)
    assert np.array_equal(frame, face.blank_frame())


def test_frames_are_taken_off_the_skin(worn):
    fit, bare, assets = worn
    assert assets.are_worn
    wanted = face.make_fit().image2x.astype(int)
    before = np.abs(fit.image2x.astype(int) - wanted).max(-1) > 60
    after = np.abs(bare.image2x.astype(int) - wanted).max(-1) > 60
    assert after.sum() < 0.1 * before.sum()


def test_drawn_at_rest_the_photo_is_back(worn):
    fit, bare, assets = worn
    frame = face.blank_frame()
    frame[..., :3] = bare.image2x[::2, ::2]
    drawer_of(assets, fit).draw(face.make_pose(fit), frame)
    error = np.abs(frame[..., :3].astype(int) - fit.image2x[::2, ::2])
    assert error.mean() < 1.0


def test_rims_are_as_sharp_between_pixels_as_on_them(worn):
    fit, bare, assets = worn
    drawer = drawer_of(assets, fit)
    sharpness = []
    for step in range(10):
        frame = face.blank_frame()
        pose = face.make_pose(fit)
        pose.skull[0, 3] = pose.skull[1, 3] = 0.1 * step
        drawer.draw(pose, frame)
        slopes = np.gradient(frame[..., :3].mean(-1).astype(float))
        sharpness.append(sum((slope**2).sum() for slope in slopes))
    assert max(sharpness) < 1.04 * min(sharpness)


def test_frames_follow_the_skull_not_the_brows(worn):
    fit, bare, assets = worn
    drawer = drawer_of(assets, fit)
    rest, raised, moved = (face.blank_frame() for _ in range(3))
    drawer.draw(face.make_pose(fit), rest)
    points = fit.landmarks.copy()
    points[:, 1] -= 6  # the whole skin moves, the skull does not
    drawer.draw(face.make_pose(fit, points), raised)
    assert np.array_equal(rest, raised)
    pose = face.make_pose(fit)
    pose.skull[0, 3] = 7
    drawer.draw(pose, moved)
    assert np.abs(moved[:, 40:230].astype(int) - rest[:, 33:223]).mean() < 1.0


def test_arrays_round_trip(worn):
    assets = worn[2]
    again = SpectaclesAssets.from_arrays(assets.to_arrays())
    assert all(np.array_equal(getattr(again, k), v) for k, v in assets.to_arrays().items())
