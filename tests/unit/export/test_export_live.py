"""Live senders, decoded by the libraries of others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from export_facts import distinct_pose, live_link_signed
from fakes.peers import import_peer

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import NameSet, pascal_case
from avatar_service.export.destinations import resolve_destination
from avatar_service.export.live_link_udp import LiveLinkSender, encode_packet
from avatar_service.export.pacing import RateLimit
from avatar_service.export.vmc import MAX_BUNDLE_BYTES, VmcSender
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def test_pylivelinkface_reads_every_channel(receiver: socket.socket, pose: MotionFrame) -> None:
    peer = import_peer("pylivelinkface", "pip install PyLiveLinkFace")
    sender = LiveLinkSender(port=receiver.getsockname()[1], subject="Änne", fps=60)
    sender.publish(pose)
    data = receiver.recv(2048)
    sender.close()
    # The peer counts the subject's characters, not its bytes: it is told an ASCII name instead.
    data = encode_packet(pose, subject="Anne", device=data[5:41].decode(), fps=Fraction(60))
    found, face = peer.PyLiveLinkFace.decode(data)
    assert found
    assert face.name == "Anne"
    assert face._version == 6
    for name, expected in live_link_signed(pose).items():
        value = face.get_blendshape(peer.FaceBlendShape[name])
        assert value == pytest.approx(expected, abs=1e-6), name


def test_packet_has_the_length_and_the_time_of_the_protocol() -> None:
    frame = distinct_pose(pts_nanos=2_525_000_000)
    data = encode_packet(frame, subject="Avatar", device="D" * 36, fps=Fraction(30000, 1001))
    assert len(data) == 306 + len("Avatar")
    offset = 5 + 36 + 4 + 6
    whole = int.from_bytes(data[offset : offset + 4], "big")
    (fraction,) = np.frombuffer(data[offset + 4 : offset + 8], ">f4")
    assert whole + fraction == pytest.approx(2.525 * 30000 / 1001)
    assert int.from_bytes(data[offset + 8 : offset + 12], "big") == 30000
    assert int.from_bytes(data[offset + 12 : offset + 16], "big") == 1001


def test_frames_at_the_senders_rate_count_by_one() -> None:
    numbers = []
    for k in range(100):
        frame = distinct_pose(k * 1_000_000_000 // 30)
        data = encode_packet(frame, subject="Avatar", device="D" * 36, fps=Fraction(30))
        numbers.append(int.from_bytes(data[51:55], "big"))
    assert numbers == list(range(100))


def received_osc(sock: socket.socket) -> list[tuple[str, list[object]]]:
    """Read bundles with python-osc until Apply."""
    osc_bundle = import_peer("pythonosc.osc_bundle", "pip install python-osc")
    messages: list[tuple[str, list[object]]] = []
    while not messages or messages[-1][0] != "/VMC/Ext/Blend/Apply":
        data = sock.recv(65536)
        assert len(data) <= MAX_BUNDLE_BYTES
        for message in osc_bundle.OscBundle(data):
            messages.append((message.address, message.params))
    return messages


def test_python_osc_reads_perfect_sync(receiver: socket.socket, pose: MotionFrame) -> None:
    sender = VmcSender(port=receiver.getsockname()[1], names=[NameSet.PERFECT_SYNC])
    sender.publish(pose)
    messages = received_osc(receiver)
    sender.close()
    weights = dict(params for address, params in messages if address == "/VMC/Ext/Blend/Val")
    expected = {
        pascal_case(name): float(value)
        for name, value in zip(EXPRESSION_NAMES, pose.expression, strict=True)
    }
    assert weights == pytest.approx(expected, abs=1e-6)
    bones = {p[0]: p[1:] for a, p in messages if a == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Head"}


def test_head_and_eyes_arrive_in_unitys_axes(receiver: socket.socket) -> None:
    # One turn at a time, where the sign can be told without a formula: in Unity's left-handed
    # axes a turn about +Y takes +Z to +X, the subject's right.
    still = MotionFrame(0)
    left = MotionFrame(0, head_rotation=np.array([0.3, 0, 0], np.float32))
    down = MotionFrame(0, gaze=np.array([[0, 0.2], [0, 0.2]], np.float32))
    shifted = MotionFrame(0, head_translation=np.array([1, 0, 0], np.float32))
    found = []
    for frame in (still, left, down, shifted):
        sender = VmcSender(port=receiver.getsockname()[1])
        sender.publish(frame)
        messages = received_osc(receiver)
        sender.close()
        found.append({p[0]: p[1:] for a, p in messages if a == "/VMC/Ext/Bone/Pos"})
    assert found[0]["Head"] == pytest.approx([0, 0, 0, 0, 0, 0, 1])
    # To the subject's left is towards -X: a negative turn about +Y.
    assert found[1]["Head"] == pytest.approx([0, 0, 0, 0, -np.sin(0.15), 0, np.cos(0.15)], abs=1e-6)
    # Down takes +Z to -Y: a positive turn about +X, in either handedness of this mirror.
    assert found[2]["LeftEye"] == pytest.approx([0, 0, 0, np.sin(0.1), 0, 0, np.cos(0.1)], abs=1e-6)
    assert found[3]["Head"][:3] == pytest.approx([-0.09, 0, 0], abs=1e-6)


def test_vrm0_names_are_all_offered(receiver: socket.socket, pose: MotionFrame) -> None:
    sender = VmcSender(port=receiver.getsockname()[1])
    sender.publish(pose)
    messages = received_osc(receiver)
    sender.close()
    names = {params[0] for address, params in messages if address == "/VMC/Ext/Blend/Val"}
    assert names == set("AIUEO") | {
        "Blink",
        "Blink_L",
        "Blink_R",
        "Joy",
        "Angry",
        "Sorrow",
        "Fun",
    }
    assert messages[0] == ("/VMC/Ext/OK", [1])
    assert messages[1][0] == "/VMC/Ext/T"


def test_only_loopback_unless_allowed() -> None:
    with pytest.raises(AvatarError) as caught:
        LiveLinkSender("192.0.2.7")
    assert caught.value.reason is Reason.PERMISSION_DENIED
    with pytest.raises(AvatarError):
        VmcSender("192.0.2.7", allowed=["198.51.100.0/24", "studio.example"])
    assert resolve_destination("192.0.2.7", 1, allowed=["192.0.2.0/24"]).host == "192.0.2.7"
    assert resolve_destination("localhost", 9).host in ("127.0.0.1", "::1")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_bad_ports_get_one_line(port: int) -> None:
    with pytest.raises(AvatarError, match="1 to 65535"):
        VmcSender(port=port)


@pytest.mark.parametrize("subject", ["", "x" * 300, "a\nb"])
def test_bad_subjects_get_one_line(subject: str) -> None:
    with pytest.raises(AvatarError, match="subject"):
        LiveLinkSender(subject=subject)


def test_an_unknown_host_gets_one_line() -> None:
    with pytest.raises(AvatarError, match="is not known"):
        resolve_destination("no such host.invalid", 1, allowed=["no such host.invalid"])


def test_a_name_that_nobody_allowed_is_not_even_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked up"))
    with pytest.raises(AvatarError) as fault:
        resolve_destination("secret.internal.example", 1)
    assert fault.value.reason is Reason.PERMISSION_DENIED


def test_rate_is_kept_by_the_frames_own_times() -> None:
    limit = RateLimit(Fraction(30))
    times = [k * 1_000_000_000 // 60 for k in range(60)]
    assert sum(limit.admits(t, 0) for t in times) == 30


def test_every_frame_passes_at_its_own_rate() -> None:
    limit = RateLimit(Fraction(30000, 1001))
    times = [k * 1_000_000_000 * 1001 // 30000 for k in range(300)]
    assert all(limit.admits(t, 0) for t in times)


def test_a_barge_in_starts_the_grid_anew() -> None:
    limit = RateLimit(Fraction(10))
    assert limit.admits(1_000_000_000, 0)
    assert not limit.admits(1_010_000_000, 0)
    assert limit.admits(1_020_000_000, 1)


def test_a_receiver_that_is_gone_does_not_stop_the_sender(pose: MotionFrame) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    sender = LiveLinkSender(port=port)
    for k in range(50):
        sender.publish(distinct_pose(k * 20_000_000, k))
    assert sender.sender.num_sent + sender.sender.num_dropped == 50
    sender.close()


def test_senders_are_publishers_of_a_session(pose: MotionFrame) -> None:
    from avatar_service.transports.publisher import Publisher

    senders: list[Publisher] = [LiveLinkSender(), VmcSender()]
    for sender in senders:
        assert sender.acquire() is None
        sender.publish(pose, np.zeros((4, 4, 4), np.uint8))
        sender.close()
        sender.close()
