import socket
import time

import grpc
import numpy as np
import pytest
from avatar_client import (
    BackOff,
    ExhaustedError,
    NotFoundError,
    NotSupportedError,
    PreconditionError,
    TimeoutExceededError,
    UnavailableError,
    connect,
    connection,
)
from avatar_client.frame_buffer import DEFAULT_CAPACITY
from avatar_client.gen.avatar.v1 import audio_pb2, endpoint_pb2, event_pb2
from avatar_client.gen.avatar.v1.avatar_service_pb2 import AnimateRequest, GetServerInfoRequest
from avatar_client.gen.avatar.v1.avatar_service_pb2_grpc import AvatarServiceStub
from avatar_client.stream import RequestQueue
from fakes.avatar_server import HANG_UP, Response
from fakes.http2_peer import SETTINGS, SETTINGS_ANSWER, PingCounter
from fakes.tcp_pauser import TcpPauser

from avatar_service.errors import AvatarError, Reason

pytestmark = pytest.mark.unit
SPEECH = np.linspace(-1, 1, 16_000, dtype=np.float32)


@pytest.fixture
def session(client, service):
    with client.open_session("a1") as session:
        assert service.sent().WhichOneof("payload") == "open"
        yield session


def next_event(session, kind):
    for _ in range(50):
        event = session.next_event(10)
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


def wait_for(session, predicate):
    """Let the stream's thread work until something is so; bounded."""
    assert session._inbox.wait(predicate, 10)


def test_audio_is_cut_small_and_arrives_whole(session, service):
    name = session.push_audio(SPEECH, sample_rate_hz=16_000)
    chunks = [service.sent().audio for _ in range(4)]
    assert {chunk.segment_id for chunk in chunks} == {name}
    assert {chunk.format for chunk in chunks} == {audio_pb2.AUDIO_FORMAT_F32LE}
    data = b"".join(chunk.data for chunk in chunks)
    np.testing.assert_array_equal(np.frombuffer(data, "<f4"), SPEECH)
    assert session.wait_segment_started(name).pts_nanos == 2_000_000_000
    assert next_event(session, audio_pb2.AudioEcho).data == chunks[0].data


def test_a_segment_goes_on_until_it_ends(session, service):
    first = session.push_audio(SPEECH[:100], sample_rate_hz=16_000)
    assert session.push_audio(SPEECH[:100], sample_rate_hz=16_000) == first
    listening = session.push_audio(SPEECH[:100], sample_rate_hz=16_000, role="listen")
    session.end_segment()
    session.end_segment()  # none is open: nothing is sent
    second = session.push_audio(SPEECH[:100], sample_rate_hz=16_000)
    assert len({first, second, listening}) == 3
    kinds = [service.sent().WhichOneof("payload") for _ in range(5)]
    assert kinds == ["audio", "audio", "audio", "segment_end", "audio"]
    assert next_event(session, event_pb2.SegmentEnded).segment_id == first


def test_phones_controls_and_acknowledgements_are_sent(session, service):
    name = session.push_phones([("HH", 0, 50), ("AY", 50, 120)])
    phones = service.sent().phones
    assert phones.segment_id == name
    assert [(p.symbol, p.start_nanos, p.end_nanos) for p in phones.phones] == [
        ("HH", 0, 50),
        ("AY", 50, 120),
    ]
    change = session.set_controls(
        effective_pts_nanos=7, gaze=(0.1, -0.2), emotion={"happy": 0.5}, background=(1, 2, 3)
    )
    control = service.sent().control
    assert control.effective_pts_nanos == 7
    assert control.controls.gaze_direction.yaw_radians == pytest.approx(0.1)
    assert dict(control.controls.emotion.weights) == {"happy": 0.5}
    assert control.controls.background.green == 2
    assert not control.controls.HasField("distance")
    assert next_event(session, event_pb2.ControlApplied).change_id == change
    session.acknowledge(99)
    assert service.sent().playback.pts_nanos == 99


