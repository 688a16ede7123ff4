from dataclasses import replace

import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait.eyes import build_eyes
from avatar_service.portrait.mouth import build_mouth
from avatar_service.render.mouth import MouthDrawer, scale_mouth
from avatar_service.schema import EXPRESSION_INDEX

pytestmark = pytest.mark.unit

GAP = 0.16
JAW = 0.19
"""Jaw rotation that moves the lower incisors about GAP down."""


def assets_of(fit):
    return build_mouth(fit, fit.image2x, build_eyes(fit, fit.image2x)).to_arrays()


@pytest.fixture(scope="module")
def fit():
    return face.make_fit()


@pytest.fixture(scope="module")
def arrays(fit):
    return assets_of(fit)


def render(fit, arrays, *, gap=0.0, jaw=0.0, width=1.0, out_px=face.SIZE, frame=None, **shapes):
    points = face.open_lips(fit.landmarks, gap, width=width)
    pose = face.make_pose(fit, points, out_px=out_px, jaw_radians=jaw)
    for name, value in shapes.items():
        pose.coefficients[EXPRESSION_INDEX[name]] = value
    frame = face.blank_frame(out_px, face.LIP) if frame is None else frame
    MouthDrawer(scale_mouth(arrays, out_px / fit.size_px)).draw(pose, frame)
    return frame


def column(frame, x=None):
    """Return (H, 3) of the column through the middle of the mouth, beside a gap of two teeth."""
    return frame[:, int(face.MOUTH[0] if x is None else x) + 4, :3].astype(float)


def test_closed_lips_of_a_closed_photo_stay_as_they_are(fit, arrays):
    assert np.array_equal(render(fit, arrays), face.blank_frame(color=face.LIP))


def test_an_open_mouth_shows_teeth_over_a_dark_reddish_inside(fit, arrays):
    inside = column(render(fit, arrays, gap=GAP, jaw=JAW))[180:196]
    luma = inside.mean(-1)
    assert luma.max() > 95
    dark = luma.argmin()
    assert luma[dark] < 70
    assert inside[dark, 0] > inside[dark, 1:].max()


def edge_row(frame):
    """Return the row where the upper teeth end: the steepest fall of brightness."""
    luma = column(frame).mean(-1)[181:187]
    return 181 + int(np.diff(luma).argmin())


def test_upper_teeth_stay_with_the_skull(fit, arrays):
    half = edge_row(render(fit, arrays, gap=0.5 * GAP, jaw=0.5 * JAW))
    full = edge_row(render(fit, arrays, gap=GAP, jaw=JAW))
    assert abs(half - full) <= 1


def test_lower_teeth_go_with_the_jaw(fit, arrays):
    still = render(fit, arrays, gap=GAP, jaw=0.0)
    moved = render(fit, arrays, gap=GAP, jaw=JAW)
    # With the jaw left up the lower teeth stand right below the upper ones.
    rows = slice(184, 188)
    assert column(still)[rows].mean() > column(moved)[rows].mean() + 25


def test_rounded_lips_hide_the_teeth_in_shade(fit, arrays):
    plain = render(fit, arrays, gap=GAP, jaw=JAW, width=0.6)
    rounded = render(fit, arrays, gap=GAP, jaw=JAW, width=0.6, mouthFunnel=1.0)
    assert column(rounded)[180:186].mean() < 0.75 * column(plain)[180:186].mean()


def test_rounded_lips_reach_over_the_edges_of_modelled_teeth(fit, arrays):
    def height_of_teeth(**shapes):
        # Bright teeth on nothing: what is brighter than lips is tooth.
        strip = np.zeros((80, 640, 4), np.float32)
        strip[:76] = (*face.TOOTH, 255.0)
        bare = {**arrays, "teeth_upper": strip, "teeth_lower": np.zeros((2, 2, 4))}
        frame = render(fit, bare, gap=GAP, jaw=JAW, width=0.6, **shapes)
        return (column(frame)[:, 1] > 1.1 * face.LIP[1]).sum()

    assert height_of_teeth() >= 3
    assert height_of_teeth(mouthFunnel=0.5) <= height_of_teeth() - 2


def test_the_inside_darkens_towards_the_corners(fit, arrays):
    frame = render(fit, arrays, gap=GAP, jaw=JAW)
    row = frame[184, :, :3].mean(-1)
    middle = row[120:137].max()
    aside = row[[107, 108, 148, 149]].max()
    assert aside < 0.75 * middle


