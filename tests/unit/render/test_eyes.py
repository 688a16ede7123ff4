import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait.eyes import build_eyes
from avatar_service.render.eyes import CORNEA_CENTRE_MM, IRIS_ARM_MM, EyeDrawer, scale_eyes
from avatar_service.schema import OUTER_EYE_DISTANCE_MM

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def fit():
    return face.make_fit()


@pytest.fixture(scope="module")
def arrays(fit):
    return build_eyes(fit, fit.image2x).to_arrays()


def eye_box(eye, out_px=face.SIZE):
    x, y = face.EYE_CENTERS[eye]
    scale = out_px / face.SIZE
    return (
        slice(int((y - 12) * scale), int((y + 10) * scale)),
        slice(int((x - 20) * scale), int((x + 20) * scale)),
    )


def render(fit, arrays, *, gaze=((0, 0), (0, 0)), points=None, out_px=face.SIZE, frame=None):
    pose = face.make_pose(fit, points, out_px=out_px)
    pose.gaze[:] = gaze
    frame = face.blank_frame(out_px) if frame is None else frame
    EyeDrawer(scale_eyes(arrays, out_px / fit.size_px)).draw(pose, frame)
    return frame


def dark_center(frame, eye, out_px=face.SIZE):
    """Return the centroid of the iris in frame px."""
    rows, columns = eye_box(eye, out_px)
    dark = np.clip(130 - frame[rows, columns, :3].mean(-1), 0, None)
    y, x = np.mgrid[rows, columns]
    scale = out_px / face.SIZE
    return np.array([(dark * x).sum(), (dark * y).sum()]) / dark.sum() / scale


def test_resting_eyes_look_as_photographed(fit, arrays):
    frame = np.dstack([fit.image, np.full(fit.image.shape[:2], 255, np.uint8)])
    drawn = render(fit, arrays, frame=frame.copy())
    for eye in (0, 1):
        box = eye_box(eye)
        error = np.abs(drawn[box][..., :3].astype(int) - frame[box][..., :3])
        assert error.mean() < 4
        assert np.percentile(error, 95) < 35


@pytest.mark.parametrize(("yaw", "pitch"), [(0.25, 0.0), (-0.25, 0.0), (0.0, 0.15)])
def test_iris_moves_as_on_a_ball(fit, arrays, yaw, pitch):
    rest = render(fit, arrays)
    turned = render(fit, arrays, gaze=((yaw, pitch),) * 2)
    radius = IRIS_ARM_MM / OUTER_EYE_DISTANCE_MM * face.UNIT
    expected = radius * np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    for eye in (0, 1):
        moved = dark_center(turned, eye) - dark_center(rest, eye)
        # The lids hide part of the iris, which draws the visible centroid back.
        assert moved == pytest.approx(expected, abs=0.35 * radius * max(abs(yaw), abs(pitch)))


def test_each_gaze_row_moves_its_own_eye(fit, arrays):
    rest = render(fit, arrays)
    turned = render(fit, arrays, gaze=((0.3, 0.0), (0.0, 0.0)))  # row 0 is the left eye
    assert np.array_equal(turned[eye_box(0)], rest[eye_box(0)])
    assert dark_center(turned, 1)[0] > dark_center(rest, 1)[0] + 2


def test_reflection_stays_with_the_light(fit, arrays):
    only = {**arrays, "sclera": 0 * arrays["sclera"], "iris": 0 * arrays["iris"]}

    def bright_x(gaze):
        rows, columns = eye_box(0)
        luma = render(fit, only, gaze=(gaze, gaze), frame=face.blank_frame(color=0))
        light = luma[rows, columns, :3].sum(-1).astype(float)
        return (light * np.arange(columns.start, columns.stop)).sum() / light.sum()

    iris = IRIS_ARM_MM / OUTER_EYE_DISTANCE_MM * face.UNIT * np.sin(0.2)
    moved = bright_x((0.2, 0.0)) - bright_x((0.0, 0.0))
    assert moved == pytest.approx(iris * CORNEA_CENTRE_MM / IRIS_ARM_MM, abs=0.15)


