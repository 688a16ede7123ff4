import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait.head_frame import HeadFrame
from avatar_service.portrait.unfold import flatten_far_side

pytestmark = pytest.mark.unit


def turned_head(degrees: float) -> tuple[np.ndarray, HeadFrame]:
    """Return a cylinder of landmarks turned to the subject's left (image right), and its frame."""
    rng = np.random.default_rng(2)
    angle = rng.uniform(-1.3, 1.3, 468)
    points = np.stack([np.sin(angle), rng.uniform(-1, 1, 468), 1 - np.cos(angle)], -1)
    points[4] = 0  # the nose
    turn = np.radians(-degrees)
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    center = np.array([128.0, 128.0, 0.0])
    head = HeadFrame(
        rotation=rotation, center=center, unit_px=face.UNIT, pivot=center, hinge=center
    )
    return head.to_frame(points), head


def test_a_frontal_face_stays():
    landmarks, head = turned_head(4)
    assert flatten_far_side(landmarks, head) is landmarks


@pytest.mark.parametrize("degrees", [18.0, -18.0])
def test_only_the_far_cheek_gets_shallower(degrees):
    landmarks, head = turned_head(degrees)
    assert np.degrees(head.yaw) == pytest.approx(degrees)
    flat = flatten_far_side(landmarks, head)
    assert np.array_equal(flat[:, :2], landmarks[:, :2])
    moved = landmarks[:, 2] - flat[:, 2]
    across = head.to_head(landmarks)[:, 0] * np.sign(degrees)  # + is the far side
    assert moved[across < 0.3].max() == 0
    assert moved[across > 0.85].min() > 10
