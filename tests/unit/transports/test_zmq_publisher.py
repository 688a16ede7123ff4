import stat
import subprocess
import sys

import msgpack
import numpy as np
import pytest
import zmq
from avatar_client.gen.avatar.v1 import endpoint_pb2
from avatar_client.zmq_source import ZmqSource
from fakes.latents import distinct_motion, uniform_motion

from avatar_service.errors import AvatarError, Reason
from avatar_service.transports import motion_codec, zmq_publisher
from avatar_service.transports.grpc_messages import zmq_endpoint_messages
from avatar_service.transports.zmq_publisher import Kind, ZmqPublisher

pytestmark = pytest.mark.unit
WAIT_MILLIS = 10_000


@pytest.fixture
def make_publisher(tmp_path):
    made = []

    def make(**options):
        publisher = ZmqPublisher("session-1", folder=tmp_path, **options)
        made.append(publisher)
        return publisher

    yield make
    for publisher in made:
        publisher.close()


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(0)


def subscribe(context, address, *, server_key=None, hwm=1000):
    socket = context.socket(zmq.SUB)
    socket.set(zmq.RCVTIMEO, WAIT_MILLIS)
    socket.set(zmq.RCVHWM, hwm)
    key = address.curve_server_key if server_key is None else server_key
    if key:
        public, secret = zmq.curve_keypair()
        socket.set(zmq.CURVE_SERVERKEY, key.encode())
        socket.set(zmq.CURVE_PUBLICKEY, public)
        socket.set(zmq.CURVE_SECRETKEY, secret)
    socket.set(zmq.SUBSCRIBE, address.topic.encode())
    socket.connect(address.address)
    return socket


def publish_until_read(publisher, socket, motion, pixels=None):
    """Publish until the subscription has taken effect and a message is there; bounded."""
    for _ in range(WAIT_MILLIS // 10):
        publisher.publish(motion, pixels)
        if socket.poll(10):
            return socket.recv_multipart()
    raise AssertionError("nothing arrived")


def address_of(publisher, kind, scheme="ipc"):
    return next(
        a for a in publisher.addresses if a.kind is kind and a.address.startswith(f"{scheme}:")
    )


def test_a_frame_has_topic_header_and_pixels(make_publisher, context):
    publisher = make_publisher()
    socket = subscribe(context, address_of(publisher, Kind.FRAME))
    pixels = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4)
    motion = distinct_motion()
    topic, header, payload = publish_until_read(publisher, socket, motion, pixels)
    assert topic == b"session-1/frame"
    fields = msgpack.unpackb(header)
    assert fields.pop("t") > 0
    assert fields == {
        **{"v": 1, "kind": "frame", "seq": 3, "epoch": 2, "pts": 50_000_000, "w": 4, "h": 6},
        "motion": motion_codec.encode_blob(motion),
    }
    assert payload == pixels.tobytes()


def test_a_latent_fits_a_thin_line(make_publisher, context):
    publisher = make_publisher(kinds=(Kind.MOTION,))
    socket = subscribe(context, address_of(publisher, Kind.MOTION))
    parts = publish_until_read(publisher, socket, distinct_motion())
    assert parts[2] == motion_codec.encode_blob(distinct_motion())
    # 40 a second stay below 10 kB/s, with ZeroMQ's own bytes and a session id of 32 characters.
    assert 40 * (sum(map(len, parts)) + 32 + 3 * 9) < 10_000


def test_tcp_needs_the_sessions_curve_key(make_publisher, context):
    publisher = make_publisher(tcp_host="127.0.0.1")
    address = address_of(publisher, Kind.MOTION, "tcp")
    other = address_of(publisher, Kind.FRAME, "tcp")
    assert len(address.curve_server_key) == 40
    assert address.curve_server_key != other.curve_server_key
    stranger = subscribe(context, address, server_key=other.curve_server_key)
    friend = subscribe(context, address)
    publish_until_read(publisher, friend, distinct_motion())
    assert not stranger.poll(0)


def test_no_subscriber_costs_no_copy(make_publisher):
    publisher = make_publisher()

    class Untouchable:
        shape = (4, 4, 4)

        def __array__(self, *_, **__):
            raise AssertionError("pixels were read for nobody")

    publisher.publish(distinct_motion(), Untouchable())


def test_a_stalled_subscriber_costs_the_publisher_nothing_and_loses_frames(make_publisher, context):
    publisher = make_publisher()
    stalled = subscribe(context, address_of(publisher, Kind.FRAME), hwm=2)
    pixels = np.zeros((256, 256, 4), np.uint8)
    publish_until_read(publisher, stalled, uniform_motion(0, 1), pixels)
    num_sent = 400  # 100 MiB, far beyond every queue on the way
    for seq in range(2, num_sent + 2):
        publisher.publish(uniform_motion(0, seq), pixels)
    num_received = 0
    while stalled.poll(50):
        stalled.recv_multipart()
        num_received += 1
    assert 0 < num_received < num_sent / 2


def test_pixels_are_free_after_publish(make_publisher, context):
    publisher = make_publisher()
    socket = subscribe(context, address_of(publisher, Kind.FRAME))
    pixels = np.full((64, 64, 4), 1, np.uint8)
    publish_until_read(publisher, socket, uniform_motion(0, 1), pixels)
    while socket.poll(20):
        socket.recv_multipart()
    publisher.publish(uniform_motion(0, 2), pixels)
    pixels[...] = 2
    assert set(socket.recv_multipart()[2]) == {1}


def test_the_folder_is_private_and_goes_with_the_publisher(make_publisher, tmp_path):
    publisher = make_publisher()
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert zmq_publisher.reclaim_sockets(tmp_path) == []
    publisher.close()
    publisher.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="locks are flock")
def test_the_folder_of_a_killed_service_is_reclaimed(tmp_path):
    program = (
        "import sys, pathlib\n"
        "from avatar_service.transports.zmq_publisher import ZmqPublisher\n"
        "p = ZmqPublisher('s', folder=pathlib.Path(sys.argv[1]))\n"
        "print('up', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline().strip() == b"up"
    assert zmq_publisher.reclaim_sockets(tmp_path) == []
    process.kill()
    process.communicate()
    assert len(zmq_publisher.reclaim_sockets(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_cannot_be_bound_is_told_and_leaves_nothing(make_publisher, tmp_path):
    with pytest.raises(AvatarError, match="cannot listen on tcp") as caught:
        make_publisher(tcp_host="192.0.2.1")
    assert caught.value.reason is Reason.INVALID_FIELD
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["ipc", "tcp"])
def test_the_client_reads_what_is_published(make_publisher, scheme):
    publisher = make_publisher(tcp_host="127.0.0.1")
    endpoint = next(
        e
        for e in zmq_endpoint_messages(publisher)
        if e.output == endpoint_pb2.OUTPUT_FRAMES and e.address.startswith(scheme)
    )
    source = ZmqSource(endpoint, "127.0.0.1")
    pixels = np.arange(8 * 8 * 4, dtype=np.uint8).reshape(8, 8, 4)
    frame = None
    for seq in range(1, WAIT_MILLIS // 10):
        publisher.publish(uniform_motion(0.5, seq, epoch=70_000, pts_nanos=seq), pixels)
        if (frame := source.next(0.01)) is not None:
            break
    assert frame is not None
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert (frame.pts_nanos, frame.epoch, frame.motion.epoch) == (frame.seq, 70_000, 70_000)
    assert source.is_alive
    source.close()
    source.close()
    assert not source.is_alive
