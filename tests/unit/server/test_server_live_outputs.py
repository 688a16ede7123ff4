"""Live Link and VMC from a session of the server, and the Audio2Face service beside it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import grpc
import pytest
from avatar_client import AccessError, LiveLinkOutput, VmcOutput, connect
from fakes.service import RunningService, running_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rpc_tools import Stream, audio, reason_of, refused

from avatar_service.config import load_config
from avatar_service.errors import AvatarError
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import live_output_pb2, session_pb2
from avatar_service.server.main import Service
from avatar_service.server.messages import session_request

pytestmark = pytest.mark.unit

LIVE_LINK = live_output_pb2.LIVE_OUTPUT_KIND_LIVE_LINK
VMC = live_output_pb2.LIVE_OUTPUT_KIND_VMC
LiveOutput = live_output_pb2.LiveOutput


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def open_with(service: RunningService, *outputs: LiveOutput, **fields) -> session_pb2.Session:
    request = pb.CreateSessionRequest(live_outputs=outputs, **fields)
    return service.stub.CreateSession(request).session


def test_a_session_drives_its_receiver_from_the_first_frame(service, receiver) -> None:
    port = receiver.getsockname()[1]
    output = LiveOutput(kind=LIVE_LINK, port=port, subject_name="Ada", max_rate_hz=30)
    session = open_with(service, output)
    packets = [receiver.recv(4096) for _ in range(3)]
    service.stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))
    for packet in packets:
        assert packet[0] == 6
        assert b"Ada" in packet
    # Frames are counted at the output's own rate, whatever the session's is.
    numbers = [struct.unpack_from(">ifii", packet, 5 + 36 + 4 + 3) for packet in packets]
    assert {row[2:] for row in numbers} == {(30, 1)}
    assert [row[0] for row in numbers] == [0, 1, 2]


def test_the_answer_tells_the_effective_values(service) -> None:
    session = open_with(service, LiveOutput(kind=LIVE_LINK), LiveOutput(kind=VMC, max_rate_hz=25))
    first, second = session.live_outputs
    assert (first.host, first.port, first.subject_name) == ("127.0.0.1", 11111, "Avatar")
    assert (second.host, second.port, second.max_rate_hz) == ("127.0.0.1", 39539, 25)
    assert second.vmc_name_set == live_output_pb2.VMC_NAME_SET_VRM0
    told = service.stub.GetSession(pb.GetSessionRequest(session_id=session.session_id)).session
    assert list(told.live_outputs) == list(session.live_outputs)
    service.stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))


def test_a_receiver_that_is_gone_costs_the_session_nothing(service) -> None:
    session = open_with(service, LiveOutput(kind=VMC, port=9))
    stream = Stream(service.stub, session.session_id)
    stream.send(audio(20))
    stream.until("segment_started")
    stream.close()
    service.stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))


BAD = {
    "no kind": (LiveOutput(), "UNSPECIFIED_ENUM", "live_outputs[0].kind"),
    "unknown kind": (LiveOutput(kind=9), "UNSPECIFIED_ENUM", "live_outputs[0].kind"),
    "unknown names": (
        LiveOutput(kind=VMC, vmc_name_set=9),
        "UNSPECIFIED_ENUM",
        "live_outputs[0].vmc_name_set",
    ),
    "port": (LiveOutput(kind=VMC, port=65536), "INVALID_FIELD", "live_outputs[0].port"),
    "rate": (LiveOutput(kind=VMC, max_rate_hz=121), "INVALID_FIELD", "max_rate_hz"),
    "subject of VMC": (
        LiveOutput(kind=VMC, subject_name="Ada"),
        "INVALID_FIELD",
        "live_outputs[0].subject_name",
    ),
    "names of Live Link": (
        LiveOutput(kind=LIVE_LINK, vmc_name_set=1),
        "INVALID_FIELD",
        "live_outputs[0].vmc_name_set",
    ),
    "subject": (LiveOutput(kind=LIVE_LINK, subject_name="a\nb"), "INVALID_FIELD", "subject"),
    "long subject": (LiveOutput(kind=LIVE_LINK, subject_name="x" * 300), "INVALID_FIELD", "subj"),
    "long host": (LiveOutput(kind=VMC, host="x" * 300), "INVALID_FIELD", "live_outputs[0].host"),
    "name": (LiveOutput(kind=VMC, host="a.invalid"), "PERMISSION_DENIED", "live_outputs[0]"),
    "foreign": (LiveOutput(kind=VMC, host="192.0.2.7"), "PERMISSION_DENIED", "live_outputs[0]"),
    "everybody": (LiveOutput(kind=VMC, host="0.0.0.0"), "PERMISSION_DENIED", "live_outputs[0]"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_in_one_line(service, case: str) -> None:
    output, reason, where = BAD[case]
    num_before = service.stub.GetServerInfo(pb.GetServerInfoRequest()).num_sessions
    error = refused(lambda: open_with(service, output))
    assert reason_of(error) == reason
    assert where in error.details()
    assert "\n" not in error.details()
    assert service.stub.GetServerInfo(pb.GetServerInfoRequest()).num_sessions == num_before


def test_too_many_and_burst_are_refused(service) -> None:
    many = [LiveOutput(kind=VMC)] * 9
    assert reason_of(refused(lambda: open_with(service, *many))) == "INVALID_FIELD"
    burst = {"pacing": session_pb2.PACING_BURST}
    error = refused(lambda: open_with(service, LiveOutput(kind=VMC), **burst))
    assert "PACING_REALTIME" in error.details()


def test_a_refused_output_closes_those_before_it(service, receiver) -> None:
    good = LiveOutput(kind=VMC, port=receiver.getsockname()[1])
    refused(lambda: open_with(service, good, LiveOutput(kind=VMC, host="192.0.2.7")))
    receiver.settimeout(0.2)
    with pytest.raises(TimeoutError):
        receiver.recv(4096)


def test_the_operator_can_allow_a_destination(tmp_path) -> None:
    allowed = {"live__allowed_destinations": "192.0.2.0/24, studio.example"}
    with running_service(tmp_path, **allowed) as service:
        session = open_with(service, LiveOutput(kind=VMC, host="192.0.2.7"))
        assert session.live_outputs[0].host == "192.0.2.7"
        error = refused(lambda: open_with(service, LiveOutput(kind=VMC, host="198.51.100.7")))
        assert reason_of(error) == "PERMISSION_DENIED"


def test_the_python_client_names_receivers(service, receiver) -> None:
    port = receiver.getsockname()[1]
    with connect(service.address) as client:
        with client.open_session(
            transport="grpc",
            live_outputs=[
                LiveLinkOutput(port=port, subject="Ada"),
                VmcOutput("localhost", 39539, names="perfect-sync", max_rate_hz=20),
            ],
        ) as session:
            told = session.info.live_outputs
            assert (told[0].port, told[0].subject_name) == (port, "Ada")
            assert told[1].vmc_name_set == live_output_pb2.VMC_NAME_SET_PERFECT_SYNC
            assert (told[1].host, told[1].max_rate_hz) == ("localhost", 20)
            assert receiver.recv(4096)[0] == 6
        with pytest.raises(AccessError, match=r"192\.0\.2\.7"):
            client.open_session(live_outputs=[VmcOutput("192.0.2.7")])
        with pytest.raises(ValueError, match="names"):
            client.open_session(live_outputs=[VmcOutput(names="vrm2")])


def test_live_outputs_are_left_out_where_there_are_none() -> None:
    request = session_request(
        pb.CreateSessionRequest(), default_rate=40, default_playout_nanos=150_000_000
    )
    assert request.live_outputs == ()


def test_audio2face_clients_are_served_beside_it_and_drained_with_it(tmp_path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    options = {"a2f__listen": "127.0.0.1:0", "token_file": tmp_path / "token"}
    name = "nvidia_ace.services.a2f_controller.v1.A2FControllerService"
    with running_service(tmp_path, **options) as service:
        port = service.service._a2f.port
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            watch = health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            call = channel.stream_stream(f"/{name}/ProcessAudioStream")
            error = refused(lambda: list(call(iter([b""]))))
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            right = [("authorization", "Bearer 0123456789abcdef")]
            error = refused(lambda: list(call(iter([b""]), metadata=right)))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "header" in error.details()
            service.call(service.service.stop())
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1).close()


def test_audio2face_clients_of_other_machines_need_tls_and_a_token(tmp_path) -> None:
    options = {"listen": "127.0.0.1:0", "home": tmp_path, "a2f.listen": "0.0.0.0:52000"}
    with pytest.raises(AvatarError, match="open to other machines") as fault:
        Service(load_config(options, environ={}))
    assert fault.value.field == "a2f.listen"


def test_a_taken_audio2face_port_is_one_line(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(AvatarError, match="cannot listen on .*: Address already in use"),
            running_service(tmp_path, a2f__listen=listen),
        ):
            pass
