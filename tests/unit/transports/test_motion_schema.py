import math

import numpy as np
import pytest
from fakes.latents import distinct_motion

from avatar_service import schema
from avatar_service.transports import motion_codec, motion_schema

pytestmark = pytest.mark.unit


def test_channels_are_named_once_and_in_the_order_of_the_floats():
    names = [channel.name for channel in motion_schema.CHANNELS]
    assert len(names) == len(set(names)) == 71
    assert tuple(names[:52]) == schema.EXPRESSION_NAMES
    assert names[52:62] == [
        *("headYaw", "headPitch", "headRoll", "headX", "headY", "headZ"),
        *("gazeLeftYaw", "gazeLeftPitch", "gazeRightYaw", "gazeRightPitch"),
    ]
    assert names[62:] == [f"emotion{n.capitalize()}" for n in schema.EMOTION_NAMES] + ["speech"]


def test_a_receiver_that_knows_only_the_schema_decodes_the_blob():
    motion = distinct_motion()
    blob = motion_codec.encode_blob(motion)
    floats = motion_codec.to_floats(motion)
    for index, channel in enumerate(motion_schema.CHANNELS):
        is_signed = channel.minimum < 0
        size = 2 if is_signed else 1
        data = blob[channel.blob_offset : channel.blob_offset + size]
        value = int.from_bytes(data, "little", signed=is_signed) * channel.blob_step
        assert value == pytest.approx(float(floats[index]), abs=channel.blob_step), channel.name


def test_ranges_hold_what_the_renderer_can_do():
    by_name = {channel.name: channel for channel in motion_schema.CHANNELS}
    assert by_name["jawOpen"].maximum == schema.EXPRESSION_MAX
    nearest_z = (1 - 0.3) * schema.CAMERA_DISTANCE_UNITS
    farthest_z = (1 - 3.0) * schema.CAMERA_DISTANCE_UNITS
    assert by_name["headZ"].minimum <= farthest_z
    assert by_name["headZ"].maximum >= nearest_z
    assert by_name["headYaw"].maximum == pytest.approx(math.pi)


def test_the_hash_depends_on_every_name(monkeypatch):
    before = motion_schema.schema_hash()
    assert before == motion_schema.schema_hash()
    monkeypatch.setattr(motion_schema, "CHANNELS", motion_schema.CHANNELS[:-1])
    assert motion_schema.schema_hash() != before
    assert before < np.iinfo(np.uint64).max