def test_no_reflection_lies_on_the_white(fit, arrays):
    only = {**arrays, "sclera": 0 * arrays["sclera"], "iris": 0 * arrays["iris"]}
    side = arrays["glint"].shape[1]
    row = np.abs(np.arange(side) - (side - 1) // 2)
    # A broad reflection: what of it leaves the iris must go.
    only["glint"] = np.full_like(arrays["glint"], 90.0) * (row < side // 3)[:, None, None]
    gaze = (0.35, 0.0)
    frame = render(fit, only, gaze=(gaze, gaze), frame=face.blank_frame(color=0))
    rows, columns = eye_box(0)
    lit = np.flatnonzero(frame[rows, columns, :3].max((0, 2)) > 20) + columns.start
    shift = IRIS_ARM_MM / OUTER_EYE_DISTANCE_MM * face.UNIT * np.sin(0.35)
    center, radius = face.EYE_CENTERS[0][0] + shift, arrays["iris_radius"][0] / 2
    assert lit.min() > center - 1.12 * radius - 1


def test_closed_lids_leave_no_trace_of_the_eye(fit, arrays):
    frame = render(fit, arrays, points=face.lower_lids(fit.landmarks, 1.0))
    for eye in (0, 1):
        pixels = frame[eye_box(eye)][..., :3].astype(int)
        assert pixels.mean(-1).max() < np.mean(face.SCLERA) - 30
        # A dark line of lashes, skin above it.
        middle = pixels[:, pixels.shape[1] // 2].mean(-1)
        assert middle.min() < 0.75 * np.mean(face.SKIN)
        assert (middle < 0.75 * np.mean(face.SKIN)).sum() <= 5


def test_a_blink_has_no_jump(fit, arrays):
    drawer = EyeDrawer(scale_eyes(arrays, face.SIZE / fit.size_px))
    before = None
    for amount in np.linspace(0, 1, 61):
        frame = face.blank_frame()
        drawer.draw(face.make_pose(fit, face.lower_lids(fit.landmarks, amount)), frame)
        if before is not None:
            change = np.abs(frame[..., :3].astype(int) - before)
            assert change[eye_box(0)].mean() < 4
            assert change.max() < 120
        before = frame[..., :3].astype(int)


def test_wide_eyes_show_a_whole_iris(fit, arrays):
    wide = render(fit, arrays, points=face.lower_lids(fit.landmarks, -0.5))
    x, y = face.EYE_CENTERS[0]
    top = wide[int(y - face.IRIS_RADIUS * 0.8), int(x), :3]
    assert top.mean() < 110


def test_alpha_and_far_pixels_stay(fit, arrays):
    frame = face.blank_frame()
    frame[..., 3] = np.arange(face.SIZE, dtype=np.uint8)[None]
    before = frame.copy()
    render(fit, arrays, frame=frame, points=face.lower_lids(fit.landmarks, 0.6))
    assert np.array_equal(frame[..., 3], before[..., 3])
    assert np.array_equal(frame[150:], before[150:])


def test_sizes_agree(fit, arrays):
    small = render(fit, arrays)
    large = render(fit, arrays, out_px=2 * face.SIZE)
    halved = large.reshape(face.SIZE, 2, face.SIZE, 2, 4).astype(float).mean((1, 3))
    assert np.abs(halved - small).mean() < 0.5
    assert np.abs(halved[eye_box(0)] - small[eye_box(0)]).mean() < 8


def test_eyes_out_of_the_picture_are_skipped(fit, arrays):
    frame = face.blank_frame()
    render(fit, arrays, frame=frame, points=fit.landmarks + (5000, -5000, 0))
    assert np.array_equal(frame, face.blank_frame())


def test_scaling_leaves_the_assets_alone(fit, arrays):
    before = {name: value.copy() for name, value in arrays.items()}
    scale_eyes(arrays, face.SIZE // 2 / fit.size_px)
    assert all(np.array_equal(before[name], value) for name, value in arrays.items())
