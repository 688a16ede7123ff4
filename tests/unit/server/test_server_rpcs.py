import contextlib
import gc
import os
import time
import weakref
from pathlib import Path

import grpc
import numpy as np
import pytest
from fakes.renderer import read_number
from fakes.service import running_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rpc_tools import (
    CONSENT,
    OBSERVER,
    Stream,
    audio,
    details_of,
    opening,
    photo_parts,
    reason_of,
    refused,
)

from avatar_service.gen.avatar.v1 import (
    audio_pb2,
    avatar_pb2,
    control_pb2,
    endpoint_pb2,
    event_pb2,
    frame_pb2,
    session_pb2,
)
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.server.main import NUM_THREADS
from avatar_service.session.admission import FrameCost

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def stub(service):
    return service.stub


@pytest.fixture
def session_id(stub):
    created = stub.CreateSession(pb.CreateSessionRequest())
    yield created.session.session_id
    stub.CloseSession(pb.CloseSessionRequest(session_id=created.session.session_id))


@pytest.fixture
def avatar_id(stub):
    return stub.CreateAvatar(photo_parts()).avatar.avatar_id


def test_the_server_tells_what_it_is(stub) -> None:
    info = stub.GetServerInfo(pb.GetServerInfoRequest(api_version="1.7", client="test"))
    assert info.api_version == "1.0"
    assert info.motion_schemas[0].schema_id == "avatar.motion.v1"
    assert info.limits.max_sessions >= 1
    assert "neutral" in info.speaking_styles


@pytest.mark.parametrize(
    ("version", "reason"), [("2.0", "PROTOCOL_MISMATCH"), ("one", "INVALID_FIELD")]
)
def test_another_version_is_refused(stub, version: str, reason: str) -> None:
    error = refused(lambda: stub.GetServerInfo(pb.GetServerInfoRequest(api_version=version)))
    assert reason_of(error) == reason


def test_health_and_reflection_answer(service) -> None:
    health = health_pb2_grpc.HealthStub(service.channel)
    for name in ("", "avatar.v1.AvatarService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=10)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase,
    )

    assert (
        "avatar.v1.AvatarService"
        in ProtoReflectionDescriptorDatabase(service.channel).get_services()
    )


def test_an_avatar_is_made_told_listed_and_erased(service, stub) -> None:
    made = stub.CreateAvatar(photo_parts(b"one", display_name="One")).avatar
    assert made.consent == CONSENT
    assert (made.photo_width_px, list(made.notes)) == (640, ["fitted by a fake"])
    again = stub.CreateAvatar(photo_parts(b"one")).avatar
    assert again.avatar_id == made.avatar_id
    other = stub.CreateAvatar(photo_parts(b"two")).avatar
    first = stub.ListAvatars(pb.ListAvatarsRequest(page_size=1))
    rest = stub.ListAvatars(pb.ListAvatarsRequest(page_token=first.next_page_token))
    listed = [a.avatar_id for a in (*first.avatars, *rest.avatars)]
    assert listed.index(other.avatar_id) < listed.index(made.avatar_id), "newest first"
    folder = service.service._avatars._folder
    assert (folder / made.avatar_id).is_dir()
    stub.DeleteAvatar(pb.DeleteAvatarRequest(avatar_id=made.avatar_id))
    assert not (folder / made.avatar_id).exists()
    error = refused(lambda: stub.GetAvatar(pb.GetAvatarRequest(avatar_id=made.avatar_id)))
    assert reason_of(error) == "AVATAR_NOT_FOUND"
    stub.DeleteAvatar(pb.DeleteAvatarRequest(avatar_id=other.avatar_id))


