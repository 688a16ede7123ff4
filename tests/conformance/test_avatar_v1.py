"""What any server of avatar.v1 must do, on latent-only sessions (no photo, no models needed)."""

from __future__ import annotations

import queue
import random
import socket
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from avatar_service.errors import ANSWERS, DOMAIN, Reason
from avatar_service.gen.avatar.v1 import (
    audio_pb2,
    capability_pb2,
    control_pb2,
    endpoint_pb2,
    event_pb2,
    live_output_pb2,
    session_pb2,
)
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.transports.motion_codec import decode_blob

pytestmark = [pytest.mark.conformance, pytest.mark.live]

MILLI = 1_000_000
CONTROLLER, OBSERVER = event_pb2.STREAM_ROLE_CONTROLLER, event_pb2.STREAM_ROLE_OBSERVER
TIMEOUT_SECS = 30
NUM_HOSTILE_STREAMS = 60


@pytest.fixture
def stub(target):
    return target.stub()


def new_session(stub, target, **fields: object) -> session_pb2.Session:
    request = pb.CreateSessionRequest(**fields)
    return stub.CreateSession(request, metadata=target.metadata, timeout=TIMEOUT_SECS).session


@pytest.fixture
def session(stub, target):
    created = new_session(stub, target)
    yield created
    request = pb.CloseSessionRequest(session_id=created.session_id)
    stub.CloseSession(request, metadata=target.metadata, timeout=TIMEOUT_SECS)


@pytest.fixture
def burst(stub, target):
    created = new_session(stub, target, pacing=session_pb2.PACING_BURST)
    yield created
    request = pb.CloseSessionRequest(session_id=created.session_id)
    stub.CloseSession(request, metadata=target.metadata, timeout=TIMEOUT_SECS)


def opening(session: session_pb2.Session, role: int = CONTROLLER, **fields) -> pb.AnimateRequest:
    return pb.AnimateRequest(
        open=event_pb2.OpenStream(session_id=session.session_id, role=role, **fields)
    )


