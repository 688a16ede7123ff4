import dataclasses

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.sway import MAX_GAP_NANOS, Sway
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

FRAME = 25_000_000
STILL = np.zeros(3, np.float32)


def turned(yaw: float) -> np.ndarray:
    return np.array([yaw, 0, 0], np.float32)


def follow(yaws, *, step=FRAME) -> np.ndarray:
    sway = Sway()
    places = []
    for i, yaw in enumerate(yaws):
        sway.follow(1 + i * step, turned(yaw), STILL)
        places.append(float(sway.turn[0]))
    return np.array(places)


def test_it_lags_swings_over_and_comes_to_rest():
    yaws = np.r_[np.linspace(0, 0.3, 8), np.full(120, 0.3)]
    places = follow(yaws)
    assert places[4] < yaws[4] - 0.01
    assert places.max() > 0.305
    assert abs(places[-1] - 0.3) < 1e-3


def test_a_still_head_has_still_hair():
    assert np.array_equal(follow([0.1] * 20), np.float32([0.1] * 20))


def test_a_jump_in_time_rests_at_the_pose():
    sway = Sway()
    sway.follow(0, turned(0), STILL)
    for pts in (MAX_GAP_NANOS + 1, 0, 0):  # a gap, back in time, no time
        sway.follow(pts, turned(0.3), STILL)
        assert sway.turn[0] == np.float32(0.3)


def test_rate_hardly_matters():
    seconds = np.arange(0, 1, 0.025)
    slow = follow(0.2 * np.sin(5 * seconds))
    fine = np.arange(0, 1, 0.0125)
    fast = follow(0.2 * np.sin(5 * fine), step=FRAME // 2)[::2]
    assert np.abs(slow - fast)[4:].max() < 0.01


def test_it_never_leaves_the_pose_by_much():
    places = follow(np.tile([0.4, -0.4], 50))
    assert np.abs(places - np.tile([0.4, -0.4], 50)).max() <= 0.2 + 1e-6


def sequence(renderer: CpuRenderer, yaws) -> list[np.ndarray]:
    frames = []
    for i, yaw in enumerate(yaws):
        motion = MotionFrame(pts_nanos=(i + 1) * FRAME, head_rotation=turned(yaw))
        frames.append(np.zeros((512, 512, 4), np.uint8))
        renderer.render(motion, frames[-1])
    return frames


def test_hair_swings_the_same_way_twice_and_the_face_not_at_all():
    portrait = astronaut()
    yaws = np.r_[np.linspace(-0.2, 0.2, 8), np.full(4, 0.2)]
    renderer = CpuRenderer(portrait)
    first = sequence(renderer, yaws)
    face = renderer.pose.vertices[: portrait.geometry.num_face].copy()
    second = sequence(CpuRenderer(portrait), yaws)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    bound = dataclasses.replace(
        portrait,
        geometry=dataclasses.replace(portrait.geometry, sway=np.zeros_like(portrait.geometry.sway)),
    )
    rigid = CpuRenderer(bound)
    third = sequence(rigid, yaws)
    assert np.array_equal(face, rigid.pose.vertices[: portrait.geometry.num_face])
    assert np.array_equal(first[0], third[0])
    assert not np.array_equal(first[7], third[7])