@pytest.mark.parametrize(
    ("consent", "field"),
    [
        (None, "consent.subject"),
        (avatar_pb2.ConsentStatement(subject="A. Person"), "consent.basis"),
        (avatar_pb2.ConsentStatement(subject="A", basis=" "), "consent.basis"),
        (avatar_pb2.ConsentStatement(subject="A" * 201, basis="own"), "consent.subject"),
    ],
)
def test_no_avatar_without_consent(service, stub, consent, field: str) -> None:
    before = len(stub.ListAvatars(pb.ListAvatarsRequest()).avatars)
    error = refused(lambda: stub.CreateAvatar(photo_parts(b"new photo", consent=consent)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(error) == "CONSENT_REQUIRED"
    assert details_of(error)["ErrorInfo"].metadata["field"] == field
    assert len(stub.ListAvatars(pb.ListAvatarsRequest()).avatars) == before


def test_an_expired_consent_is_none(stub) -> None:
    consent = avatar_pb2.ConsentStatement(subject="A", basis="own")
    consent.valid_until.FromSeconds(1_000_000_000)
    error = refused(lambda: stub.CreateAvatar(photo_parts(consent=consent)))
    assert reason_of(error) == "CONSENT_REQUIRED"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (lambda: iter(()), "INVALID_FIELD"),
        (lambda: iter([pb.CreateAvatarRequest(photo_chunk=b"x")]), "INVALID_FIELD"),
        (lambda: iter([pb.CreateAvatarRequest()]), "INVALID_FIELD"),
        (lambda: [*photo_parts(b"x"), *photo_parts(b"x")].__iter__(), "INVALID_FIELD"),
        (lambda: photo_parts(b""), "INVALID_IMAGE"),
        (lambda: photo_parts(b"x", photo_bytes=5), "INVALID_IMAGE"),
        (lambda: photo_parts(b"x", photo_bytes=1 << 40), "INVALID_IMAGE"),
        (lambda: photo_parts(b"x", photo_format=avatar_pb2.PHOTO_FORMAT_PNG), "INVALID_IMAGE"),
        (lambda: photo_parts(b"x", crop=77), "UNSPECIFIED_ENUM"),
        (lambda: photo_parts(b"x", display_name="n" * 201), "INVALID_FIELD"),
        (lambda: photo_parts(b"cat"), "NO_FACE"),
    ],
)
def test_bad_uploads_are_refused_with_their_reason(stub, parts, reason: str) -> None:
    error = refused(lambda: stub.CreateAvatar(parts()))
    assert reason_of(error) == reason
    assert "\n" not in error.details()


def test_a_bug_is_internal_with_a_request_id_and_without_its_text(stub) -> None:
    error = refused(lambda: stub.CreateAvatar(photo_parts(b"bug")))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert reason_of(error) == "BUG"
    assert details_of(error)["ErrorInfo"].metadata["request_id"] in error.details()
    assert "secret" not in error.details()