def tone(millis: int, rate: int = 16_000, **fields: object) -> pb.AnimateRequest:
    data = b"".join(
        (round(9000 * ((k % 80) - 40) / 40)).to_bytes(2, "little", signed=True)
        for k in range(rate * millis // 1000)
    )
    chunk = {
        "format": audio_pb2.AUDIO_FORMAT_PCM_S16LE,
        "sample_rate_hz": rate,
        "channels": 1,
        "data": data,
        **fields,
    }
    return pb.AnimateRequest(audio=audio_pb2.AudioChunk(**chunk))


END = pb.AnimateRequest(segment_end=audio_pb2.SegmentEnd())


def animate(stub, target, requests) -> list[pb.AnimateResponse]:
    call = stub.Animate(iter(requests), metadata=target.metadata, timeout=TIMEOUT_SECS)
    return list(call)


def of_kind(responses: list[pb.AnimateResponse], kind: str) -> list:
    return [getattr(r, kind) for r in responses if r.WhichOneof("payload") == kind]


def reason_of(error: grpc.RpcError) -> Reason:
    """Read the reason of a status, and check the status against the error table."""
    status = rpc_status.from_call(error)
    assert status is not None, f"no rich status: {error.code()} {error.details()}"
    info, retry = None, None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
        if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = detail
    assert info is not None, "every status carries ErrorInfo"
    assert info.domain == DOMAIN
    reason = Reason(info.reason)
    assert error.code().name == ANSWERS[reason].code
    assert (retry is not None) == (ANSWERS[reason].retry_secs is not None)
    assert "\n" not in error.details()
    return reason


def refused(call) -> Reason:
    with pytest.raises(grpc.RpcError) as fault:
        call()
    return reason_of(fault.value)


def test_the_schema_maps_every_channel(stub, target) -> None:
    request = pb.GetServerInfoRequest(api_version="1.0", client="conformance")
    info = stub.GetServerInfo(request, metadata=target.metadata, timeout=TIMEOUT_SECS)
    assert info.api_version.startswith("1.")
    schema = info.motion_schemas[0]
    names = [channel.name for channel in schema.channels]
    assert len(names) == len(set(names)) == 71
    assert {"jawOpen", "tongueOut", "headYaw", "gazeLeftYaw", "speech"} <= set(names)
    assert all(c.minimum <= c.rest <= c.maximum for c in schema.channels)


def test_another_major_version_is_refused(stub, target) -> None:
    request = pb.GetServerInfoRequest(api_version="9.0")
    call = lambda: stub.GetServerInfo(request, metadata=target.metadata)  # noqa: E731
    assert refused(call) is Reason.PROTOCOL_MISMATCH


def test_a_burst_gives_every_latent_on_the_grid(stub, target) -> None:
    rate = session_pb2.FrameRate(num=30_000, den=1001)
    session = new_session(stub, target, pacing=session_pb2.PACING_BURST, frame_rate=rate)
    responses = animate(stub, target, [opening(session), *[tone(100)] * 10, END])
    motions = [decode_blob(m.blob) for m in of_kind(responses, "motion")]
    (started,) = of_kind(responses, "segment_started")
    (ended,) = of_kind(responses, "segment_ended")
    assert ended.pts_nanos - started.pts_nanos == 1000 * MILLI
    expected = [k * 10**9 * 1001 // 30_000 for k in range(len(motions))]
    assert [m.pts_nanos for m in motions] == expected
    assert sum(started.pts_nanos <= pts < ended.pts_nanos for pts in expected) in (29, 30)
    assert responses[0].WhichOneof("payload") == "opened"


def test_equal_input_gives_equal_latents_whatever_the_chunks(stub, target) -> None:
    def run(*millis: int) -> list[bytes]:
        session = new_session(stub, target, pacing=session_pb2.PACING_BURST)
        chunks = [tone(m) for m in millis]
        responses = animate(stub, target, [opening(session), *chunks, END])
        return [m.blob for m in of_kind(responses, "motion")]

    first = run(*[100] * 6)
    assert len(first) >= 24
    assert run(*[20] * 30) == first


def test_real_time_latents_follow_the_clock(stub, target, session) -> None:
    stream = Stream(stub, target, session)
    stream.send(tone(200))
    stream.send(END)
    stream.until("segment_ended")
    stream.send(None)
    motions = [decode_blob(m.blob) for m in of_kind(stream.seen, "motion")]
    grid = {k * 25 * MILLI for k in range(10_000)}
    assert all(m.pts_nanos in grid for m in motions)
    assert [m.pts_nanos for m in motions] == sorted({m.pts_nanos for m in motions})


class Stream:
    def __init__(self, stub, target, session, role: int = CONTROLLER, **fields) -> None:
        self._requests: queue.Queue = queue.Queue()
        self._requests.put(opening(session, role, **fields))
        self.seen: list[pb.AnimateResponse] = []
        self.call = stub.Animate(
            iter(self._requests.get, None), metadata=target.metadata, timeout=TIMEOUT_SECS
        )
        self.until("opened")

    def send(self, request: pb.AnimateRequest | None) -> None:
        self._requests.put(request)

    def until(self, kind: str):
        for response in self.call:
            self.seen.append(response)
            if response.WhichOneof("payload") == kind:
                return getattr(response, kind)
        raise AssertionError(f"the stream ended without {kind}")

    def close(self) -> None:
        self.call.cancel()
        self._requests.put(None)


def test_a_second_controller_is_refused_and_observers_are_not(stub, target, session) -> None:
    controller = Stream(stub, target, session)
    assert refused(lambda: Stream(stub, target, session)) is Reason.SESSION_HAS_CONTROLLER
    observer = Stream(stub, target, session, OBSERVER)
    controller.send(tone(40))
    assert observer.until("segment_started") == controller.until("segment_started")
    for stream in (controller, observer):
        stream.close()


def test_figures_come_however_quiet_the_session_is(stub, target) -> None:
    session = new_session(stub, target, pacing=session_pb2.PACING_BURST)  # nothing moves by itself
    for role in (CONTROLLER, OBSERVER):
        stream = Stream(stub, target, session, role, statistics_interval_millis=100)
        stream.until("statistics")
        stream.until("statistics")
        stream.close()


def test_audio_is_echoed_to_observers_with_its_time(stub, target) -> None:
    outputs = [endpoint_pb2.OUTPUT_MOTION, endpoint_pb2.OUTPUT_AUDIO]
    session = new_session(stub, target, outputs=outputs)
    controller = Stream(stub, target, session)
    observer = Stream(stub, target, session, OBSERVER)
    controller.send(tone(20, rate=48_000))
    started = observer.until("segment_started")
    echo = observer.until("audio")
    assert echo.pts_nanos == started.pts_nanos
    assert echo.data == tone(20, rate=48_000).audio.data
    for stream in (controller, observer):
        stream.close()


def test_an_interrupt_cuts_speech_and_raises_the_epoch(stub, target, session) -> None:
    stream = Stream(stub, target, session)
    stream.send(tone(1000))
    stream.until("segment_started")
    stream.send(pb.AnimateRequest(interrupt=event_pb2.Interrupt()))
    assert stream.until("segment_ended").interrupted
    interrupted = stream.until("interrupted")
    assert interrupted.epoch == 1
    while True:
        motion = decode_blob(stream.until("motion").blob)
        assert motion.epoch == 1 or motion.pts_nanos <= interrupted.valid_through_nanos
        if motion.epoch == 1:
            break
    stream.close()


def test_controls_are_confirmed_with_their_time(stub, target, session) -> None:
    stream = Stream(stub, target, session)
    controls = control_pb2.Controls(distance=0.75)
    stream.send(
        pb.AnimateRequest(control=control_pb2.ControlChange(change_id=3, controls=controls))
    )
    applied = stream.until("control_applied")
    assert applied.change_id == 3
    assert applied.controls.distance == 0.75
    assert applied.controls.speaking_style == "neutral"
    stream.close()


def test_unknown_things_are_not_found(stub, target) -> None:
    data = target.metadata
    nobody = pb.GetAvatarRequest(avatar_id="0" * 32)
    assert refused(lambda: stub.GetAvatar(nobody, metadata=data)) is Reason.AVATAR_NOT_FOUND
    nothing = pb.GetSessionRequest(session_id="none")
    assert refused(lambda: stub.GetSession(nothing, metadata=data)) is Reason.SESSION_NOT_FOUND


def test_no_avatar_is_made_without_consent(stub, target) -> None:
    parts = [pb.CreateAvatarRequest(header={}), pb.CreateAvatarRequest(photo_chunk=b"x")]
    call = lambda: stub.CreateAvatar(iter(parts), metadata=target.metadata)  # noqa: E731
    assert refused(call) is Reason.CONSENT_REQUIRED


def test_closing_twice_is_fine(stub, target) -> None:
    session = new_session(stub, target)
    request = pb.CloseSessionRequest(session_id=session.session_id)
    for _ in range(2):
        stub.CloseSession(request, metadata=target.metadata, timeout=TIMEOUT_SECS)
    assert refused(lambda: animate(stub, target, [opening(session)])) is Reason.SESSION_CLOSED


def test_the_end_of_a_session_is_its_last_message(stub, target) -> None:
    session = new_session(stub, target)
    requests: queue.Queue = queue.Queue()
    requests.put(opening(session))
    call = stub.Animate(iter(requests.get, None), metadata=target.metadata, timeout=TIMEOUT_SECS)
    messages = [next(call)]
    while not messages[-1].HasField("motion"):
        messages.append(next(call))
    request = pb.CloseSessionRequest(session_id=session.session_id)
    stub.CloseSession(request, metadata=target.metadata, timeout=TIMEOUT_SECS)
    messages += call
    requests.put(None)
    kinds = [message.WhichOneof("payload") for message in messages]
    assert kinds.index("session_ended") == len(kinds) - 1
    last = [message.motion.blob for message in messages if message.HasField("motion")][-1]
    assert messages[-1].session_ended.last_seq == decode_blob(last).seq


@pytest.mark.parametrize("seed", range(NUM_HOSTILE_STREAMS))
def test_hostile_streams_end_with_a_clear_status_and_harm_nobody(stub, target, seed: int) -> None:
    """Random messages, valid and not: never INTERNAL, never a hang, the session stays usable."""
    rng = random.Random(seed)
    pacing = rng.choice([session_pb2.PACING_REALTIME, session_pb2.PACING_BURST])
    session = new_session(stub, target, pacing=pacing)
    requests = [opening(session)] if rng.random() < 0.95 else []
    requests += list(_hostile(rng, session))
    call = stub.Animate(iter(requests), metadata=target.metadata, timeout=TIMEOUT_SECS)
    error = _read_to_the_end(call)
    if error is not None:
        assert error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED, "a hang"
        assert error.code() is not grpc.StatusCode.INTERNAL
        reason_of(error)
    request = pb.CloseSessionRequest(session_id=session.session_id)
    stub.CloseSession(request, metadata=target.metadata, timeout=TIMEOUT_SECS)


def _read_to_the_end(call) -> grpc.RpcError | None:
    try:
        for response in call:
            assert response.WhichOneof("payload") is not None
    except grpc.RpcError as error:
        return error
    return None


def _hostile(rng: random.Random, session: session_pb2.Session) -> Iterator[pb.AnimateRequest]:
    for _ in range(rng.randrange(1, 25)):
        yield rng.choice(
            [
                lambda: tone(rng.randrange(0, 120)),
                lambda: tone(20, segment_id=rng.choice(["", "a", "b"])),
                lambda: tone(20, role=audio_pb2.AUDIO_ROLE_LISTEN),
                lambda: END,
                lambda: pb.AnimateRequest(interrupt=event_pb2.Interrupt()),
                lambda: _control(rng),
                lambda: pb.AnimateRequest(
                    playback=event_pb2.PlaybackAck(pts_nanos=rng.choice(_NUMBERS))
                ),
                lambda: _phones(rng),
                lambda: _odd(rng, session),
            ]
        )()


_NUMBERS = [0, 1, -1, 10**9, 2**63 - 1, -(2**63)]
_FLOATS = [0.0, 1.0, -1.0, 1e30, float("nan"), float("inf")]


def _control(rng: random.Random) -> pb.AnimateRequest:
    pick = (lambda: rng.choice(_FLOATS)) if rng.random() < 0.3 else (lambda: rng.uniform(0.4, 1))
    controls = control_pb2.Controls(
        distance=pick(),
        blink_rate=pick(),
        gaze_direction=control_pb2.GazeDirection(yaw_radians=pick(), pitch_radians=pick() / 2),
        emotion=control_pb2.EmotionOffset(weights={rng.choice(["happy", "sad", "?"]): pick()}),
    )
    change = control_pb2.ControlChange(
        change_id=rng.randrange(2**64),
        effective_pts_nanos=rng.choice([0, 0, 0, 10**9, *_NUMBERS]),
        controls=controls,
    )
    return pb.AnimateRequest(control=change)


def _phones(rng: random.Random) -> pb.AnimateRequest:
    phones = [
        audio_pb2.Phone(
            symbol=rng.choice(["AA1", "B", "SIL", "", "☃", "x" * 1000]),
            start_nanos=k * 10**8 if rng.random() < 0.9 else rng.choice(_NUMBERS),
            end_nanos=(k + 1) * 10**8,
        )
        for k in range(rng.randrange(6))
    ]
    known = audio_pb2.KnownPhones(alphabet=rng.choice([1, 1, 2, 0]), phones=phones)
    return pb.AnimateRequest(phones=known)


def _odd(rng: random.Random, session: session_pb2.Session) -> pb.AnimateRequest:
    return rng.choice(
        [
            pb.AnimateRequest(),
            opening(session),
            tone(20, channels=rng.choice([0, 2, 3, 2**32 - 1])),
            tone(20, sample_rate_hz=rng.choice([0, 1, 7999, 48_001, 2**32 - 1])),
            tone(20, format=rng.choice([0, 2, 99])),
            tone(20, data=rng.randbytes(rng.randrange(3000))),
            tone(20, data=rng.randbytes(4000), format=audio_pb2.AUDIO_FORMAT_F32LE),
            tone(20, segment_id="s" * rng.choice([64, 65, 100_000])),
            tone(20, role=99),
        ]
    )


@pytest.fixture
def has_live_outputs(stub, target) -> None:
    request = pb.GetServerInfoRequest()
    info = stub.GetServerInfo(request, metadata=target.metadata, timeout=TIMEOUT_SECS)
    if capability_pb2.CAPABILITY_LIVE_OUTPUTS not in info.capabilities:
        pytest.skip("the server has no live outputs")


@pytest.mark.usefixtures("has_live_outputs")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, Reason.UNSPECIFIED_ENUM),
        ({"kind": 2, "port": 70_000}, Reason.INVALID_FIELD),
        ({"kind": 2, "max_rate_hz": 500}, Reason.INVALID_FIELD),
        ({"kind": 2, "subject_name": "Ada"}, Reason.INVALID_FIELD),
        ({"kind": 1, "vmc_name_set": 3}, Reason.INVALID_FIELD),
        ({"kind": 1, "subject_name": "a\nb"}, Reason.INVALID_FIELD),
        ({"kind": 1, "host": "nobody.invalid"}, Reason.PERMISSION_DENIED),
        ({"kind": 1, "host": "192.0.2.1"}, Reason.PERMISSION_DENIED),
    ],
)
def test_wrong_live_outputs_are_refused(stub, target, fields: dict, reason: Reason) -> None:
    output = live_output_pb2.LiveOutput(**fields)
    assert refused(lambda: new_session(stub, target, live_outputs=[output])) is reason


@pytest.mark.usefixtures("has_live_outputs")
def test_live_outputs_send_to_the_servers_own_host(stub, target) -> None:
    if not target.address.startswith(("127.", "localhost")):
        pytest.skip("the server is on another host")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(TIMEOUT_SECS)
        output = live_output_pb2.LiveOutput(
            kind=live_output_pb2.LIVE_OUTPUT_KIND_VMC, port=receiver.getsockname()[1]
        )
        session = new_session(stub, target, live_outputs=[output])
        told = session.live_outputs[0]
        assert (told.host, told.port) == ("127.0.0.1", output.port)
        assert told.vmc_name_set == live_output_pb2.VMC_NAME_SET_VRM0
        assert receiver.recv(65536).startswith(b"#bundle\0")
        request = pb.CloseSessionRequest(session_id=session.session_id)
        stub.CloseSession(request, metadata=target.metadata, timeout=TIMEOUT_SECS)
