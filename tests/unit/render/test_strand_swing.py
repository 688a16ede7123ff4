import dataclasses

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.portrait.strands import NUM_KINDS
from avatar_service.render import rig
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.strands import Strands
from avatar_service.render.sway import Sway
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

FRAME = 25_000_000
STOP = np.r_[np.linspace(0, 0.05, 8), np.full(160, 0.05)]


def turned(roll: float) -> np.ndarray:
    return np.array([0, 0, roll], np.float32)


def lags(rolls) -> np.ndarray:
    """How far each kind's crown is from the skull's, px to the side, (frames, NUM_KINDS)."""
    geometry = astronaut().geometry
    sway, strands = Sway(), Strands(geometry)
    skull, jaw = np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32)
    rest = (geometry.rotation, geometry.pivot, geometry.hinge, geometry.unit_px)
    crown = np.append(geometry.rest[10], np.float32(1))
    rows = []
    for i, roll in enumerate(rolls):
        sway.follow(1 + i * FRAME, turned(roll), np.zeros(3, np.float32))
        rig.pose_head(*rest, turned(roll), np.zeros(3, np.float32), 0.0, 0.0, 0.0, skull, jaw)
        strands.follow(sway)
        rows.append((strands.lagging @ crown - skull @ crown)[:, 0])
    return np.array(rows)


def test_a_still_head_moves_no_strand():
    assert np.abs(lags([0.2] * 10)).max() < 1e-3


def test_kinds_swing_each_in_their_own_time_and_come_to_rest():
    found = lags(STOP)
    turning = found[7]
    assert np.abs(turning).min() > 0.3  # all lag behind a turn
    assert (np.diff(np.abs(turning)) < 0).all()  # the softest the most
    over = [int(np.argmax(np.sign(found[:, k]) == -np.sign(turning[k]))) for k in range(NUM_KINDS)]
    assert (np.diff(over) <= 0).all()
    assert over[0] > over[-1] + 1
    assert np.abs(found[-1]).max() < 0.05


def test_strands_change_the_outline_alone_and_nothing_at_rest():
    portrait = astronaut()
    still = np.zeros_like(portrait.geometry.strand_amount)
    bare = dataclasses.replace(
        portrait, geometry=dataclasses.replace(portrait.geometry, strand_amount=still)
    )
    with_strands, without = CpuRenderer(portrait), CpuRenderer(bare)
    out = np.zeros((512, 512, 4), np.uint8)
    for i, roll in enumerate(4 * STOP):
        motion = MotionFrame(pts_nanos=1 + i * FRAME, head_rotation=turned(roll))
        with_strands.render(motion, out)
        without.render(motion, out)
        apart = np.abs(with_strands.pose.vertices - without.pose.vertices).max(1)
        assert not apart[portrait.geometry.strand_amount == 0].any()
        if i == 7:
            assert 1 < apart.max() < 8
    assert apart.max() < 0.05