@pytest.mark.parametrize("transport", ["shm", "zmq", "grpc"])
@pytest.mark.parametrize("avatar_id", ["a1", ""])
def test_frames_come_the_same_by_every_way(client, service, transport, avatar_id):
    with client.open_session(avatar_id, transport=transport) as session:
        assert session.source.name == transport
        seqs = []
        seq = 0
        while len(seqs) < 5:
            seq += 1
            assert seq < 2000
            service.publish(seq, inline=transport == "grpc")
            frame = session.next_frame(0.01 if transport == "zmq" else 10)
            if frame is None:
                continue  # ZeroMQ: the subscription is on its way
            seqs.append(frame.seq)
            assert frame.has_pixels is bool(avatar_id)
            assert (frame.pixels == frame.seq % 256).all()
            assert frame.motion.expression[17] == pytest.approx(frame.seq / 256, abs=0.003)
        assert seqs == list(range(seqs[0], seqs[0] + 5))
        due = session.frame_due(seqs[3] * 25_000_000 + 1)
        assert due.seq == seqs[3]
        assert session.motion_due(seqs[4] * 25_000_000).seq == seqs[4]
        assert session.frame_due(seqs[0] * 25_000_000 - 1) is None or seqs[0] > 1
        assert session.statistics().counters.num_frames >= 6


def test_the_fastest_way_is_taken_and_only_it(client, service):
    with client.open_session("a1") as session:
        assert session.source.name == "shm"
        assert list(service.sent().open.inline_outputs.outputs) == [endpoint_pb2.OUTPUT_AUDIO]


@pytest.mark.parametrize(
    ("spoil", "expected"), [("unlink", "zmq"), ("other_ring", "zmq"), ("both", "grpc")]
)
def test_a_way_that_does_not_work_is_passed_over(client, service, spoil, expected):
    with client.open_session("a1"):
        if spoil == "other_ring":
            service.session.ring.ring_id = bytes(16)
        else:
            service.ring.path.unlink()
        if spoil == "both":
            service.zmq.close()
        with client.join_session("s1") as observer:
            assert observer.source.name == expected


def test_no_way_at_all_is_told_way_by_way(client, service):
    service.transports = []
    with pytest.raises(NotSupportedError, match="shm: not offered; zmq: not offered"):
        client.open_session("a1")
    assert service.num_streams == 0


def test_burst_takes_the_stream_and_loses_nothing(client, service):
    with client.open_session("a1", pacing="burst") as session:
        assert session.source.name == "grpc"
        for seq in range(1, 101):  # far more than the client keeps
            service.publish(seq, inline=True)
        name = session.push_audio(SPEECH[:10], sample_rate_hz=16_000)
        session.end_segment()
        seqs = [frame.seq for frame in session.frames(through_segment=name)]
        assert seqs == list(range(1, 101))
        assert session.statistics().counters.num_missed == 0


def test_an_interrupt_drops_what_it_made_void(session, service):
    for seq in range(1, 7):
        service.publish(seq)  # pts 25 ms, ...; valid through 100 ms
    answer = session.interrupt()
    assert answer.epoch == session.epoch == 1
    assert session.frame_due(1 << 60).seq == 4
    service.publish(7, epoch=0)
    service.publish(8, epoch=1)
    assert session.frame_due(1 << 60).seq == 8
    assert [session.next_frame().seq for _ in range(5)] == [1, 2, 3, 4, 8]
    assert next_event(session, event_pb2.Interrupted).segment_id == "speak-1"


def test_an_interrupt_ends_the_open_segment(session):
    before = session.push_audio(SPEECH[:10], sample_rate_hz=16_000)
    session.interrupt(heard_pts_nanos=5, timeout_secs=0)
    assert session.push_audio(SPEECH[:10], sample_rate_hz=16_000) != before


def test_an_interrupt_that_is_not_answered_times_out(session, service):
    service._answers = lambda request: ()
    with pytest.raises(TimeoutExceededError):
        session.interrupt(timeout_secs=0.05)


def test_a_lost_stream_is_opened_again_and_what_waits_is_sent(session, service):
    service.outbox.put(HANG_UP)
    assert service.sent().open.session_id == "s1"
    session.push_audio(SPEECH[:10], sample_rate_hz=16_000)
    assert service.sent().WhichOneof("payload") == "audio"
    assert session.statistics().num_reconnects == 1
    assert session.is_open