def test_the_tongue_comes_out_over_the_lower_lip(fit, arrays):
    points = face.open_lips(fit.landmarks, GAP)
    lip_row = int(points[17, 1])  # lower end of the lower lip
    inside = render(fit, arrays, gap=GAP, jaw=JAW)
    raised = render(fit, arrays, gap=GAP, jaw=JAW, tongueOut=0.3)
    out = render(fit, arrays, gap=GAP, jaw=JAW, tongueOut=1.0)
    below = slice(lip_row, lip_row + 5)
    skin = np.array(face.LIP, float)
    assert np.abs(column(inside)[below] - skin).max() < 1
    assert np.abs(column(out)[below] - skin).mean() > 8
    assert column(raised)[184:192].mean() > column(inside)[184:192].mean()


def test_opening_has_no_jump(fit, arrays):
    drawer = MouthDrawer(scale_mouth(arrays, face.SIZE / fit.size_px))
    before = None
    for amount in np.linspace(0, 1, 61):
        frame = face.blank_frame(color=face.LIP)
        points = face.open_lips(fit.landmarks, amount * GAP)
        drawer.draw(face.make_pose(fit, points, jaw_radians=amount * JAW), frame)
        if before is not None:
            change = np.abs(frame[..., :3].astype(int) - before)
            assert change.max() < 110
            assert change[170:205, 95:160].mean() < 6
        before = frame[..., :3].astype(int)


def test_a_smiling_photo_keeps_its_teeth_and_gets_a_seam():
    fit = face.make_fit(lip_gap=0.13)
    arrays = assets_of(fit)
    assert arrays["own_show"][0] > 0.05
    smiling = render(fit, arrays)
    error = np.abs(column(smiling)[180:184] - np.array(face.TOOTH)).mean()
    assert error < 70  # the photo's white, in the shade of the lips
    closed = fit.landmarks.copy()
    upper, lower = arrays["lip_ids"]
    seam = 0.65 * closed[upper] + 0.35 * closed[lower]
    closed[upper], closed[lower] = seam, seam
    frame = face.blank_frame(color=face.LIP)
    MouthDrawer(scale_mouth(arrays, face.SIZE / fit.size_px)).draw(
        face.make_pose(fit, closed), frame
    )
    luma = column(frame).mean(-1)
    assert luma.max() == pytest.approx(np.mean(face.LIP), abs=1)  # no tooth shows
    assert luma.min() < 0.75 * np.mean(face.LIP)
    assert (luma < 0.9 * np.mean(face.LIP)).sum() <= 6  # a thin line


def test_alpha_and_far_pixels_stay(fit, arrays):
    frame = face.blank_frame()
    frame[..., 3] = np.arange(face.SIZE, dtype=np.uint8)[None]
    before = frame.copy()
    render(fit, arrays, gap=GAP, jaw=JAW, frame=frame, tongueOut=1.0)
    assert np.array_equal(frame[..., 3], before[..., 3])
    assert np.array_equal(frame[:150], before[:150])


def test_sizes_agree(fit, arrays):
    small = render(fit, arrays, gap=GAP, jaw=JAW)
    large = render(fit, arrays, gap=GAP, jaw=JAW, out_px=2 * face.SIZE)
    halved = large.reshape(face.SIZE, 2, face.SIZE, 2, 4).astype(float).mean((1, 3))
    assert np.abs(halved - small)[176:200, 100:156].mean() < 9


