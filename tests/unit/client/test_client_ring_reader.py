import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from avatar_client import RingError, RingReader, TornFrameError
from avatar_client import ring_layout as layout
from avatar_client.gen.avatar.v1 import endpoint_pb2
from fakes import ring_process
from fakes.latents import uniform_motion
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avatar_service.transports.grpc_messages import ring_descriptor_message
from avatar_service.transports.ring import RingGeometry, RingWriter

pytestmark = pytest.mark.unit
FAR = 1 << 62


@pytest.fixture
def ring(tmp_path):
    ring = RingWriter(RingGeometry(16, 8, 4), Fraction(40), folder=tmp_path)
    yield ring
    ring.close()


@pytest.fixture
def reader(ring):
    return RingReader(ring_descriptor_message(ring))


def publish(ring, seq, *, epoch=0):
    """Publish picture `seq`, all bytes `seq`, at 1000 * seq."""
    pixels = ring.acquire()
    pixels[...] = seq
    ring.publish(uniform_motion(seq / 256, seq, epoch=epoch, pts_nanos=1000 * seq), pixels)


def test_the_newest_frame_that_is_due_is_taken(ring, reader):
    assert reader.due(FAR) is None
    for seq in (1, 2, 4):  # 3 was left out
        publish(ring, seq)
    assert reader.due(999) is None
    assert [reader.due(pts).seq for pts in (1000, 1999, 2000, 3999, 4000, FAR)] == [
        1,
        1,
        2,
        2,
        4,
        4,
    ]
    assert reader.motion_due(3999).values[0] == pytest.approx(2 / 256)


def test_pixels_go_where_they_are_wanted(ring, reader):
    publish(ring, 9)
    out = np.zeros((8, 16, 4), np.uint8)
    assert reader.due(FAR, out=out).pixels is out
    assert (out == 9).all()
    assert reader.next(0.0, out=out) is not None


def test_frames_come_once_each_and_in_order_and_losses_are_counted(ring, reader):
    publish(ring, 1)
    publish(ring, 2)
    assert [reader.next(0.0).seq for _ in range(2)] == [1, 2]
    assert reader.next(0.0) is None
    for seq in range(3, 13):  # ten pictures through four slots
        publish(ring, seq)
    assert [reader.next(0.0).seq for _ in range(4)] == [9, 10, 11, 12]
    assert reader.counters.num_missed == 6
    assert reader.counters.num_frames == 6


def test_what_was_there_before_is_not_next_but_it_is_due(ring):
    publish(ring, 1)
    reader = RingReader(ring_descriptor_message(ring))
    assert reader.next(0.0) is None
    assert reader.due(FAR).seq == 1


def test_a_picture_that_is_being_written_is_not_read(ring, reader):
    for seq in range(1, 5):
        publish(ring, seq)
    ring.acquire()[...] = 255  # over picture 1
    assert reader.due(1500) is None
    assert reader.due(FAR).seq == 4
    assert reader.next(0.0).seq == 2


def test_a_borrowed_picture_that_stays_whole_costs_no_copy(ring, reader):
    publish(ring, 7)
    with reader.borrow(FAR) as frame:
        assert (frame.pixels == 7).all()
        assert not frame.pixels.flags.owndata
        assert not frame.pixels.flags.writeable
        publish(ring, 8)


def test_a_borrowed_picture_that_was_overwritten_is_noticed_on_release(ring, reader):
    publish(ring, 1)
    borrowed = reader.borrow(FAR)
    for seq in range(2, 5):
        publish(ring, seq)
    assert borrowed.release()
    ring.acquire()  # the writer begins to draw over it
    assert not borrowed.release()
    assert reader.counters.num_torn == 1
    publish(ring, 5)
    borrowed = reader.borrow(FAR)
    for seq in range(6, 10):
        publish(ring, seq)
    with pytest.raises(TornFrameError), borrowed:
        pass


def test_a_copy_that_was_torn_is_thrown_away_and_the_next_best_is_read(ring, reader, monkeypatch):
    publish(ring, 1)
    real_copy = np.copyto
    overtakings = iter(range(2, 6))

    def slow_copy(target, source):
        real_copy(target, source)
        for seq in overtakings:  # all slots are written anew while the first is copied
            publish(ring, seq)

    monkeypatch.setattr(np, "copyto", slow_copy)
    frame = reader.due(FAR)
    assert frame.seq == 5
    assert (frame.pixels == 5).all()
    assert reader.counters.num_torn == 1


def test_an_older_epoch_is_dropped_behind_the_cut(ring, reader):
    for seq in range(1, 4):
        publish(ring, seq)
    reader.raise_epoch(1, 2000)
    assert reader.due(FAR).seq == 2
    publish(ring, 4, epoch=1)
    assert [reader.next(0.0).seq for _ in range(3)] == [1, 2, 4]
    reader.raise_epoch(0, 0)  # goes up only
    assert reader.due(FAR).seq == 4