def test_bytes_that_are_no_message_are_the_clients_fault(service) -> None:
    call = service.channel.unary_unary("/avatar.v1.AvatarService/CreateSession")
    error = refused(lambda: call(b"\xff\xff\xff"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_FIELD"


BAD_SESSIONS = [
    ({"avatar_id": "nobody"}, "AVATAR_NOT_FOUND"),
    ({"avatar_id": "../../etc"}, "AVATAR_NOT_FOUND"),
    ({"width_px": 512}, "INVALID_FIELD"),
    ({"frame_rate": session_pb2.FrameRate(num=40, den=0)}, "INVALID_FIELD"),
    ({"frame_rate": session_pb2.FrameRate(num=121, den=1)}, "INVALID_FIELD"),
    ({"frame_rate": session_pb2.FrameRate(num=1, den=2)}, "INVALID_FIELD"),
    ({"outputs": [endpoint_pb2.OUTPUT_FRAMES]}, "INVALID_FIELD"),
    ({"outputs": [0]}, "UNSPECIFIED_ENUM"),
    ({"transports": [9]}, "UNSPECIFIED_ENUM"),
    ({"pacing": 9}, "UNSPECIFIED_ENUM"),
    ({"frame_encoding": 9}, "UNSPECIFIED_ENUM"),
    ({"ring_slot_count": 2}, "INVALID_FIELD"),
    ({"playout_delay_millis": 2001}, "INVALID_FIELD"),
    ({"controls": control_pb2.Controls(distance=0.1)}, "INVALID_FIELD"),
    ({"controls": control_pb2.Controls(distance=float("nan"))}, "INVALID_FIELD"),
    ({"controls": control_pb2.Controls(speaking_style="yodel")}, "INVALID_FIELD"),
]


@pytest.mark.parametrize(("fields", "reason"), BAD_SESSIONS)
def test_bad_sessions_are_refused_with_their_reason(stub, fields, reason: str) -> None:
    error = refused(lambda: stub.CreateSession(pb.CreateSessionRequest(**fields)))
    assert reason_of(error) == reason


def test_a_session_tells_its_effective_values(stub, avatar_id) -> None:
    session = stub.CreateSession(pb.CreateSessionRequest(avatar_id=avatar_id)).session
    assert (session.width_px, session.height_px) == (512, 512)
    assert (session.frame_rate.num, session.frame_rate.den) == (40, 1)
    assert session.playout_delay_millis == 150
    assert set(session.outputs) == {endpoint_pb2.OUTPUT_FRAMES, endpoint_pb2.OUTPUT_MOTION}
    assert list(session.transports) == [endpoint_pb2.TRANSPORT_GRPC]
    assert session.state == session_pb2.SESSION_STATE_READY
    assert session.controls.WhichOneof("gaze") == "free_gaze"
    assert session.controls.background.mode == control_pb2.BACKGROUND_MODE_KEEP
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))
    closed = stub.GetSession(pb.GetSessionRequest(session_id=session.session_id)).session
    assert closed.state == session_pb2.SESSION_STATE_CLOSED
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))
    error = refused(lambda: Stream(stub, session.session_id))
    assert reason_of(error) == "SESSION_CLOSED"


def test_an_avatar_in_use_is_kept_unless_its_sessions_may_end(stub) -> None:
    avatar = stub.CreateAvatar(photo_parts(b"used")).avatar.avatar_id
    session = stub.CreateSession(pb.CreateSessionRequest(avatar_id=avatar)).session
    error = refused(lambda: stub.DeleteAvatar(pb.DeleteAvatarRequest(avatar_id=avatar)))
    assert reason_of(error) == "AVATAR_IN_USE"
    stream = Stream(stub, session.session_id)
    gone = stub.DeleteAvatar(pb.DeleteAvatarRequest(avatar_id=avatar, end_sessions=True))
    assert gone.num_sessions_ended == 1
    error = refused(stream.rest)
    assert reason_of(error) == "SESSION_CLOSED"


def test_speech_comes_out_as_latents_in_order(stub, session_id) -> None:
    stream = Stream(stub, session_id)
    for _ in range(10):
        stream.send(audio(20))
    stream.send(pb.AnimateRequest(segment_end=audio_pb2.SegmentEnd()))
    started = stream.until("segment_started")
    ended = stream.until("segment_ended")
    assert started.segment_id == ended.segment_id == "1"
    assert ended.pts_nanos - started.pts_nanos == 200_000_000
    stream.close()


def test_half_closing_ends_segments_and_then_the_stream(stub, session_id) -> None:
    stream = Stream(stub, session_id)
    stream.send(audio(100))
    stream.half_close()
    kinds = [response.WhichOneof("payload") for response in stream.rest()]
    assert kinds[-1] == "segment_ended" or "segment_ended" in kinds
    assert stream.call.code() is grpc.StatusCode.OK
    state = stub.GetSession(pb.GetSessionRequest(session_id=session_id)).session.state
    assert state == session_pb2.SESSION_STATE_WAITING


def test_one_controller_and_any_number_of_observers(stub, session_id) -> None:
    controller = Stream(stub, session_id)
    error = refused(lambda: Stream(stub, session_id))
    assert reason_of(error) == "SESSION_HAS_CONTROLLER"
    observers = [Stream(stub, session_id, OBSERVER) for _ in range(3)]
    session = stub.GetSession(pb.GetSessionRequest(session_id=session_id)).session
    assert session.num_observers == 3
    controller.send(audio(40))
    names = {one.until("segment_started").segment_id for one in [controller, *observers]}
    assert names == {"1"}
    for stream in [controller, *observers]:
        stream.close()


