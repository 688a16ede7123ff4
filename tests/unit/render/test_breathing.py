import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.render.breathing import breath_at
from avatar_service.render.cpu import CpuRenderer
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

SECOND = 1_000_000_000


def picture(renderer: CpuRenderer, pts_nanos: int) -> np.ndarray:
    out = np.zeros((renderer.size_px, renderer.size_px, 4), np.uint8)
    renderer.render(MotionFrame(pts_nanos=pts_nanos), out)
    return out


def test_breath_starts_empty_and_stays_within_a_deep_breath():
    breaths = np.array([breath_at(k * SECOND // 40) for k in range(40 * 600)])
    assert breaths[0] == 0
    assert breaths.min() >= 0
    assert breaths.max() <= 1.2
    assert np.abs(np.diff(breaths)).max() < 0.04  # smooth at 40 frames a second


def test_about_fourteen_breaths_a_minute():
    breaths = np.array([breath_at(k * SECOND // 10) for k in range(3000)]) > 0.5
    starts = int((np.diff(breaths.astype(int)) > 0).sum())
    assert 12 * 5 <= starts <= 16 * 5


def test_shoulders_breathe_and_the_face_does_not():
    renderer = CpuRenderer(astronaut(), 256)
    empty = picture(renderer, 0)
    full_at = max(range(0, 4 * SECOND, SECOND // 20), key=breath_at)
    full = picture(renderer, full_at)
    change = np.abs(full.astype(int) - empty).max(-1)
    points = renderer.pose.vertices[:468, :2]
    (left, top), (right, bottom) = points.min(0).astype(int), points.max(0).astype(int)
    middle = slice(top, (top + bottom) // 2), slice(left, right)
    assert change[middle].max() == 0
    assert change[220:].mean() > 2
    assert np.array_equal(picture(CpuRenderer(astronaut(), 256), full_at), full)
