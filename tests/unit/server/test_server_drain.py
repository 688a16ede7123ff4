"""SIGTERM and the hand-over to another service: sentences end, no request fails."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from avatar_client import Client, Session, UnavailableError, connect
from avatar_client.sources import TransportName
from fakes.service import RunningService, running_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rpc_tools import Stream, audio, reason_of, refused

from avatar_service.gen.avatar.v1 import audio_pb2
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.server import animate

pytestmark = pytest.mark.unit

SPEECH = b"\0\x40" * 1600


def begin_stop(service: RunningService):
    return asyncio.run_coroutine_threadsafe(service.service.stop(), service._loop)


@contextmanager
def drain_amid_a_sentence(
    home: Path, drain_secs: float
) -> Iterator[tuple[RunningService, Stream, Future]]:
    with running_service(home, drain_secs=drain_secs) as service:
        session = service.stub.CreateSession(pb.CreateSessionRequest()).session
        stream = Stream(service.stub, session.session_id)
        stream.send(audio(100))
        stream.until("segment_started")
        stopping = begin_stop(service)
        stream.until("notice")
        yield service, stream, stopping


def test_a_sentence_that_is_still_coming_in_is_heard_to_its_end(tmp_path) -> None:
    with drain_amid_a_sentence(tmp_path, 10) as (_, stream, stopping):
        for _ in range(5):  # the line runs dry between these
            time.sleep(0.15)
            assert not stopping.done()
            stream.send(audio(20))
        stream.send(pb.AnimateRequest(segment_end=audio_pb2.SegmentEnd()))
        ended = stream.until("segment_ended")
        assert not ended.interrupted
        stopping.result(20)


def test_a_sentence_without_end_is_cut_at_the_limit(tmp_path) -> None:
    with drain_amid_a_sentence(tmp_path, 0.5) as (_, stream, stopping):
        stopping.result(20)
        assert reason_of(refused(stream.rest)) == "SHUTTING_DOWN"


def test_the_status_comes_when_the_client_has_read_the_end(tmp_path, monkeypatch) -> None:
    # Without the client's half-close the drain would cut the call off, with no reason.
    monkeypatch.setattr(animate, "READ_SECS", 60)
    with drain_amid_a_sentence(tmp_path, 0.5) as (_, stream, stopping):
        stream.until("session_ended")
        stream.send(audio(20))  # too late, and no fault
        stream.half_close()
        assert reason_of(refused(stream.rest)) == "SHUTTING_DOWN"
        stopping.result(20)


@pytest.mark.parametrize("transport", ["grpc", "shm", "zmq"])
def test_a_drain_loses_no_frame(tmp_path, transport: TransportName) -> None:
    with running_service(tmp_path, drain_secs=10) as service, connect(service.address) as client:
        session = client.open_session(transport=transport)
        first = session.next_frame(5)  # ZeroMQ's subscription has arrived
        session.push_audio(SPEECH * 3, sample_rate_hz=16_000)
        session.end_segment()
        (managed,) = service.service._manager.sessions
        stopping = begin_stop(service)
        numbers = [first.seq]
        with pytest.raises(UnavailableError) as fault:
            numbers.extend(frame.seq for frame in session.frames())
        assert fault.value.reason == "SHUTTING_DOWN"
        assert numbers == list(range(first.seq, managed.session.stats.frames + 1))
        assert not session._stream.num_reconnects
        stopping.result(20)


def test_while_it_drains_health_is_not_serving(tmp_path) -> None:
    with drain_amid_a_sentence(tmp_path, 10) as (service, stream, stopping):
        health = health_pb2_grpc.HealthStub(service.channel)
        deadline = time.monotonic() + 5
        while health.Check(health_pb2.HealthCheckRequest()).status != 2:  # NOT_SERVING
            assert time.monotonic() < deadline
            time.sleep(0.01)
        stream.send(pb.AnimateRequest(segment_end=audio_pb2.SegmentEnd()))
        stopping.result(20)


def say_hello(client: Client) -> Session:
    """Say a sentence to its end in a session of its own."""
    with client.open_session(transport="grpc") as session:
        segment = session.push_audio(SPEECH, sample_rate_hz=16_000)
        session.end_segment()
        frames = list(session.frames(through_segment=segment))
        assert frames
    return session


class Caller(threading.Thread):
    """A client that opens one session after the other on one connection."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address = address
        self.is_stopping = threading.Event()
        self.num_sessions = 0
        self.faults: list[BaseException] = []

    def run(self) -> None:
        try:
            with connect(self._address) as client:
                while not self.is_stopping.is_set():
                    say_hello(client)
                    self.num_sessions += 1
        except BaseException as fault:
            self.faults.append(fault)


def test_a_hand_over_on_one_port_fails_no_request(tmp_path) -> None:
    shared = {"reuse_port": True, "drain_secs": 10}
    with running_service(tmp_path / "old", **shared) as old, connect(old.address) as client:
        callers = [Caller(old.address) for _ in range(3)]
        for caller in callers:
            caller.start()
        lasting = client.open_session(transport="grpc")
        with running_service(tmp_path / "new", listen=old.address, **shared) as new:
            segment = lasting.push_audio(SPEECH * 10, sample_rate_hz=16_000)
            lasting.end_segment()
            lasting.wait_segment_started(segment)
            begin_stop(old)
            list(lasting.frames(through_segment=segment))  # raises where the session is cut
            assert not lasting._inbox.ended(segment).interrupted
            lasting.close()
            before = [caller.num_sessions for caller in callers]
            deadline = time.monotonic() + 30
            while any(c.num_sessions < b + 2 for c, b in zip(callers, before, strict=True)):
                assert time.monotonic() < deadline
                assert not any(caller.faults for caller in callers), [c.faults for c in callers]
                time.sleep(0.05)
            for caller in callers:
                caller.is_stopping.set()
            for caller in callers:
                caller.join(10)
            assert not any(caller.faults for caller in callers), [c.faults for c in callers]
            assert len(new.stages.motions) >= 6