def test_a_controller_may_come_back(stub, session_id) -> None:
    Stream(stub, session_id).close()
    stream = _reconnect(stub, session_id)
    stream.send(audio(20))
    assert stream.until("segment_started").epoch == 0
    stream.close()


def _reconnect(stub, session_id) -> Stream:
    """The server learns of a cancelled stream a moment later than the client."""
    for _ in range(200):
        state = stub.GetSession(pb.GetSessionRequest(session_id=session_id)).session.state
        if state == session_pb2.SESSION_STATE_WAITING:
            return Stream(stub, session_id)
        time.sleep(0.01)
    raise AssertionError("the controller's place did not become free")


def test_an_observer_only_receives(stub, session_id) -> None:
    stream = Stream(stub, session_id, OBSERVER)
    stream.send(audio(20))
    error = refused(stream.rest)
    assert reason_of(error) == "PERMISSION_DENIED"


def test_barge_in_raises_the_epoch(stub, session_id) -> None:
    stream = Stream(stub, session_id)
    stream.send(audio(1000))
    stream.until("segment_started")
    stream.send(pb.AnimateRequest(interrupt=event_pb2.Interrupt()))
    ended = stream.until("segment_ended")
    assert ended.interrupted
    interrupted = stream.until("interrupted")
    assert (interrupted.epoch, interrupted.segment_id) == (1, "1")
    stream.send(audio(20))
    assert stream.until("segment_started").epoch == 1
    stream.close()


def test_controls_change_and_are_confirmed_whole(stub, session_id) -> None:
    stream = Stream(stub, session_id)
    change = control_pb2.ControlChange(
        change_id=9,
        controls=control_pb2.Controls(
            distance=0.5,
            gaze_direction=control_pb2.GazeDirection(yaw_radians=0.25),
            emotion=control_pb2.EmotionOffset(weights={"happy": 0.5}),
            background=control_pb2.Background(mode=3, red=255),
        ),
    )
    stream.send(pb.AnimateRequest(control=change))
    applied = stream.until("control_applied")
    assert applied.change_id == 9
    assert applied.controls.distance == 0.5
    assert applied.controls.gaze_direction.yaw_radians == 0.25
    assert applied.controls.emotion.weights["happy"] == 0.5
    assert applied.controls.background.red == 255
    assert applied.controls.head_motion == 1.0
    stream.close()


@pytest.mark.parametrize(
    ("request_message", "reason"),
    [
        (pb.AnimateRequest(), "INVALID_FIELD"),
        (opening("x"), "INVALID_FIELD"),
        (audio(20, format=0), "UNSPECIFIED_ENUM"),
        (audio(20, role=7), "UNSPECIFIED_ENUM"),
        (audio(20, channels=0), "INVALID_AUDIO"),
        (audio(20, sample_rate_hz=100), "INVALID_AUDIO"),
        (audio(20, data=b"\0"), "INVALID_AUDIO"),
        (audio(20, segment_id="s" * 65), "INVALID_FIELD"),
        (
            audio(0, format=audio_pb2.AUDIO_FORMAT_F32LE, data=b"\x00\x00\xc0\x7f" * 4),
            "INVALID_AUDIO",
        ),
        (
            pb.AnimateRequest(
                control=control_pb2.ControlChange(
                    controls=control_pb2.Controls(background=control_pb2.Background())
                )
            ),
            "UNSPECIFIED_ENUM",
        ),
        (
            pb.AnimateRequest(control=control_pb2.ControlChange(effective_pts_nanos=-1)),
            "INVALID_FIELD",
        ),
        (
            pb.AnimateRequest(control=control_pb2.ControlChange(effective_pts_nanos=10**15)),
            "INVALID_FIELD",
        ),
    ],
)
def test_bad_messages_end_the_stream_with_their_reason(
    stub, session_id, request_message, reason: str
) -> None:
    stream = Stream(stub, session_id)
    stream.send(request_message)
    error = refused(stream.rest)
    assert reason_of(error) == reason
    assert error.code() is not grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (audio(20), "INVALID_FIELD"),
        (opening("nobody"), "SESSION_NOT_FOUND"),
        (opening("x", role=0), "UNSPECIFIED_ENUM"),
        (opening("x", statistics_interval_millis=5), "INVALID_FIELD"),
    ],
)
def test_a_stream_begins_with_open(stub, first, reason: str) -> None:
    error = refused(lambda: list(stub.Animate(iter([first]))))
    assert reason_of(error) == reason
    assert reason_of(refused(lambda: list(stub.Animate(iter([]))))) == "INVALID_FIELD"


