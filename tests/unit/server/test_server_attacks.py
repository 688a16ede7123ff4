"""What a hostile or broken client tries; each time the others go on."""

from __future__ import annotations

import contextlib
import hmac
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from avatar_client import BackOff, connection
from fakes import http2_peer
from fakes.service import RunningService, running_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rpc_tools import CONSENT, Stream, audio, details_of, opening, photo_parts, reason_of, refused

from avatar_service.config import QuotaConfig
from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_pb2, avatar_service_pb2_grpc, control_pb2
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.server import connections, photo_upload
from avatar_service.server.access import TokenFile
from avatar_service.server.quotas import Quotas, TokenBucket

pytestmark = pytest.mark.unit

WAIT_SECS = 10.0
PING_MILLIS = 40
HTTP2_HELLO = http2_peer.HELLO + http2_peer.SETTINGS
HTTP2_PING = http2_peer.PING + b"are you?"
QUICKER = 50
"""So many times shorter are a connection's times in the tests that wait for their end."""
NATIVE_CLIENT = Path(__file__).parents[3] / "engine_clients/native/src/rpc_client.cpp"


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def info(service: RunningService) -> pb.GetServerInfoResponse:
    return service.stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=WAIT_SECS)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with pytest.MonkeyPatch.context() as patch:
        limits = dict(connections.CONNECTION_OPTIONS)
        limits["grpc.server_handshake_timeout_ms"] = 500
        limits["grpc.max_allowed_incoming_connections"] = 8
        limits["grpc.http2.min_ping_interval_without_data_ms"] = PING_MILLIS
        patch.setattr(connections, "CONNECTION_OPTIONS", tuple(limits.items()))
        with running_service(tmp_path_factory.mktemp("home")) as running:
            yield running


def connected(service: RunningService) -> socket.socket:
    host, _, port = service.address.rpartition(":")
    connection = socket.create_connection((host, int(port)), WAIT_SECS)
    connection.settimeout(WAIT_SECS)
    return connection


def ended(connection: socket.socket) -> bool:
    """Whether the other end closes; what it says before counts for nothing."""
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def test_a_connection_that_says_nothing_is_closed(service) -> None:
    with connected(service) as silent:
        assert ended(silent)


def test_a_connection_that_says_nonsense_is_closed(service) -> None:
    with connected(service) as loud:
        loud.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ended(loud)


def test_a_client_may_ask_whether_we_live_but_not_all_the_time(service) -> None:
    with connected(service) as client:
        client.sendall(HTTP2_HELLO)
        for _ in range(5):  # gRPC's default interval, 5 minutes, allows three of them
            time.sleep(2 * PING_MILLIS / 1e3)
            client.sendall(HTTP2_PING)
        client.settimeout(0.2)
        heard = b""
        with contextlib.suppress(TimeoutError):
            while part := client.recv(4096):
                heard += part
        assert heard.count(b"are you?") == 5
        client.settimeout(WAIT_SECS)
        client.sendall(10 * HTTP2_PING)
        while part := client.recv(4096):
            heard += part
        assert b"too_many_pings" in heard


def test_our_clients_ask_but_never_too_often() -> None:
    assert connection.KEEPALIVE_MILLIS > connections.MIN_PING_INTERVAL_MILLIS
    found = re.search(r"kMinKeepaliveMillis = ([\d']+);", NATIVE_CLIENT.read_text())
    assert found is not None
    assert int(found[1].replace("'", "")) > connections.MIN_PING_INTERVAL_MILLIS


def test_many_connections_are_turned_away_and_who_is_in_goes_on(service) -> None:
    info(service)
    many = [connected(service) for _ in range(12)]
    info(service)
    assert any(ended(one) for one in many[-4:])
    for one in many:
        one.close()
    eventually(lambda: bool(info(service)))


@pytest.fixture
def quick_service(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningService]:
    """A service in which the times that the test names are shorter."""
    limits = dict(connections.CONNECTION_OPTIONS)
    for name in request.param:
        limits[f"grpc.{name}"] //= QUICKER
    monkeypatch.setattr(connections, "CONNECTION_OPTIONS", tuple(limits.items()))
    with running_service(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "quick_service", [("keepalive_time_ms", "http2.ping_timeout_ms")], indirect=True
)
def test_a_peer_that_does_not_answer_is_given_up_in_time(quick_service) -> None:
    with connected(quick_service) as dead:
        dead.sendall(HTTP2_HELLO)
        told = http2_peer.PingCounter(dead, answers=False)
        while told.read():
            pass
    assert b"ping_timeout" in told.heard
    # A client that comes back is told of its own ghost for so long, and must not give up before.
    ghost_millis = connections.KEEPALIVE_MILLIS + connections.PING_TIMEOUT_MILLIS
    assert ghost_millis / 1e3 < BackOff().give_up_secs - BackOff().max_secs