def test_a_lost_stream_that_the_server_takes_for_alive_is_waited_out(session, service):
    service.num_has_controller = 2
    service.outbox.put(HANG_UP)
    assert service.sent().open.session_id == "s1"
    assert service.num_has_controller == 0
    assert session.is_open


def test_a_lost_stream_that_is_not_answered_is_given_up_and_opened_again(service):
    patient = BackOff(initial_secs=0.01, max_secs=0.05, give_up_secs=10.0)
    with (
        connect(service.target, back_off=patient) as client,
        client.open_session("a1") as session,
    ):
        service.sent()
        session._stream._opening_secs = 0.5
        service.num_unanswered_streams = 2
        service.outbox.put(HANG_UP)
        for _ in range(3):  # twice in vain
            assert service.sent().open.session_id == "s1"
        session.push_audio(SPEECH[:10], sample_rate_hz=16_000)
        assert service.sent().WhichOneof("payload") == "audio"
        assert session.statistics().num_reconnects == 3
        assert session.is_open


def test_a_service_that_never_answers_again_ends_the_session_in_plain_words(service):
    impatient = BackOff(initial_secs=0.01, max_secs=0.05, give_up_secs=0.3)
    with (
        connect(service.target, back_off=impatient) as client,
        client.open_session("a1") as session,
    ):
        session._stream._opening_secs = 0.2
        service.num_unanswered_streams = 1000
        service.outbox.put(HANG_UP)
        wait_for(session, lambda: session._inbox.has_ended)
        with pytest.raises(UnavailableError, match="did not open the stream in 0.2 s"):
            session.push_audio(SPEECH[:10], sample_rate_hz=16_000)


def test_leaving_a_service_that_hangs_hides_no_fault(client, service):
    def play():
        with client.open_session("a1") as session:
            session._timeout_secs = 0.2
            raise ZeroDivisionError

    service.answers_closing.clear()
    with pytest.raises(ZeroDivisionError):
        play()
    service.answers_closing.set()


def test_a_network_that_swallows_everything_is_noticed(service, monkeypatch):
    options = dict(connection.CHANNEL_OPTIONS)
    for name in ("keepalive_time_ms", "http2.ping_timeout_ms"):
        options[f"grpc.{name}"] //= 5
    monkeypatch.setattr(connection, "CHANNEL_OPTIONS", tuple(options.items()))
    monkeypatch.setattr("avatar_client.session.SILENCE_SECS", 60.0)  # it is not this one
    with (
        TcpPauser(int(service.target.rpartition(":")[2])) as network,
        connect(f"127.0.0.1:{network.port}") as client,
        client.open_session("a1") as session,
    ):
        service.sent()
        network.break_silently()
        assert service.sent(20).open.session_id == "s1"
        assert session.is_open
        assert network.num_connections == 2


def test_a_connection_on_which_nothing_is_sent_is_probed_again_and_again():
    options = dict(connection.CHANNEL_OPTIONS) | {"grpc.keepalive_time_ms": 100}
    with socket.create_server(("127.0.0.1", 0)) as door:
        target = f"127.0.0.1:{door.getsockname()[1]}"
        with grpc.insecure_channel(target, tuple(options.items())) as channel:
            waiting = AvatarServiceStub(channel).GetServerInfo.future(GetServerInfoRequest())
            service, _ = door.accept()
            service.settimeout(10)
            with service:
                service.sendall(SETTINGS + SETTINGS_ANSWER)
                told = PingCounter(service)
                while told.num_pings < 5:
                    assert told.read()
            waiting.cancel()


def test_a_service_that_hangs_is_given_up_and_found_again(service, monkeypatch):
    monkeypatch.setattr("avatar_client.session.SILENCE_SECS", 0.3)
    with connect(service.target, back_off=BackOff(initial_secs=0.01)) as client:
        session = client.open_session("a1")
        service.sent()
        service.outbox.put(Response(statistics=event_pb2.Statistics()))
        assert service.sent().open.session_id == "s1"
        assert service.sent().open.session_id == "s1"  # and one that hung before the first figures
        session.close()