def test_statistics_come_at_their_interval(stub, session_id) -> None:
    stream = Stream(stub, session_id, statistics_interval_millis=100)
    stream.until("statistics")
    assert stream.until("statistics").frames_published > 0
    stream.close()


@pytest.mark.parametrize(
    "encoding",
    [
        frame_pb2.FRAME_ENCODING_RAW,
        frame_pb2.FRAME_ENCODING_JPEG,
        frame_pb2.FRAME_ENCODING_H264,
    ],
)
def test_pictures_come_inside_the_stream(stub, avatar_id, encoding) -> None:
    request = pb.CreateSessionRequest(avatar_id=avatar_id, width_px=256, frame_encoding=encoding)
    session = stub.CreateSession(request).session
    stream = Stream(stub, session.session_id)
    frame = stream.until("frame")
    assert frame.encoding == encoding
    assert frame.keyframe
    assert frame.location == frame_pb2.FRAME_LOCATION_INLINE
    if encoding == frame_pb2.FRAME_ENCODING_RAW:
        pixels = np.frombuffer(frame.data, np.uint8).reshape(256, 256, 4)
        assert read_number(pixels) == frame.seq
    stream.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))


def test_burst_over_grpc_loses_nothing_and_waits_for_the_reader(stub, avatar_id) -> None:
    request = pb.CreateSessionRequest(
        avatar_id=avatar_id, width_px=256, pacing=session_pb2.PACING_BURST
    )
    session = stub.CreateSession(request).session
    stream = Stream(stub, session.session_id)
    for _ in range(40):
        stream.send(audio(50))
    stream.half_close()
    seqs = []
    for response in stream.rest():
        if response.WhichOneof("payload") == "frame":
            seqs.append(response.frame.seq)
            pixels = np.frombuffer(response.frame.data, np.uint8).reshape(256, 256, 4)
            assert read_number(pixels) == seqs[-1]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) in (80, 81, 82)
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))


def test_a_reader_that_stalls_loses_old_pictures_and_is_told(stub, avatar_id, session_id) -> None:
    session = stub.CreateSession(pb.CreateSessionRequest(avatar_id=avatar_id)).session
    stalled = Stream(stub, session.session_id)
    first = stalled.until("frame")
    request = pb.GetSessionRequest(session_id=session.session_id)
    eventually(lambda: stub.GetSession(request).session.pts_nanos > 1_500_000_000)
    notice = stalled.until("notice")
    assert notice.kind == event_pb2.NOTICE_KIND_FRAMES_DROPPED
    assert notice.count == notice.total > 10
    assert stalled.until("frame").seq > first.seq + notice.count
    stalled.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))


