"""The native client and time that stands still: a network that pauses, a reader that is stopped,
a service that hangs or dies, and shared memory that is too small."""

from __future__ import annotations

import csv
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fakes.tcp_pauser import FarNetwork
from native_abi import (
    BURST,
    FAILED,
    GRPC,
    NOTICE,
    READY,
    RECONNECTING,
    SHM,
    STATE,
    WAIT_SECS,
    ZMQ,
    Native,
    speech,
)

from avatar_service.session.service_process import ServiceProcess

pytestmark = [pytest.mark.e2e, pytest.mark.live]

PAUSE_SECS = 0.3
TRANSPORTS = {SHM: "shm", ZMQ: "zmq", GRPC: "grpc"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    options = {"home": str(tmp_path_factory.mktemp("home")), "zmq.endpoint": "tcp://127.0.0.1"}
    with ServiceProcess(options) as running:
        yield running
        assert running.process.poll() is None, " / ".join(running.lines)


@dataclass(frozen=True)
class Tick:
    """What an engine showed at one of its frames."""

    at: float
    pts_nanos: int
    seq: int
    presence: float


class Game(threading.Thread):
    """Shows a session's motion every 8 ms, as an engine's loop does."""

    def __init__(self, client: Native) -> None:
        super().__init__()
        self.ticks: list[Tick] = []
        self._client = client
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(0.008):
            pts_nanos = self._client.now()
            if pts_nanos >= 0:
                motion = self._client.motion_at(pts_nanos)
                self.ticks.append(Tick(time.monotonic(), pts_nanos, motion.seq, motion.presence))

    def stop(self) -> list[Tick]:
        self._is_over.set()
        self.join()
        return self.ticks


@pytest.mark.parametrize("transport", [ZMQ, GRPC])
def test_pauses_of_the_network_are_ridden_out_once_they_are_known(
    native: Callable[..., Native], service: ServiceProcess, transport: int
) -> None:
    with FarNetwork(service.address) as network:
        client = native(network.address)
        client.open_session(transports=transport)
        client.wait(20)
        assert (network.num_zmq_connections > 0) == (transport == ZMQ)
        game = Game(client)
        game.start()
        pauses = []
        for _ in range(4):
            time.sleep(1.2)
            begin = time.monotonic()
            network.pause(PAUSE_SECS)
            pauses.append((begin, time.monotonic() + 0.1))
        time.sleep(0.2)
        ticks = game.stop()
        statistics = client.statistics()
        assert client.info().state == READY
        assert statistics.num_reconnects == 0
        assert statistics.messages_refused == 0
        told = client.statistics()
        while told.server_frames_published < statistics.frames_received:
            time.sleep(0.05)  # the server's figures come once a second
            told = client.statistics()
        # Latents wait on their way: none is lost but what the busy server itself left out.
        assert statistics.frames_skipped <= told.server_frames_dropped
    steps = np.diff([tick.pts_nanos for tick in ticks])
    assert (steps >= 0).all(), "time never runs backwards"
    during = [[tick.presence for tick in ticks if begin < tick.at < end] for begin, end in pauses]
    # The buffer has grown to what the network does: the face goes on where at first it rested.
    assert statistics.delay_nanos > 0.15e9
    assert min(during[-1]) > 0.99, [min(each) for each in during]
    assert min(during[-1]) >= min(during[0])
    assert ticks[-1].presence == 1.0


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_readers_that_are_stopped_for_ten_seconds_go_on_with_the_present(
    native: Callable[..., Native], library: Path, service: ServiceProcess, tmp_path: Path
) -> None:
    clip = tmp_path / "clip"
    speech(11.5).tofile(clip)
    other = native(service.address)
    other.open_session()
    readers = {
        number: subprocess.Popen(
            [library.parent / "examples/speak", service.address, "-", clip, tmp_path / name],
            env={**os.environ, "AVATAR_TRANSPORT": name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number, name in TRANSPORTS.items()
    }
    curves = {number: tmp_path / f"{name}.csv" for number, name in TRANSPORTS.items()}
    try:
        deadline = time.monotonic() + WAIT_SECS
        while not all(c.exists() and c.stat().st_size > 5000 for c in curves.values()):
            assert time.monotonic() < deadline, "the readers read"
            time.sleep(0.02)
        for reader in readers.values():
            reader.send_signal(signal.SIGSTOP)
        before = other.statistics()
        time.sleep(10.0)
        during = other.statistics()
        for reader in readers.values():
            reader.send_signal(signal.SIGCONT)
        resumed_at = time.monotonic()
        for number, reader in readers.items():
            _, errors = reader.communicate(timeout=60)
            assert reader.returncode == 0, (TRANSPORTS[number], errors)
        caught_up_secs = time.monotonic() - resumed_at
    finally:
        for reader in readers.values():
            reader.kill()
            reader.wait()
    assert during.frames_received - before.frames_received > 150, "nobody else waits for them"
    for number, path in curves.items():
        pts = np.array([int(row["pts_nanos"]) for row in rows_of(path)]) / 1e9
        assert (np.diff(pts) > 0).all()
        assert pts[-1] > 11.0, f"{TRANSPORTS[number]}: it ends with the speech"
        # A ring holds the present alone; what waits in a connection rushes past in milliseconds.
        if number == SHM:
            assert np.diff(pts).max() > 8.0, "the past is left out"
    assert caught_up_secs < 9.0, "nobody stays ten seconds behind"


def test_a_killed_service_is_noticed_at_once(native: Callable[..., Native], tmp_path: Path) -> None:
    with ServiceProcess({"home": str(tmp_path)}) as service:
        clients = [native(service.address) for _ in TRANSPORTS]
        for client, transport in zip(clients, TRANSPORTS, strict=True):
            client.open_session(transports=transport)
        service.kill()
        killed_at = time.monotonic()
        for client in clients:
            while client.wait_event(STATE).value != RECONNECTING:
                pass
        # Heartbeats alone would need 5 s.
        assert time.monotonic() - killed_at < 2.0


def test_a_service_that_hangs_is_given_up_after_the_time_allowed_and_found_again(
    native: Callable[..., Native], tmp_path: Path
) -> None:
    with ServiceProcess({"home": str(tmp_path)}) as service:
        clients = [native(service.address) for _ in TRANSPORTS]
        for client, transport in zip(clients, TRANSPORTS, strict=True):
            client.open_session(transports=transport, silence_millis=700)
            client.wait(10)
        burst = native(service.address)
        burst.open_session(pacing=BURST, silence_millis=600, statistics_millis=100)
        assert burst.push(speech(0.1)) == 0
        burst.wait(2)
        time.sleep(1.5)
        assert burst.info().state == READY, "nothing is due"
        clients.append(burst)
        patient = native(service.address)
        patient.open_session(silence_millis=0)
        patient.wait(10)
        names = [client.info().session_id for client in clients]
        service.process.send_signal(signal.SIGSTOP)
        try:
            for client in clients:
                while (event := client.wait_event(STATE)).value != RECONNECTING:
                    pass
                assert event.text == b"nothing came for 700 ms: the connection is taken for lost"
            assert patient.info().state == READY
        finally:
            service.process.send_signal(signal.SIGCONT)
        for client, name in zip(clients, names, strict=True):
            while client.wait_event(STATE).value != READY:
                pass
            assert client.info().session_id == name, "the same session goes on"
            assert client.push(speech(0.1)) == 0


def test_too_little_shared_memory_is_told_and_another_way_taken(
    native: Callable[..., Native], tmp_path: Path
) -> None:
    with ServiceProcess({"home": str(tmp_path), "zmq.enabled": "false"}) as service:
        _, hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
        # Files of at most 4 KiB: as with a full /dev/shm, the ring's memory cannot be allotted.
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (4096, hard))
        only = native(service.address)
        assert only.begin_session(transports=SHM, reconnect=0) == 0
        assert only.call("session_wait_ready", only.session, 20_000) != 0
        assert only.info().state == FAILED
        assert only.error.reason == b"STORAGE_EXHAUSTED"
        assert b"shared memory" in only.error.message
        any_way = native(service.address)
        any_way.open_session()
        assert any_way.info().transport == GRPC
        assert b"shared memory" in any_way.wait_event(NOTICE).text
        any_way.wait(10)