def test_scaling_leaves_the_assets_alone(fit, arrays):
    before = {name: value.copy() for name, value in arrays.items()}
    scale_mouth(arrays, face.SIZE // 2 / fit.size_px)
    assert all(np.array_equal(before[name], value) for name, value in arrays.items())


def test_a_mouth_posed_as_in_the_photo_looks_like_it():
    fit = face.make_fit(lip_gap=0.13)
    photo = fit.image[..., :3].astype(float)
    frame = face.blank_frame()
    frame[..., :3] = fit.image
    before = frame[176:196, 104:152, :3].astype(float)
    render(fit, assets_of(fit), frame=frame)
    assert np.abs(before - photo[176:196, 104:152]).max() == 0
    error = np.abs(frame[176:196, 104:152, :3] - photo[176:196, 104:152])
    assert error.mean() < 3


def test_squeezed_lips_get_a_line(fit, arrays):
    still = column(render(fit, arrays))
    pressed = column(render(fit, arrays, mouthPressLeft=0.5, mouthPressRight=0.5))
    assert pressed.min() < 0.8 * still.min()


def test_a_slit_shows_the_wet_sides_of_the_lips_not_the_dark(fit, arrays):
    # Neither teeth nor tongue: what is left is lip and cavity.
    bare = {**arrays, "teeth_upper": np.zeros((2, 2, 4)), "teeth_lower": np.zeros((2, 2, 4))}
    wet, gap = arrays["wet"].mean(), 0.25 * GAP
    slit = column(render(fit, bare, gap=gap, jaw=0.25 * JAW)).mean(-1)
    assert slit.min() > 0.6 * wet
    row = render(fit, bare, gap=GAP, jaw=JAW)[184, :, :3].mean(-1)
    corner = row[102:106].min()  # where a wide opening is no higher than a slit
    assert corner > 0.6 * wet


def test_parted_lips_show_lit_teeth_and_hardly_parted_ones_no_white_line(fit, arrays):
    strip = np.empty((80, 640, 4), np.float32)
    strip[:] = (*face.TOOTH, 255.0)

    def luma(gap):
        solid = {**arrays, "teeth_upper": strip}
        frame = render(fit, solid, gap=gap, jaw=1.2 * gap, out_px=2 * face.SIZE)
        return column(frame, 2 * face.MOUTH[0]).mean(-1)

    # Slits of seven px (four in most photos), of one and a half; below the upper lip are teeth.
    parted, hardly = luma(0.034), luma(0.008)
    first = int(np.flatnonzero(parted != parted[0])[0])
    assert parted[first + 2 : first + 5].mean() > 0.7 * np.mean(face.TOOTH)
    assert hardly.max() <= np.mean(face.LIP) + 1


def test_a_smile_that_hardly_opens_shows_the_middle_of_the_photos_teeth_not_the_gum():
    fit = face.make_fit(lip_gap=0.13)
    arrays = assets_of(fit)
    # Mark what lies above the middle of the photo's teeth as gum.
    own = arrays["own_teeth"].copy()
    lip = 2 * fit.landmarks[arrays["lip_ids"][0, 5], 1] - arrays["own_origin"][1]
    edge = int(lip + 0.04 * 2 * arrays["unit"][0])
    own[:edge, :, :3] = own[:edge, :, 3:] / 255 * np.array([200.0, 60.0, 60.0])
    lips = fit.landmarks.copy()
    upper, lower = arrays["lip_ids"]
    seam = 0.72 * lips[upper] + 0.28 * lips[lower]
    half = np.array([0.0, 0.018 * arrays["unit"][0], 0.0])
    half = half * (1 - np.linspace(-1, 1, 11) ** 2)[:, None]
    lips[upper], lips[lower] = seam - half, seam + half
    frame = face.blank_frame(color=face.LIP)
    drawer = MouthDrawer(scale_mouth({**arrays, "own_teeth": own}, face.SIZE / fit.size_px))
    drawer.draw(face.make_pose(fit, lips), frame)
    x = int(face.MOUTH[0])
    shown = frame[170:200, x - 8 : x + 8, :3].astype(float)
    gum = (shown[..., 0] - shown[..., 1] > 90).mean()
    assert gum < 0.01
    assert (shown.mean(-1) > 1.1 * np.mean(face.LIP)).any()


@pytest.mark.parametrize("lip_gap", [0.0, 0.13])
def test_the_mouth_of_a_grey_photo_is_grey(lip_gap):
    colourful = face.make_fit(lip_gap=lip_gap)
    grey = {
        name: np.repeat(getattr(colourful, name).mean(-1, keepdims=True), 3, -1).astype(np.uint8)
        for name in ("image", "image2x")
    }
    fit = replace(colourful, **grey)
    arrays = assets_of(fit)
    for shapes in ({}, {"mouthFunnel": 0.6}):
        frame = face.blank_frame(color=(120, 120, 120))
        inside = column(render(fit, arrays, gap=GAP, jaw=JAW, frame=frame, **shapes))
        assert np.abs(inside - 120).max() > 20
        assert np.ptp(inside, axis=-1).max() <= 3


def test_between_the_teeth_the_tongue_stands_before_the_upper_ones(fit, arrays):
    shapes = {"gap": 0.5 * GAP, "jaw": 0.5 * JAW}
    without = column(render(fit, arrays, **shapes))
    shown = column(render(fit, arrays, **shapes, tongueOut=0.25))
    changed = np.abs(shown - without).max(-1) > 12
    assert changed.any()
    redder = (
        shown[changed][:, 0] - shown[changed][:, 1]
        > without[changed][:, 0] - (without[changed][:, 1])
    )
    assert redder.mean() > 0.7
