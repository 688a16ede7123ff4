from dataclasses import replace

import cv2
import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait import teeth
from avatar_service.portrait.eyes import build_eyes
from avatar_service.portrait.lip_fill import fill_mouth
from avatar_service.portrait.mouth import MouthAssets, build_mouth
from avatar_service.portrait.patch_tools import photo_blur

pytestmark = pytest.mark.unit


def build(fit):
    return build_mouth(fit, fit.image2x, build_eyes(fit, fit.image2x))


def test_a_closed_photo_gets_modelled_teeth_of_natural_colour():
    assets = build(face.make_fit())
    assert assets.own_show[0] == 0
    assert assets.own_teeth.shape == (1, 1, 4)
    middle = assets.teeth_upper[teeth.HEIGHT_PX // 2 :, teeth.WIDTH_PX // 2 + 12]
    solid = middle[middle[:, 3] > 250][:, :3]
    assert solid.mean() > 120
    red, green, blue = solid.mean(0)
    assert red >= green >= blue
    assert assets.cavity.mean() < 0.3 * solid.mean()


def test_a_smiling_photo_keeps_its_own_teeth():
    assets = build(face.make_fit(lip_gap=0.13))
    assert 0.05 < assets.own_show[0] < 0.14
    opaque = assets.own_teeth[assets.own_teeth[..., 3] > 250][:, :3]
    assert np.abs(np.median(opaque, 0) - np.array(face.TOOTH)).max() < 6


def test_rows_of_teeth_meet_like_a_bite():
    assets = build(face.make_fit())
    middle = assets.arch_upper.shape[1] // 2
    upper_edge, lower_edge = assets.arch_upper[1, middle], assets.arch_lower[0, middle]
    assert lower_edge[1] < upper_edge[1]  # the upper ones overlap the lower ones
    assert lower_edge[2] > upper_edge[2]  # in front of them
    depth = assets.arch_upper[1, :, 2]
    assert depth[0] > depth[middle] < depth[-1]


def test_teeth_are_symmetric_and_separate():
    tooth, gum = np.array([220.0, 210.0, 190.0]), np.array([170.0, 100.0, 95.0])
    for jaw in ("upper", "lower"):
        strip = teeth.paint_teeth(jaw, tooth, gum)
        assert np.abs(strip[..., 3] - strip[:, ::-1, 3]).mean() < 3
        assert (strip[..., :3].max(-1) <= strip[..., 3] + 1).all()  # premultiplied
    upper = teeth.paint_teeth("upper", tooth, gum)
    # The canines and the pair of central incisors reach furthest down, the laterals not.
    row = upper[int(0.9 * teeth.HEIGHT_PX), :, 3] > 128
    place = (np.arange(teeth.WIDTH_PX) + 0.5) / teeth.WIDTH_PX * 2 - 1
    at = np.abs(place) * teeth.half_row_mm("upper")  # mm from the midline
    assert row[(at > 2) & (at < 6)].all()
    assert row[(at > 18) & (at < 19.5)].all()
    assert not row[(at > 14.2) & (at < 15.2)].any()


def test_neighbours_touch_in_their_own_shade():
    tooth, gum = np.array([220.0, 210.0, 190.0]), np.array([170.0, 100.0, 95.0])
    row = teeth.paint_teeth("upper", tooth, gum)[int(0.6 * teeth.HEIGHT_PX)]
    place = (np.arange(teeth.WIDTH_PX) + 0.5) / teeth.WIDTH_PX * 2 - 1
    at = np.abs(place) * teeth.half_row_mm("upper")
    front = row[at < 17]
    assert front[:, 3].min() > 250  # nothing of the dark shines through
    luma = row[:, :3].mean(-1)
    between, faces = luma[np.abs(at - 8.5) < 0.2].max(), luma[np.abs(at - 4.2) < 2].min()
    assert 0.5 * faces < between < 0.9 * faces


def test_varnish_tints_modelled_teeth_and_a_coloured_wall_does_not():
    def tooth_of(tint, wall):
        fit = face.make_fit()
        image = np.clip(fit.image * np.array(tint), 0, 255).astype(np.uint8)
        image2x = np.clip(fit.image2x * np.array(tint), 0, 255).astype(np.uint8)
        image[:60] = np.array(wall) * tint
        tinted = replace(fit, image=image, image2x=image2x)
        strip = build(tinted).teeth_upper[teeth.HEIGHT_PX // 2 :, teeth.WIDTH_PX // 2 + 12]
        solid = np.median(strip[strip[:, 3] > 250][:, :3], 0)
        return solid[2] / solid[0]

    white, blue = (250, 250, 250), (150, 190, 255)
    plain = tooth_of((1.0, 1.0, 1.0), white)
    varnished = tooth_of((1.0, 0.87, 0.55), white)
    assert 0.55 * plain < varnished < 0.76 * plain
    assert tooth_of((1.0, 1.0, 1.0), blue) == pytest.approx(plain, rel=0.03)


def test_the_inside_is_no_purple_beside_a_painters_orange_lips():
    fit = face.make_fit()
    plain = build(fit)
    is_lip = np.abs(fit.image2x.astype(int) - face.LIP).max(-1) < 40
    painted = fit.image2x.copy()
    painted[is_lip] = (130, 65, 30)
    orange = build(replace(fit, image2x=painted))
    assert plain.tongue[2] > 0.8 * plain.tongue[1]
    for flesh in (orange.tongue, orange.cavity):
        assert 0.3 * flesh[1] < flesh[2] < 0.65 * flesh[1]


def test_a_dark_gap_between_tips_of_own_teeth_is_no_hole_in_the_row():
    fit = face.make_fit(lip_gap=0.13)
    own = build(fit)
    x, y = (int(2 * (v + 0.5)) for v in face.MOUTH)
    image = fit.image2x.copy()
    rows = np.flatnonzero(image[:, x].min(-1) > 190)
    low = int(rows[(rows > y - 20) & (rows < y + 30)].max())
    image[low - 6 : low - 1, x - 1 : x + 2] = (50, 25, 22)
    gapped = build(replace(fit, image2x=image))
    before, after = (a.own_teeth[..., :3][a.own_teeth[..., 3] > 250] for a in (own, gapped))
    assert after.min() > 0.6 * before.min()


def test_fill_mouth_takes_the_teeth_out_of_open_lips_only():
    closed = face.make_fit()
    texture = closed.image2x.astype(np.float32)
    fill_mouth(texture, closed)
    assert np.array_equal(texture, closed.image2x)
    fit = face.make_fit(lip_gap=0.13)
    texture = fit.image2x.astype(np.float32)
    fill_mouth(texture, fit)
    x, y = int(2 * face.MOUTH[0]), int(2 * face.MOUTH[1])
    inside = texture[y : y + 8, x - 20 : x + 20].reshape(-1, 3)
    assert np.abs(inside.mean(0) - np.array(face.LIP)).max() < 60
    assert inside.mean() < 0.65 * np.mean(face.TOOTH)
    assert np.array_equal(texture[:300], fit.image2x[:300])


def test_blur_is_judged_in_order():
    fit = face.make_fit()
    blocks = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    side = fit.image2x.shape[0]
    sharp = cv2.resize(blocks, (side, side), interpolation=cv2.INTER_NEAREST)
    blurred = [sharp] + [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (2.0, 4.0)]
    values = [photo_blur(replace(fit, image2x=image)) for image in blurred]
    assert values[0] < values[1] < values[2]


def test_arrays_round_trip():
    assets = build(face.make_fit(lip_gap=0.13))
    again = MouthAssets.from_arrays(assets.to_arrays())
    for name, value in assets.to_arrays().items():
        assert np.array_equal(getattr(again, name), value)
        assert np.isfinite(value).all()
