import contextlib
import threading

import numpy as np
import pytest
from avatar_client import BackOff, Frame, MotionNames
from avatar_client.audio import chunks_from
from avatar_client.clock import SessionClock
from avatar_client.controls import controls_message
from avatar_client.frame_buffer import FrameBuffer
from avatar_client.gen.avatar.v1 import audio_pb2, control_pb2, motion_pb2
from avatar_client.motion import Motion, decode_blob
from avatar_client.zmq_source import reachable_address, read_message
from fakes.latents import distinct_motion, motions
from fakes.manual_clock import ManualClock
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.transports import grpc_messages, motion_codec

pytestmark = pytest.mark.unit


def frame(seq, *, epoch=0):
    motion = Motion(seq * 10, seq, epoch, np.zeros(71, np.float32))
    return Frame(seq * 10, seq, epoch, motion, np.full((2, 2, 4), seq % 256, np.uint8))


# Latents.


@settings(max_examples=40, deadline=None)
@given(motions())
def test_client_and_service_decode_alike(motion):
    blob = motion_codec.encode_blob(motion)
    theirs = motion_codec.decode_blob(blob)
    ours = decode_blob(blob, near_epoch=motion.epoch)
    np.testing.assert_array_equal(ours.values, motion_codec.to_floats(theirs))
    assert (ours.pts_nanos, ours.seq, ours.epoch) == (motion.pts_nanos, motion.seq, motion.epoch)


def test_parts_of_a_latent_are_where_the_schema_says():
    names = MotionNames(grpc_messages.motion_schema_message())
    motion = distinct_motion()
    ours = decode_blob(motion_codec.encode_blob(motion))
    by_name = names.by_name(ours)
    assert by_name["jawOpen"] == pytest.approx(float(motion.expression[17]), abs=0.003)
    assert by_name["gazeRightYaw"] == pytest.approx(-0.2, abs=1e-4)
    np.testing.assert_allclose(ours.head_translation, motion.head_translation, atol=1e-3)
    np.testing.assert_allclose(ours.gaze, motion.gaze, atol=1e-4)
    np.testing.assert_allclose(ours.emotion, motion.emotion, atol=3e-3)
    assert ours.speech == pytest.approx(0.77, abs=3e-3)
    assert names.expression_names[51] == "tongueOut"


def test_a_schema_of_another_size_is_refused():
    with pytest.raises(ValueError, match="71 are known"):
        MotionNames(motion_pb2.MotionSchema(schema_id="other"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120) | st.binary(min_size=97, max_size=97))
def test_hostile_blobs_are_refused_or_finite(data):
    with contextlib.suppress(ValueError):
        assert np.isfinite(decode_blob(data).values).all()


# Buffer.


def test_the_buffer_keeps_the_newest_and_counts_what_was_not_read():
    buffer = FrameBuffer(4)
    buffer.put(frame(1))
    assert buffer.next(0).seq == 1
    for seq in range(2, 9):
        buffer.put(frame(seq))
    assert [buffer.next(0).seq for _ in range(4)] == [5, 6, 7, 8]
    assert buffer.counters.num_missed == 3
    assert buffer.next(0) is None


def test_the_buffer_finds_what_is_due_and_ignores_repetitions():
    buffer = FrameBuffer(4)
    for seq in (1, 2, 2, 1, 4):
        buffer.put(frame(seq))
    assert buffer.due(9) is None
    assert [buffer.due(pts).seq for pts in (10, 39, 40)] == [1, 2, 4]
    out = np.zeros((2, 2, 4), np.uint8)
    assert buffer.due(39, out=out).pixels is out
    assert (out == 2).all()
    assert buffer.motion_due(25).seq == 2


def test_an_interrupt_empties_the_buffer_of_what_is_void():
    buffer = FrameBuffer(8)
    for seq in range(1, 6):
        buffer.put(frame(seq))
    assert buffer.next(0).seq == 1
    buffer.raise_epoch(1, 30)
    buffer.put(frame(6))
    buffer.put(frame(7, epoch=1))
    assert [buffer.next(0).seq for _ in range(3)] == [2, 3, 7]


def test_a_lossless_buffer_holds_its_writer_until_there_is_room_or_it_is_closed():
    buffer = FrameBuffer(2, is_lossless=True)
    seqs = []

    def fill():
        for seq in range(1, 20):
            buffer.put(frame(seq))

    writer = threading.Thread(target=fill)
    writer.start()
    while len(seqs) < 10:
        seqs.append(buffer.next(10).seq)
    assert seqs == list(range(1, 11))
    assert writer.is_alive()
    buffer.close()
    writer.join(10)
    assert not writer.is_alive()


# Audio and controls.


