import os
import stat
import sys
from fractions import Fraction

import numpy as np
import pytest
from avatar_client import RingReader
from fakes.latents import distinct_motion, uniform_motion

from avatar_service.errors import AvatarError, Reason
from avatar_service.transports import motion_codec
from avatar_service.transports.grpc_messages import ring_descriptor_message
from avatar_service.transports.ring import RingGeometry, RingWriter

pytestmark = pytest.mark.unit
FAR = 1 << 62


@pytest.fixture
def make_ring(tmp_path):
    rings = []

    def make(width=16, height=8, slots=4, **options):
        ring = RingWriter(
            RingGeometry(width, height, slots), Fraction(40), folder=tmp_path, **options
        )
        rings.append(ring)
        return ring

    yield make
    for ring in rings:
        ring.close()


def open_reader(ring):
    return RingReader(ring_descriptor_message(ring))


def fill(ring, value, seq, **times):
    pixels = ring.acquire()
    pixels[...] = value
    ring.publish(uniform_motion(value / 255, seq, **times), pixels)


def test_what_is_drawn_into_the_slot_is_read_without_a_copy_in_between(make_ring):
    ring = make_ring()
    reader = open_reader(ring)
    pixels = ring.acquire()
    assert pixels.shape == (8, 16, 4)
    pixels[...] = np.arange(8 * 16 * 4, dtype=np.uint8).reshape(8, 16, 4)
    motion = distinct_motion()
    ring.publish(motion, pixels)
    frame = reader.due(FAR)
    np.testing.assert_array_equal(frame.pixels, pixels)
    np.testing.assert_array_equal(frame.motion.values, motion_codec.to_floats(motion))
    assert (frame.seq, frame.epoch, frame.pts_nanos) == (3, 2, 50_000_000)
    assert frame.published_nanos > 0


def test_acquire_lends_the_same_place_until_it_is_published(make_ring):
    ring = make_ring()
    first = ring.acquire()
    assert ring.acquire() is first
    ring.publish(uniform_motion(0, 1), first)
    assert ring.acquire() is not first


def test_a_picture_from_elsewhere_is_copied_in(make_ring):
    ring = make_ring()
    picture = np.full((8, 16, 4), 9, np.uint8)
    ring.publish(uniform_motion(0, 1), picture)
    picture[...] = 0
    assert (open_reader(ring).due(FAR).pixels == 9).all()


def test_a_foreign_picture_after_acquire_replaces_the_loan(make_ring):
    ring = make_ring()
    ring.acquire()[...] = 1
    ring.publish(uniform_motion(0, 1), np.full((8, 16, 4), 9, np.uint8))
    assert (open_reader(ring).due(FAR).pixels == 9).all()


@pytest.mark.parametrize("shape", [(8, 16, 3), (16, 8, 4), (4, 16, 4)])
def test_a_picture_of_another_size_is_refused_and_the_ring_goes_on(make_ring, shape):
    ring = make_ring()
    with pytest.raises(ValueError, match="is expected"):
        ring.publish(uniform_motion(0, 1), np.zeros(shape, np.uint8))
    assert ring.num_published == 0
    fill(ring, 5, 1)
    assert (open_reader(ring).due(FAR).pixels == 5).all()


def test_a_latent_that_is_not_finite_is_refused_and_not_published(make_ring):
    ring = make_ring()
    reader = open_reader(ring)
    pixels = ring.acquire()
    with pytest.raises(ValueError, match="finite"):
        ring.publish(uniform_motion(float("nan"), 1), pixels)
    assert reader.due(FAR) is None
    fill(ring, 7, 2)
    assert reader.due(FAR).seq == 2


def test_a_latent_only_ring_has_no_pixels(make_ring):
    ring = make_ring(0, 0)
    assert ring.acquire() is None
    ring.publish(distinct_motion(), None)
    frame = open_reader(ring).due(FAR)
    assert not frame.has_pixels
    np.testing.assert_array_equal(frame.motion.expression, distinct_motion().expression)
    assert ring.geometry.file_bytes < 8192
    with pytest.raises(ValueError, match="is expected"):
        ring.publish(distinct_motion(), np.zeros((8, 16, 4), np.uint8))


def test_a_latent_without_its_picture_is_no_picture(make_ring):
    ring = make_ring()
    fill(ring, 200, 1)
    ring.publish(uniform_motion(0.5, 2), None)
    frame = open_reader(ring).due(FAR)
    assert frame.seq == 2
    assert not frame.has_pixels


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_only_this_user_may_read(make_ring):
    ring = make_ring()
    assert stat.S_IMODE(os.stat(ring.path).st_mode) == 0o600
    assert len(ring.path.name) > 32


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX groups")
def test_a_group_may_read_where_it_is_named(make_ring):
    import grp

    ring = make_ring(group=grp.getgrgid(os.getgid()).gr_name)
    assert stat.S_IMODE(os.stat(ring.path).st_mode) == 0o640
    with pytest.raises(AvatarError, match="no group") as caught:
        make_ring(group="no-such-group-here")
    assert caught.value.reason is Reason.INVALID_FIELD


def test_closing_ends_readers_and_removes_the_file(make_ring, tmp_path):
    ring = make_ring()
    reader = open_reader(ring)
    fill(ring, 1, 1)
    loan = ring.acquire()
    assert reader.is_alive
    ring.close()
    ring.close()
    assert not reader.is_alive
    assert list(tmp_path.iterdir()) == []
    # Nobody is hurt by what still holds a view, and what comes too late is dropped.
    loan[...] = 3
    assert ring.acquire() is None
    ring.publish(uniform_motion(0, 2), None)
    assert reader.next(0.0).seq == 1
    assert reader.next(60.0) is None


def test_the_heartbeat_tells_a_silent_writer_from_a_dead_one(make_ring, monkeypatch):
    ring = make_ring()
    reader = open_reader(ring)
    now = [10**18]
    monkeypatch.setattr("time.monotonic_ns", lambda: now[0])
    ring.beat()
    now[0] += 4_900_000_000
    assert reader.is_alive
    now[0] += 200_000_000
    assert not reader.is_alive
    ring.beat()
    assert reader.is_alive


@pytest.mark.parametrize(
    ("width", "height", "slots"), [(0, 8, 8), (8, 0, 8), (4097, 8, 8), (8, 8, 2), (8, 8, 65)]
)
def test_absurd_sizes_are_refused(width, height, slots):
    with pytest.raises(AvatarError) as caught:
        RingGeometry(width, height, slots)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.field in ("width_px", "ring_slot_count")