@pytest.mark.parametrize(
    "quick_service", [("keepalive_time_ms", "max_connection_idle_ms")], indirect=True
)
def test_connections_without_a_call_are_closed_and_quiet_sessions_go_on(quick_service) -> None:
    session = quick_service.stub.CreateSession(pb.CreateSessionRequest()).session
    quiet = Stream(quick_service.stub, session.session_id)
    with grpc.insecure_channel(quick_service.address) as channel:
        other = avatar_service_pb2_grpc.AvatarServiceStub(channel)
        other.GetServerInfo(pb.GetServerInfoRequest())
        with connected(quick_service) as idle:
            idle.sendall(HTTP2_HELLO)
            told = http2_peer.PingCounter(idle)
            while told.read():
                pass
        assert b"connection idle" in told.heard
        time.sleep(2 * connections.IDLE_CONNECTION_MILLIS / QUICKER / 1e3)  # the other one, too
        other.GetServerInfo(pb.GetServerInfoRequest())  # comes back by itself
    quiet.send(audio())
    assert quiet.until("segment_started")
    quiet.close()


def test_huge_metadata_is_refused(service) -> None:
    error = refused(
        lambda: service.stub.GetServerInfo(
            pb.GetServerInfoRequest(), metadata=[("x-much", "x" * (1 << 20))], timeout=WAIT_SECS
        )
    )
    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    info(service)


def test_a_huge_message_is_refused(service) -> None:
    limit = info(service).limits.max_message_bytes
    session_id = service.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
    stream = Stream(service.stub, session_id)
    stream.send(audio(data=bytes(limit + 1)))
    assert refused(stream.rest).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    service.stub.CloseSession(pb.CloseSessionRequest(session_id=session_id))


def test_an_upload_that_trickles_ends_as_a_whole(service, monkeypatch) -> None:
    monkeypatch.setattr(photo_upload, "UPLOAD_TIMEOUT_SECS", 0.2)

    def trickle() -> Iterator[pb.CreateAvatarRequest]:
        yield pb.CreateAvatarRequest(header=avatar_pb2.AvatarHeader(consent=CONSENT))
        for _ in range(1000):
            time.sleep(0.02)
            yield pb.CreateAvatarRequest(photo_chunk=b"x")

    error = refused(lambda: service.stub.CreateAvatar(trickle(), timeout=WAIT_SECS))
    assert reason_of(error) == "INVALID_IMAGE"
    assert "not whole within" in error.details()


def test_calls_that_are_dropped_half_way_leave_nothing(service) -> None:
    for _ in range(5):
        session_id = service.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
        calls = [
            service.stub.CreateAvatar.future(iter([next(photo_parts())])),
            service.stub.CreateSession.future(pb.CreateSessionRequest()),
            service.stub.Animate(iter([opening(session_id), audio()])),
        ]
        for call in calls:
            call.cancel()
        service.stub.CloseSession(pb.CloseSessionRequest(session_id=session_id))
    eventually(lambda: not service.service._guard._running)
    manager = service.service._manager
    # A session whose answer was on its way when the caller left waits for a stream, and times out.
    for one in manager.sessions:
        service.stub.CloseSession(pb.CloseSessionRequest(session_id=one.session_id))
    assert len(manager.capacity._reservations) == 0


def test_absurd_controls_are_refused_and_say_which(service) -> None:
    session_id = service.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
    for field, value in (("distance", float("nan")), ("head_motion", 1e38), ("blink_rate", -1.0)):
        stream = Stream(service.stub, session_id)
        controls = control_pb2.Controls(**{field: value})
        change = control_pb2.ControlChange(controls=controls)
        stream.send(pb.AnimateRequest(control=change))
        error = refused(stream.rest)
        assert reason_of(error) == "INVALID_FIELD"
        assert field in error.details()
    service.stub.CloseSession(pb.CloseSessionRequest(session_id=session_id))


# Quotas, of one client after the other.


def exceeded(call: Callable[[], object]) -> float:
    """Check that a call is beyond a quota; return the seconds after which to try again."""
    error = refused(call)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(error) == "QUOTA_EXCEEDED"
    return details_of(error)["RetryInfo"].retry_delay.ToTimedelta().total_seconds()


def test_sessions_and_avatars_of_one_client_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"{'a' * 20} name=a\n{'b' * 20} name=b\n")
    options = {"quotas.sessions": 2, "quotas.avatars": 1, "token_file": tmp_path / "tokens"}
    with running_service(tmp_path, **options) as service:
        a, b = ([("authorization", f"Bearer {letter * 20}")] for letter in "ab")
        request = pb.CreateSessionRequest()
        for _ in range(2):
            service.stub.CreateSession(request, metadata=a)
        assert exceeded(lambda: service.stub.CreateSession(request, metadata=a)) == 5.0
        service.stub.CreateSession(request, metadata=b)
        service.stub.CreateAvatar(photo_parts(b"one"), metadata=a)
        exceeded(lambda: service.stub.CreateAvatar(photo_parts(b"two"), metadata=a))
        service.stub.CreateAvatar(photo_parts(b"one"), metadata=a)  # the same one again
        service.stub.CreateAvatar(photo_parts(b"three"), metadata=b)