@pytest.mark.parametrize(
    ("samples", "channels", "audio_format", "num_channels"),
    [
        (np.zeros(10), None, audio_pb2.AUDIO_FORMAT_F32LE, 1),
        (np.zeros((10, 2), np.float32), 2, audio_pb2.AUDIO_FORMAT_F32LE, 2),
        (np.zeros(10, np.int16), None, audio_pb2.AUDIO_FORMAT_PCM_S16LE, 1),
        (bytes(40), 2, audio_pb2.AUDIO_FORMAT_PCM_S16LE, 2),
        (bytearray(40), None, audio_pb2.AUDIO_FORMAT_PCM_S16LE, 1),
    ],
)
def test_samples_of_all_usual_forms_are_taken(samples, channels, audio_format, num_channels):
    (chunk,) = chunks_from(samples, sample_rate_hz=8000, channels=channels, role="listen")
    assert (chunk.format, chunk.channels) == (audio_format, num_channels)
    assert chunk.role == audio_pb2.AUDIO_ROLE_LISTEN


@pytest.mark.parametrize(
    ("samples", "channels", "word"),
    [
        (bytes(3), None, "whole number"),
        (bytes(6), 2, "whole number"),
        (np.zeros((2, 2, 2)), None, "shape"),
        (np.zeros((5, 2)), 1, "announced"),
        (np.zeros(5, np.int32), None, "int32"),
        (np.array([0.0, np.nan]), None, "finite"),
        ([0.0, 0.5], None, "audio: list; bytes or a NumPy array"),
        ("speech.wav", None, "audio: str; bytes or a NumPy array"),
    ],
)
def test_samples_of_other_forms_are_refused(samples, channels, word):
    with pytest.raises(ValueError, match=word):
        list(chunks_from(samples, sample_rate_hz=8000, channels=channels))


def test_no_samples_are_no_message():
    assert list(chunks_from(np.zeros(0), sample_rate_hz=8000)) == []


def test_controls_hold_what_is_given_and_nothing_else():
    message = controls_message({"distance": 0.5, "seed": 0, "gaze": "free", "emotion": {}})
    present = {field.name for field, _ in message.ListFields()}
    assert present == {"distance", "seed", "free_gaze", "emotion"}
    look = controls_message({"look_at": (1, 2, 3), "background": "transparent"})
    assert look.look_at.z == 3
    assert look.background.mode == control_pb2.BACKGROUND_MODE_TRANSPARENT
    for bad in ({"gaze": "free", "look_at": (0, 0, 1)}, {"background": "blue"}):
        with pytest.raises(ValueError, match="gaze|background"):
            controls_message(bad)
    with pytest.raises(TypeError, match="distanse"):
        controls_message({"distanse": 1.0})


# Time.


def test_the_clock_believes_the_report_that_was_least_under_way():
    clock = ManualClock(0)
    session = SessionClock(clock.now_nanos)
    assert session.pts_nanos() == 0
    clock.advance(millis=100)
    session.observe(1_000_000_000)
    clock.advance(millis=1000)
    session.observe(1_990_000_000)  # 10 ms older than it says
    assert session.pts_nanos() == pytest.approx(1_990_000_000, abs=1)
    clock.advance(millis=100)
    session.observe(2_000_000_000)  # 90 ms under way: not believed
    assert session.pts_nanos() == pytest.approx(2_089_000_000, abs=2)


def test_waits_grow_to_a_bound_and_differ():
    back_off = BackOff(initial_secs=0.1, factor=2, max_secs=1, jitter=0.5)
    for num_tries, longest in ((1, 0.1), (2, 0.2), (4, 0.8), (9, 1.0), (10_000, 1.0)):
        waits = {back_off.wait_secs(num_tries) for _ in range(20)}
        assert len(waits) > 1
        assert all(longest / 2 <= wait <= longest for wait in waits)


# ZeroMQ.


@pytest.mark.parametrize(
    ("address", "host", "expected"),
    [
        ("tcp://0.0.0.0:5000", "game.example", "tcp://game.example:5000"),
        ("tcp://[::]:5000", "::1", "tcp://[::1]:5000"),
        ("tcp://10.0.0.1:5000", "game.example", "tcp://10.0.0.1:5000"),
        ("ipc:///tmp/a/frame", "game.example", "ipc:///tmp/a/frame"),
    ],
)
def test_a_wildcard_address_becomes_the_servers(address, host, expected):
    assert reachable_address(address, host) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=200), max_size=4),
    st.dictionaries(st.text(), st.integers(-(1 << 63), (1 << 64) - 1)),
)
def test_hostile_messages_are_refused(parts, header):
    import msgpack

    class Part:
        def __init__(self, data):
            self.buffer = memoryview(data)

    for message in (parts, [b"t", msgpack.packb(header | {"v": 1}), *parts][:3]):
        with pytest.raises((ValueError, TypeError, KeyError, msgpack.UnpackException)):
            read_message([Part(part) for part in message])
