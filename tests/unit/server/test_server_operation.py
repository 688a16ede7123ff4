"""What operators see: the list of sessions and each one's health."""

import time
from fractions import Fraction
from types import SimpleNamespace

import grpc
import pytest
from fakes.service import running_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rpc_tools import Stream, audio, refused

from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import endpoint_pb2, operation_pb2, session_pb2
from avatar_service.session.health import SessionHealth, health_of
from avatar_service.session.settings import SessionSettings
from avatar_service.session.stats import SessionStats

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


def test_sessions_are_listed_by_name_enough_to_follow_and_too_little_to_join(service) -> None:
    stub = service.stub
    wanted = pb.CreateSessionRequest(transports=[endpoint_pb2.TRANSPORT_GRPC])
    session = stub.CreateSession(wanted).session
    stream = Stream(stub, session.session_id)
    stream.send(audio(200))
    stream.until("motion")
    listed = stub.ListSessions(pb.ListSessionsRequest())
    (summary,) = listed.sessions
    assert summary.short_id == session.session_id[:6]
    assert session.session_id not in str(listed)
    assert summary.state == session_pb2.SESSION_STATE_ACTIVE
    assert summary.health == operation_pb2.SESSION_HEALTH_HEALTHY
    assert summary.statistics.frames_published >= 1
    assert listed.service.sessions_opened == 1
    assert listed.service.frames_published == summary.statistics.frames_published
    assert listed.service.cores_used > 0
    stream.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))
    service_now = stub.ListSessions(pb.ListSessionsRequest()).service
    assert dict(service_now.sessions_closed) == {"CLOSED": 1}
    assert service_now.resident_bytes > 10 << 20
    assert service_now.open_files > 3


def test_a_session_that_fails_is_counted_by_its_reason(service) -> None:
    stub = service.stub
    session = stub.CreateSession(pb.CreateSessionRequest()).session
    service.stages.motions[-1].push = None  # the next tick raises
    deadline = time.monotonic() + 10
    while "BUG" not in (closed := dict(_service(stub).sessions_closed)):
        assert time.monotonic() < deadline, closed
        time.sleep(0.05)
    assert session.session_id


def _service(stub) -> operation_pb2.ServiceFigures:
    return stub.ListSessions(pb.ListSessionsRequest()).service


def test_health_answers_for_single_sessions(service) -> None:
    health = health_pb2_grpc.HealthStub(service.channel)
    session = service.stub.CreateSession(pb.CreateSessionRequest()).session
    request = health_pb2.HealthCheckRequest(service=f"session/{session.session_id}")
    assert health.Check(request).status == health_pb2.HealthCheckResponse.SERVING
    watched = health.Watch(request, timeout=20)
    assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
    service.stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))
    assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watched.cancel()
    assert health.Check(request).status == health_pb2.HealthCheckResponse.NOT_SERVING
    unknown = health_pb2.HealthCheckRequest(service="session/nobody")
    assert refused(lambda: health.Check(unknown)).code() == grpc.StatusCode.NOT_FOUND


def managed(latencies_ms: list[float], newest_nanos: int | None) -> SimpleNamespace:
    stats = SessionStats(40.0)
    for latency in latencies_ms:
        stats.publish_ms.add(latency)
    stats.last_published_nanos = newest_nanos
    session = SimpleNamespace(is_closed=False, settings=SessionSettings(), stats=stats)
    return SimpleNamespace(session=session, started_at_nanos=0)


@pytest.mark.parametrize(
    ("latencies_ms", "age_nanos", "expected"),
    [
        ([80.0] * 100, 25_000_000, SessionHealth.HEALTHY),
        ([80.0] * 99 + [160.0], 25_000_000, SessionHealth.HEALTHY),
        ([80.0] * 90 + [160.0] * 10, 25_000_000, SessionHealth.LATE),
        ([80.0] * 100, 1_200_000_000, SessionHealth.STALLED),
    ],
)
def test_health_is_judged_by_the_newest_frames(latencies_ms, age_nanos, expected) -> None:
    now = 10**12
    assert health_of(managed(latencies_ms, now - age_nanos), now) is expected


def test_a_slow_session_is_not_stalled_between_its_frames() -> None:
    one = managed([10.0], 10**12 - 3_000_000_000)
    one.session.settings = SessionSettings(rate=Fraction(1))
    assert health_of(one, 10**12) is SessionHealth.HEALTHY