def test_a_closed_reader_gives_nothing(ring, reader):
    publish(ring, 1)
    frame = reader.due(FAR)
    reader.close()
    reader.close()
    assert reader.due(FAR) is None
    assert reader.next(60.0) is None
    assert not reader.is_alive
    assert (frame.pixels == 1).all()


def test_nothing_torn_comes_through_while_another_process_writes_as_fast_as_it_can(tmp_path):
    num_frames = 3000
    writer = subprocess.Popen(
        [sys.executable, ring_process.__file__, "write", str(tmp_path), str(num_frames)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    descriptor = endpoint_pb2.RingDescriptor.FromString(bytes.fromhex(writer.stdout.readline()))
    reader = RingReader(descriptor)
    writer.stdin.write("go\n")
    writer.stdin.flush()
    last_seq = num_read = 0
    while (frame := reader.next(20.0)) is not None:
        assert frame.seq > last_seq
        last_seq = frame.seq
        num_read += 1
        assert (frame.pixels == ring_process.picture_value(frame.seq)).all()
        assert (frame.motion.expression == ring_process.motion_value(frame.seq)).all()
        assert frame.pts_nanos == frame.seq * 1000
    assert json.loads(writer.communicate(timeout=20)[0]) == {"published": num_frames}
    assert last_seq == num_frames
    assert num_read + reader.counters.num_missed == num_frames


def test_a_reader_wakes_up_for_a_new_picture_and_for_the_end(ring, reader):
    import threading

    results = []
    thread = threading.Thread(target=lambda: results.extend([reader.next(30), reader.next(30)]))
    thread.start()
    publish(ring, 1)
    while not results and ring.num_published < 2:
        if reader.counters.num_frames:
            ring.close()
            break
    thread.join(30)
    assert [frame and frame.seq for frame in results] == [1, None]


HEADER_FIELDS = sorted(
    name
    for name in layout.HEADER_DTYPE.names
    if name
    in (
        *("magic", "version", "header_bytes", "slot_count", "slot_stride", "file_bytes"),
        *("width_px", "height_px", "row_stride", "motion_offset", "pixels_offset"),
        *("motion_floats", "ring_id"),
    )
)


@pytest.mark.parametrize("name", HEADER_FIELDS)
def test_a_header_that_lies_is_refused_field_by_field(ring, name):
    with ring.path.open("r+b") as file:
        file.seek(layout.HEADER_DTYPE.fields[name][1])
        file.write(b"\xee\xee\xee\x7e")
    with pytest.raises(RingError) as caught:
        RingReader(ring_descriptor_message(ring))
    assert caught.value.reason == "BAD_RING"


@pytest.mark.parametrize("num_bytes", [0, 100, 4096, 5000])
def test_a_truncated_ring_is_refused(ring, tmp_path, num_bytes):
    descriptor = ring_descriptor_message(ring)
    copy = tmp_path / "copy"
    copy.write_bytes(ring.path.read_bytes()[:num_bytes])
    descriptor.path = str(copy)
    with pytest.raises(RingError):
        RingReader(descriptor)


def test_a_ring_that_is_not_there_or_only_a_link_is_refused(ring, tmp_path):
    descriptor = ring_descriptor_message(ring)
    link = tmp_path / "link"
    link.symlink_to(ring.path)
    for path in (tmp_path / "nowhere", link, tmp_path):
        descriptor.path = str(path)
        with pytest.raises(RingError, match=str(path)):
            RingReader(descriptor)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    patches=st.lists(
        st.tuples(st.integers(0, 4096 + 4 * 4608 - 8), st.binary(min_size=1, max_size=8)),
        min_size=1,
        max_size=6,
    )
)
def test_hostile_contents_neither_crash_nor_hang(tmp_path, patches):
    ring = RingWriter(RingGeometry(8, 4, 4), Fraction(40), folder=tmp_path)
    try:
        descriptor = ring_descriptor_message(ring)
        for seq in range(1, 4):
            publish(ring, seq)
        content = bytearray(ring.path.read_bytes())
        for offset, data in patches:
            content[offset : offset + len(data)] = data
        # In the same file: its id must match.
        copy = Path(tmp_path) / "hostile"
        copy.write_bytes(content)
        descriptor.path = str(copy)
        try:
            reader = RingReader(descriptor)
        except RingError:
            return
        for pts in (0, 2500, FAR):
            reader.due(pts)
            reader.motion_due(pts)
            if (borrowed := reader.borrow(pts)) is not None:
                borrowed.release()
        reader.next(0.0)
    finally:
        ring.close()
