import math
import struct

import numpy as np
import pytest
from fakes.latents import distinct_motion, motions
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.signals import MotionFrame
from avatar_service.transports import motion_codec as codec

pytestmark = pytest.mark.unit

ANGLE_STEP = math.pi / 32767


def test_blob_has_the_bytes_of_the_specification():
    motion = distinct_motion(seq=0x01020304, epoch=0x0506, pts_nanos=-7)
    expected = struct.pack(
        "<BBHIq 3h 2h h 4h 52B 8B B".replace(" ", ""),
        1,
        0,
        0x0506,
        0x01020304,
        -7,
        *(round(float(v) / ANGLE_STEP) for v in motion.head_rotation),
        *(round(float(v) * 4096) for v in motion.head_translation[:2]),
        round(float(motion.head_translation[2]) * 1024),
        *(round(float(v) / ANGLE_STEP) for v in motion.gaze.ravel()),
        *(round(float(v) / 1.25 * 255) for v in motion.expression),
        *(round(float(v) * 255) for v in motion.emotion),
        round(motion.speech * 255),
    )
    assert len(expected) == 97
    assert codec.encode_blob(motion) == expected


@settings(max_examples=60, deadline=None)
@given(motions())
def test_round_trip_is_within_half_a_step(motion):
    back = codec.decode_blob(codec.encode_blob(motion))
    assert (back.pts_nanos, back.seq, back.epoch) == (motion.pts_nanos, motion.seq, motion.epoch)
    slack = 1e-6
    for name, step in (
        ("expression", 1.25 / 255),
        ("head_rotation", ANGLE_STEP),
        ("head_translation", np.array([1 / 4096, 1 / 4096, 1 / 1024])),
        ("gaze", ANGLE_STEP),
        ("emotion", 1 / 255),
        ("speech", 1 / 255),
    ):
        error = np.abs(np.asarray(getattr(back, name)) - np.asarray(getattr(motion, name)))
        assert (error <= np.asarray(step) / 2 + slack).all(), name


@settings(max_examples=40, deadline=None)
@given(motions(reach=50.0))
def test_values_beyond_the_range_are_limited_not_wrapped(motion):
    back = codec.decode_blob(codec.encode_blob(motion))
    assert back.expression.min() >= 0
    assert back.expression.max() <= np.float32(1.25)
    signs_kept = np.sign(back.head_rotation) * np.sign(motion.head_rotation) >= 0
    assert signs_kept.all()


def test_a_decoded_blob_encodes_to_itself():
    blob = codec.encode_blob(distinct_motion())
    assert codec.encode_blob(codec.decode_blob(blob)) == blob


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=0, max_size=130) | st.binary(min_size=97, max_size=97))
def test_hostile_bytes_are_refused_or_finite(data):
    try:
        motion = codec.decode_blob(data)
    except ValueError:
        return
    assert np.isfinite(codec.to_floats(motion)).all()


@pytest.mark.parametrize(
    ("offset", "value", "word"),
    [(0, 2, "format"), (1, 1, "reserved"), (17, 0x80, "-32768"), (29, 0x80, "-32768")],
)
def test_each_rule_of_the_blob_is_enforced(offset, value, word):
    blob = bytearray(codec.encode_blob(MotionFrame(pts_nanos=0)))
    blob[offset] = value
    with pytest.raises(ValueError, match=word):
        codec.decode_blob(bytes(blob))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["expression", "head_translation", "gaze"])
def test_values_that_are_not_finite_are_refused(name, bad):
    motion = distinct_motion()
    getattr(motion, name).flat[-1] = bad
    with pytest.raises(ValueError, match="finite"):
        codec.encode_blob(motion)
    with pytest.raises(ValueError, match="finite"):
        codec.to_floats(motion)


def test_floats_round_trip_exactly_and_are_a_copy():
    motion = distinct_motion()
    floats = codec.to_floats(motion)
    assert floats.shape == (71,)
    back = codec.from_floats(floats, pts_nanos=1, seq=2, epoch=3)
    floats[:] = 9
    np.testing.assert_array_equal(codec.to_floats(back), codec.to_floats(motion))
    with pytest.raises(ValueError, match="shape"):
        codec.from_floats(np.zeros(70, np.float32), pts_nanos=0, seq=0, epoch=0)


@pytest.mark.parametrize(
    ("low", "near", "full"),
    [(5, 0, 5), (5, 4, 5), (0, 65535, 65536), (65535, 65536, 65535), (1, 131071, 131073)],
)
def test_an_epoch_is_widened_to_the_nearest(low, near, full):
    assert codec.widen_epoch(low, near) == full
