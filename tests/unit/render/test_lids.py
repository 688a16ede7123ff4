import numpy as np
import pytest
from fakes import synthetic_face as face
from fakes.portraits import need_models, shared_photo

from avatar_service.portrait import topology
from avatar_service.portrait.eyes import build_eyes
from avatar_service.portrait.portrait import Portrait
from avatar_service.render import lids
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.sdf import fill_curve
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def fit():
    return face.make_fit()


@pytest.fixture(scope="module")
def assets(fit):
    return build_eyes(fit, fit.image2x)


def trace(fit, assets, points):
    pose = face.make_pose(fit, points)
    curves = np.zeros((lids.NUM_CURVES, lids.CURVE_STEPS), np.float32)
    local = np.zeros(lids.NUM_LOCAL, np.float32)
    lids.trace_lids(
        pose.vertices, pose.shading, assets.margin_ids[0], assets.row_ids[0],
        assets.margin_rest[0], assets.row_rest[0], pose.skull, pose.projection,
        np.zeros((6, 16), np.float32), curves, local,
    )  # fmt: skip
    return curves, local


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.5, 1.0])
def test_closure_is_the_lost_share_of_the_opening(fit, assets, amount):
    _, local = trace(fit, assets, face.lower_lids(fit.landmarks, amount))
    assert local[lids.CLOSURE] == pytest.approx(amount, abs=0.02)


def test_closure_does_not_mind_where_the_head_is(fit, assets):
    points = face.lower_lids(fit.landmarks, 0.5)
    pose = face.make_pose(fit, points)
    pose.vertices[:, 0] += 30
    pose.skull[0, 3] = 30
    curves = np.zeros((lids.NUM_CURVES, lids.CURVE_STEPS), np.float32)
    local = np.zeros(lids.NUM_LOCAL, np.float32)
    lids.trace_lids(
        pose.vertices, pose.shading, assets.margin_ids[0], assets.row_ids[0],
        assets.margin_rest[0], assets.row_rest[0], pose.skull, pose.projection,
        np.zeros((6, 16), np.float32), curves, local,
    )  # fmt: skip
    assert local[lids.CLOSURE] == pytest.approx(0.5, abs=0.03)


def test_curves_pass_the_lid_margins_and_the_crease_lies_above(fit, assets):
    curves, local = trace(fit, assets, fit.landmarks)
    t = lids.CURVE_FIRST + lids.CURVE_STEP * np.arange(lids.CURVE_STEPS)
    middle = np.abs(t - 0.5).argmin()
    assert curves[lids.UPPER, middle] == pytest.approx(-6.5, abs=0.2)
    assert curves[lids.LOWER, middle] == pytest.approx(5.0, abs=0.2)
    inside = (t > 0.05) & (t < 0.95)
    assert (curves[lids.CREASE, inside] < curves[lids.UPPER, inside]).all()
    assert local[lids.WIDTH] == pytest.approx(2 * face.EYE_HALF_WIDTH, abs=0.1)


def test_fill_curve_hits_its_knots_and_does_not_overshoot():
    x = np.array([0.0, 0.02, 0.3, 0.5, 0.7, 0.98, 1.0], np.float32)
    y = np.array([0.0, 5.0, 6.0, 6.0, 6.0, 5.0, 0.0], np.float32)
    table = np.zeros(1001, np.float32)
    fill_curve(x.copy(), y, 0.0, 0.001, table)
    assert table[[0, 300, 500, 700, 1000]] == pytest.approx([0, 6, 6, 6, 0], abs=1e-3)
    assert table.max() <= 6.001
    assert table.min() >= -0.001


def test_fill_curve_survives_folded_knots():
    x = np.array([0.0, -0.05, 0.3, 0.5, 0.7, 1.04, 1.0], np.float32)
    y = np.array([0.0, 3.0, 6.0, 6.0, 6.0, 3.0, 0.0], np.float32)
    table = np.zeros(501, np.float32)
    fill_curve(x, y, -0.5, 0.004, table)
    assert (np.diff(x) > 0).all()
    assert np.isfinite(table).all()
    assert table.max() <= 6.001


@pytest.mark.parametrize("photo", ["pd_nasa_astronaut.png", "pd_wh_obama_official.jpg"])
def test_a_blink_closes_as_much_of_the_opening_as_is_asked(photo: str) -> None:
    """Read in the picture: on a head that is photographed from above or below, too."""
    need_models()
    renderer = CpuRenderer(Portrait.from_image(shared_photo(photo)), 512)
    out = np.zeros((512, 512, 4), np.uint8)

    def opening(blink: float) -> float:
        expression = np.zeros(NUM_EXPRESSIONS, np.float32)
        for side in ("Left", "Right"):
            expression[EXPRESSION_INDEX[f"eyeBlink{side}"]] = blink
        renderer.render(MotionFrame(pts_nanos=0, expression=expression), out)
        seen = renderer.pose.vertices
        return float(
            sum(
                (seen[list(ids(topology.LID_LOWER)), 1] - seen[list(ids(topology.LID_UPPER)), 1])
                .clip(0)
                .sum()
                for ids in (tuple, topology.mirrored)
            )
        )

    rest = opening(0.0)
    for blink in (0.25, 0.5, 0.75):
        assert opening(blink) / rest == pytest.approx(1 - blink, abs=0.02), blink
    assert opening(1.0) / rest < 0.05