def test_who_does_not_read_takes_no_service_for_one_that_hangs(service, monkeypatch):
    monkeypatch.setattr("avatar_client.session.SILENCE_SECS", 0.3)
    numbers = range(1, 2 * DEFAULT_CAPACITY)
    with (
        connect(service.target) as client,
        client.open_session("a1", transport="grpc", pacing="burst") as session,
    ):
        service.outbox.put(Response(statistics=event_pb2.Statistics()))
        for seq in numbers:
            service.publish(seq, inline=True)
        time.sleep(0.9)
        assert [session.next_frame(10).seq for _ in numbers] == list(numbers)
        assert session.statistics().num_reconnects == 0


def test_a_session_with_another_controller_is_not_waited_for(client, service):
    service.num_has_controller = 1
    with pytest.raises(PreconditionError, match="one controller"):
        client.open_session("a1")


def test_a_session_that_is_gone_is_told_by_every_call(session, service):
    service.outbox.put(AvatarError(Reason.SESSION_NOT_FOUND, "no session s1"))
    wait_for(session, lambda: session._inbox.has_ended)
    for call in (
        lambda: session.push_audio(SPEECH, sample_rate_hz=16_000),
        lambda: session.set_controls(distance=0.5),
        lambda: session.interrupt(),
        lambda: session.next_frame(0),
        lambda: session.frame_due(0),
        lambda: session.next_event(),
        lambda: list(session.frames()),
    ):
        with pytest.raises(NotFoundError, match="no session s1"):
            call()
    assert not session.is_open


def test_a_stream_that_the_server_ended_takes_nothing_more(session):
    session.finish()
    wait_for(session, lambda: session._inbox.has_ended)
    with pytest.raises(PreconditionError, match="has ended"):
        session.push_audio(SPEECH, sample_rate_hz=16_000)
    assert list(session.frames()) == []


def test_a_frame_that_lies_about_its_size_ends_the_stream(client, service):
    with client.open_session("a1", transport="grpc") as session:
        bad = Response()
        bad.frame.width_px, bad.frame.height_px, bad.frame.encoding = 9, 9, 1
        bad.frame.data = b"123"
        service.outbox.put(bad)
        wait_for(session, lambda: session._inbox.has_ended)
        with pytest.raises(Exception, match="cannot be read"):
            session.next_frame(0)


def test_events_that_nobody_takes_are_bounded_and_counted(session, service):
    for _ in range(4100):
        service.outbox.put(Response(notice=event_pb2.Notice()))
    service.outbox.put(Response(statistics=event_pb2.Statistics(frames_published=3)))
    wait_for(session, lambda: session._inbox.statistics is not None)
    statistics = session.statistics()
    assert statistics.num_events_lost == 4
    assert statistics.server.frames_published == 3


def test_an_observer_leaves_the_session_alone(client, service):
    with client.open_session("a1"):
        service.sent()
        num_before = len(service.requests)
        with client.join_session("s1") as observer:
            assert service.sent().open.role == event_pb2.STREAM_ROLE_OBSERVER
            service.publish(1)
            assert observer.next_frame(10).seq == 1
        names = [type(request).__name__ for request in service.requests[num_before:]]
        assert "CloseSessionRequest" not in names
    assert type(service.requests[-1]).__name__ == "CloseSessionRequest"


def test_closing_twice_and_after_the_server_has_gone_is_fine(client, service):
    session = client.open_session("a1")
    service.fault = AvatarError(Reason.SESSION_NOT_FOUND, "gone")
    session.close()
    session.close()


def test_a_connection_that_takes_nothing_does_not_fill_memory():
    requests = RequestQueue()
    chunk = AnimateRequest(audio=audio_pb2.AudioChunk(data=bytes(1 << 20)))
    for _ in range(15):
        requests.put(chunk)
    with pytest.raises(ExhaustedError) as caught:
        requests.put(chunk)
    assert caught.value.reason == "SEND_QUEUE_FULL"
    assert caught.value.retry_secs is not None
    requests.close()
    num_kept = sum(request.HasField("audio") for request in requests.iterate(AnimateRequest()))
    assert num_kept == 15
    requests.put(chunk)  # closed: dropped


def test_the_playhead_follows_the_servers_clock(session):
    # The session was at 1 s when it opened; less the playout delay of 150 ms.
    assert 850_000_000 <= session.playhead_nanos() < 60_000_000_000
    assert session.motion_names.names[17] == "jawOpen"