def test_calls_too_often_are_told_when_to_come_back(tmp_path: Path) -> None:
    with running_service(tmp_path, **{"quotas.requests_per_sec": 2}) as service:
        info(service), info(service)
        assert 0 < exceeded(lambda: info(service)) <= 0.5
        health = health_pb2_grpc.HealthStub(service.channel)
        for _ in range(20):  # probes are never refused
            assert health.Check(health_pb2.HealthCheckRequest()).status == 1


def test_calls_at_once_are_bounded(tmp_path: Path) -> None:
    with running_service(tmp_path, **{"quotas.calls": 3}) as service:
        session_id = service.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
        streams = [Stream(service.stub, session_id, role) for role in (1, 2, 2)]
        exceeded(lambda: info(service))
        streams.pop().close()
        eventually(lambda: service.service._guard._quotas.share_of("").num_calls == 2)
        info(service)
        for stream in streams:
            stream.close()


def test_speech_that_waits_in_all_sessions_together_is_bounded(tmp_path: Path) -> None:
    with running_service(tmp_path, **{"quotas.audio_ahead_secs": 15}) as service:
        ids = [
            service.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
            for _ in range(2)
        ]
        first, second = (Stream(service.stub, one) for one in ids)
        first.send(audio(millis=10_000))
        first.until("segment_started")
        second.send(audio(millis=10_000))
        assert exceeded(second.rest) == 1.0
        first.close()


@pytest.mark.parametrize("rate", ["messages_per_sec", "stream_messages_per_sec"])
def test_a_flood_of_small_messages_is_slowed_and_nothing_is_lost(tmp_path: Path, rate) -> None:
    with running_service(tmp_path, **{f"quotas.{rate}": 100}) as service:
        session_id = service.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
        stream = Stream(service.stub, session_id)
        began = time.monotonic()
        for number in range(1, 161):
            stream.send(pb.AnimateRequest(control=control_pb2.ControlChange(change_id=number)))
        seen = 0
        while seen < 160:
            seen += 1
            assert stream.until("control_applied").change_id == seen
        assert time.monotonic() - began >= 0.5, "100 at once, the others at 100 per second"
        stream.close()


def test_bytes_are_bounded_too() -> None:
    now = [0.0]
    share = Quotas(QuotaConfig(bytes_per_sec=1e6), now=lambda: now[0]).share_of("a")
    share.begin_call()
    assert share.pause_secs == 0
    share.take_message(5_000_000)
    assert share.pause_secs == pytest.approx(3.0), "two seconds' worth were saved up"
    with pytest.raises(AvatarError) as fault:
        share.begin_call()
    assert (fault.value.reason, fault.value.retry_secs) == (Reason.QUOTA_EXCEEDED, 3.0)
    now[0] = 3.1
    share.begin_call()
    assert share.num_calls == 2


def test_a_bucket_saves_up_no_more_than_its_burst() -> None:
    now = [0.0]
    bucket = TokenBucket(10.0, 20.0, lambda: now[0])
    now[0] = 1e6
    bucket.take(20.0)
    assert bucket.wait_secs(1.0) == pytest.approx(0.1)
    now[0] += 0.1
    assert bucket.wait_secs(1.0) == pytest.approx(0, abs=1e-9)


def test_how_long_a_token_is_looked_for_tells_nothing(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "tokens").write_text("".join(f"{letter * 20}\n" for letter in "abc"))
    tokens = TokenFile(tmp_path / "tokens")
    num_compared = 0

    def counted(one: bytes, other: bytes) -> bool:
        nonlocal num_compared
        num_compared += 1
        return compare(one, other)

    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", counted)
    for token in ("a" * 20, "c" * 20, "x", "a" * 20 + "b", "x" * 10_000):
        num_compared = 0
        is_known = token in ("a" * 20, "c" * 20)
        try:
            tokens.find([("authorization", f"Bearer {token}")])
        except AvatarError:
            assert not is_known
        else:
            assert is_known
        assert num_compared == 3, "every token, whichever it is"


def test_the_log_knows_no_person_no_token_and_no_whole_session_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tokens").write_text(f"{'a' * 20} name=a\n")
    metadata = [("authorization", f"Bearer {'a' * 20}")]
    with (
        caplog.at_level("DEBUG", logger="avatar_service"),
        running_service(tmp_path, token_file=tmp_path / "tokens") as service,
    ):
        made = service.stub.CreateAvatar(
            photo_parts(b"photo", display_name="Jane Doe's face"), metadata=metadata
        )
        request = pb.CreateSessionRequest(avatar_id=made.avatar.avatar_id)
        session_id = service.stub.CreateSession(request, metadata=metadata).session.session_id
        refused(lambda: service.stub.CreateAvatar(photo_parts(b"bug"), metadata=metadata))
        wrong = [("authorization", f"Bearer {'wrong' * 5}")]
        refused(lambda: service.stub.GetSession(pb.GetSessionRequest(), metadata=wrong))
        service.stub.CloseSession(pb.CloseSessionRequest(session_id=session_id), metadata=metadata)
    assert session_id[:6] in caplog.text, "enough to follow a session"
    for private in ("A. Person", "Jane", "a" * 20, "wrong", session_id):
        assert private not in caplog.text
