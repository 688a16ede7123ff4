"""What operators see: the list of sessions and each one's health."""

import time

import pytest
from fakes.service import running_service
from rpc_tools import Stream, audio

from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import endpoint_pb2, operation_pb2, session_pb2

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