def test_frames_in_the_ring_are_announced(stub, avatar_id) -> None:
    request = pb.CreateSessionRequest(
        avatar_id=avatar_id, width_px=256, transports=[endpoint_pb2.TRANSPORT_SHM]
    )
    session = stub.CreateSession(request).session
    assert session.ring.width_px == 256
    stream = Stream(stub, session.session_id, announce_frames=True)
    frame = stream.until("frame")
    assert frame.location == frame_pb2.FRAME_LOCATION_RING
    assert not frame.data
    assert _ring_files(session.ring.path)
    inline = event_pb2.OutputSelection(outputs=[endpoint_pb2.OUTPUT_MOTION])
    error = refused(lambda: Stream(stub, session.session_id, OBSERVER, inline_outputs=inline))
    assert reason_of(error) == "TRANSPORT_NOT_SUPPORTED"
    stream.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))
    closed = stub.GetSession(pb.GetSessionRequest(session_id=session.session_id)).session
    assert not closed.HasField("ring")
    gc.collect()
    assert not _ring_files(session.ring.path), "neither its name nor its memory is left"


def _ring_files(path: str) -> list[str]:
    """Which of this process's open files is the ring, shown or deleted."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("open files are listed under Linux only")
    links = []
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            links.append(os.readlink(entry))
    return [link for link in links if link.startswith(path)]


def test_a_session_that_breaks_ends_as_a_bug_and_the_others_go_on(
    service, stub, avatar_id, session_id
) -> None:
    service.stages.fail_at = 20
    request = pb.CreateSessionRequest(avatar_id=avatar_id, width_px=256)
    broken = stub.CreateSession(request).session
    service.stages.fail_at = None
    bystander = Stream(stub, session_id)
    error = refused(Stream(stub, broken.session_id).rest)
    assert reason_of(error) == "BUG"
    bystander.send(audio(20))
    bystander.until("segment_started")
    bystander.close()


def test_too_much_audio_ahead_says_when_to_retry(tmp_path) -> None:
    with running_service(tmp_path, limits__audio_ahead_secs=1.0) as service:
        session = service.stub.CreateSession(pb.CreateSessionRequest()).session
        stream = Stream(service.stub, session.session_id)
        stream.send(audio(3000))
        error = refused(stream.rest)
        assert reason_of(error) == "AUDIO_TOO_FAR_AHEAD"
        assert details_of(error)["RetryInfo"].retry_delay.seconds == 1


def test_beyond_capacity_says_when_to_retry(tmp_path) -> None:
    with running_service(tmp_path, limits__max_sessions=1) as service:
        first = service.stub.CreateSession(pb.CreateSessionRequest()).session
        error = refused(lambda: service.stub.CreateSession(pb.CreateSessionRequest()))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == "CAPACITY_EXHAUSTED"
        assert details_of(error)["RetryInfo"].retry_delay.seconds == 5
        service.stub.CloseSession(pb.CloseSessionRequest(session_id=first.session_id))
        service.stub.CreateSession(pb.CreateSessionRequest())


def test_a_token_is_asked_for_where_one_is_set(tmp_path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    with running_service(tmp_path, token_file=tmp_path / "token") as service:
        info = pb.GetServerInfoRequest()
        for metadata in (None, [("authorization", "Bearer wrong-wrong-wrong")]):
            error = refused(lambda m=metadata: service.stub.GetServerInfo(info, metadata=m))
            assert reason_of(error) == "UNAUTHENTICATED"
        error = refused(lambda: list(service.stub.Animate(iter([opening("x")]))))
        assert reason_of(error) == "UNAUTHENTICATED"
        right = [("authorization", "Bearer 0123456789abcdef")]
        assert service.stub.GetServerInfo(info, metadata=right).api_version == "1.0"
        health = health_pb2_grpc.HealthStub(service.channel)
        health.Check(health_pb2.HealthCheckRequest())


def test_an_oversized_message_is_refused_and_the_service_lives(tmp_path) -> None:
    with running_service(tmp_path, limits__max_message_bytes=65536) as service:
        session = service.stub.CreateSession(pb.CreateSessionRequest()).session
        stream = Stream(service.stub, session.session_id)
        stream.send(audio(3000))
        error = refused(stream.rest)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        service.stub.GetServerInfo(pb.GetServerInfoRequest())


def test_draining_refuses_new_sessions_and_tells_the_running_ones(tmp_path) -> None:
    with running_service(tmp_path, drain_secs=5) as service:
        session = service.stub.CreateSession(pb.CreateSessionRequest()).session
        stream = Stream(service.stub, session.session_id)
        stream.send(audio(300))
        stream.until("segment_started")
        stream.send(pb.AnimateRequest(segment_end=audio_pb2.SegmentEnd()))
        stopping = _begin(service, service.service.stop())
        notice = stream.until("notice")
        assert notice.kind == event_pb2.NOTICE_KIND_SESSION_ENDING
        error = refused(lambda: service.stub.CreateSession(pb.CreateSessionRequest()))
        assert reason_of(error) == "SHUTTING_DOWN"
        stream.until("segment_ended")
        error = refused(stream.rest)
        assert reason_of(error) == "SHUTTING_DOWN"
        stopping.result(20)


def _begin(service, coroutine):
    import asyncio

    return asyncio.run_coroutine_threadsafe(coroutine, service._loop)


def test_a_session_left_alone_is_closed(tmp_path) -> None:
    with running_service(tmp_path, limits__idle_timeout_secs=1) as service:
        session = service.stub.CreateSession(pb.CreateSessionRequest()).session
        manager = service.service._manager
        managed = manager.get(session.session_id)
        managed.idle_since_nanos -= 2_000_000_000
        service.call(_sweep(manager))
        state = service.stub.GetSession(pb.GetSessionRequest(session_id=session.session_id))
        assert state.session.state == session_pb2.SESSION_STATE_CLOSED


def test_closed_sessions_are_forgotten_after_a_while(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("avatar_service.session.manager.MAX_REMEMBERED", 3)
    with running_service(tmp_path) as service:
        manager = service.service._manager
        sessions = []
        for _ in range(6):
            one = service.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
            sessions.append(weakref.ref(manager.get(one)))
            service.stub.CloseSession(pb.CloseSessionRequest(session_id=one))
            last = one
        gc.collect()
        assert [kept() is None for kept in sessions] == [True, True, True, False, False, False]
        state = service.stub.GetSession(pb.GetSessionRequest(session_id=last)).session.state
        assert state == session_pb2.SESSION_STATE_CLOSED


async def _sweep(manager) -> None:
    manager.sweep()


def test_a_session_that_its_caller_no_longer_waits_for_is_taken_apart(tmp_path) -> None:
    with running_service(tmp_path, limits__max_sessions=1) as service:
        service.stages.may_build.clear()
        waiting = service.stub.CreateSession.future(pb.CreateSessionRequest())
        capacity = service.service._capacity
        eventually(lambda: capacity._reservations)
        waiting.cancel()
        service.stub.GetServerInfo(pb.GetServerInfoRequest())  # the cancel travels before this
        service.stages.may_build.set()
        eventually(lambda: not capacity._reservations)
        assert [motion.is_closed for motion in service.stages.motions] == [True]
        service.stub.CreateSession(pb.CreateSessionRequest())


def test_sessions_that_take_long_to_make_leave_threads_to_the_others(tmp_path) -> None:
    with running_service(tmp_path) as service:
        # As many as the machine holds are more than enough here: latents alone, each a thread.
        service.service._capacity._limit = 1e6
        service.service._capacity.calibrate(FrameCost(1e-6, 0.0))
        service.stages.may_build.clear()
        waiting = [
            service.stub.CreateSession.future(pb.CreateSessionRequest())
            for _ in range(NUM_THREADS + 2)
        ]
        capacity = service.service._capacity
        eventually(lambda: len(capacity._reservations) == len(waiting))
        service.stub.ListSessions(pb.ListSessionsRequest(), timeout=5)
        waiting[-1].cancel()  # it has no thread yet
        eventually(lambda: len(capacity._reservations) < len(waiting))
        service.stages.may_build.set()
        ids = {one.result(20).session.session_id for one in waiting[:-1]}
        assert len(ids) == len(waiting) - 1


def eventually(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")
