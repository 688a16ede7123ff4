"""A real service, real clients, and what happens when one of them dies or stalls."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from avatar_client import (
    AccessError,
    AvatarClientError,
    BackOff,
    Client,
    ExhaustedError,
    Session,
    UnavailableError,
    connect,
)

from avatar_service.session.service_process import ServiceProcess
from avatar_service.transports.shared_memory import PREFIX, default_folder

pytestmark = [pytest.mark.e2e, pytest.mark.live]

WAIT_SECS = 20.0
SPEECH = (0.3 * np.sin(np.arange(16_000) * 0.05)).astype(np.float32)


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECS
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_SECS} s: {what}"
        time.sleep(0.02)


def talk_until_refused(session: Session) -> None:
    for _ in range(400):
        session.push_audio(SPEECH, sample_rate_hz=16_000)
        session.next_event(0.02)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    home = tmp_path_factory.mktemp("home")
    with ServiceProcess({"home": str(home), "limits.idle_timeout_secs": "1"}) as running:
        yield running
        assert running.process.poll() is None, " / ".join(running.lines)


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[Client]:
    with connect(service.address) as connected:
        yield connected


def test_speech_becomes_motion_in_shared_memory(client: Client) -> None:
    with client.open_session(transport="shm") as session:
        session.push_audio(SPEECH, sample_rate_hz=16_000, segment_id="hello")
        session.end_segment()
        frames = list(session.frames(through_segment="hello"))
        started = session.wait_segment_started("hello")
        spoken = [f for f in frames if f.pts_nanos >= started.pts_nanos]
        assert len(spoken) in (39, 40, 41)
        assert [b.seq - a.seq for a, b in zip(spoken, spoken[1:], strict=False)] == [1] * (
            len(spoken) - 1
        )
        assert session.statistics().counters.num_torn == 0


@pytest.mark.parametrize("transport", ["shm", "zmq", "grpc"])
def test_every_transport_brings_motion(client: Client, transport: str) -> None:
    with client.open_session(transport=transport) as session:
        session.push_audio(SPEECH, sample_rate_hz=16_000)
        first, second = session.next_frame(WAIT_SECS), session.next_frame(WAIT_SECS)
        assert first is not None
        assert second is not None
        assert second.pts_nanos > first.pts_nanos


def test_barge_in_is_answered_and_new_speech_goes_on(client: Client) -> None:
    with client.open_session(transport="shm") as session:
        session.push_audio(np.tile(SPEECH, 5), sample_rate_hz=16_000, segment_id="long")
        session.wait_segment_started("long")
        interrupted = session.interrupt()
        assert interrupted is not None
        assert (interrupted.epoch, interrupted.segment_id) == (1, "long")
        session.push_audio(SPEECH, sample_rate_hz=16_000, segment_id="answer")
        assert session.wait_segment_started("answer").epoch == 1
        eventually(
            lambda: (frame := session.next_frame(1.0)) is not None and frame.epoch == 1,
            "frames of the new epoch",
        )


def test_a_reader_that_stalls_costs_nobody_anything(client: Client) -> None:
    with (
        client.open_session(transport="grpc") as stalled,
        client.open_session(transport="shm") as lively,
    ):
        lively.push_audio(np.tile(SPEECH, 2), sample_rate_hz=16_000, segment_id="s")
        lively.end_segment()
        list(lively.frames(through_segment="s"))
        statistics = lively.statistics()
        assert statistics.server is not None
        assert statistics.counters.num_missed == 0
        assert client.get_session(stalled.session_id).pts_nanos > 2 * 10**9


def test_too_much_audio_ahead_is_a_clear_error(client: Client) -> None:
    session = client.open_session(transport="shm")
    with pytest.raises(AvatarClientError) as fault:
        talk_until_refused(session)
    assert isinstance(fault.value, ExhaustedError)
    assert fault.value.reason == "AUDIO_TOO_FAR_AHEAD"
    session.close()


def test_a_killed_client_leaves_nothing_behind(service: ServiceProcess, client: Client) -> None:
    program = (
        "import sys, time\n"
        "from avatar_client import connect\n"
        "session = connect(sys.argv[1]).open_session(transport='shm')\n"
        "print(session.session_id, session.info.ring.path, flush=True)\n"
        "time.sleep(60)\n"
    )
    victim = subprocess.Popen(
        [sys.executable, "-c", program, service.address], stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout is not None
    session_id, ring = victim.stdout.readline().split()
    assert Path(ring).exists()
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    eventually(lambda: not Path(ring).exists(), "the ring of the killed client's session is gone")
    state = client.get_session(session_id).state
    assert state == 4, "SESSION_STATE_CLOSED"


def test_a_killed_service_is_noticed_and_its_rings_are_reclaimed(tmp_path: Path) -> None:
    service = ServiceProcess({"home": str(tmp_path), "shm.folder": str(tmp_path)})
    client = connect(service.address, back_off=BackOff(give_up_secs=0.5))
    session = client.open_session(transport="shm")
    ring = Path(session.info.ring.path)
    assert ring.parent == tmp_path
    assert ring.exists()
    service.kill()
    with pytest.raises(UnavailableError):
        talk_until_refused(session)
    assert ring.exists(), "a killed service cannot clean up"
    with ServiceProcess({"home": str(tmp_path), "shm.folder": str(tmp_path)}):
        assert not ring.exists()
    client.close()


def test_sigterm_ends_sessions_cleanly_within_the_drain_time(tmp_path: Path) -> None:
    service = ServiceProcess({"home": str(tmp_path), "drain_secs": "3"})
    with connect(service.address) as client:
        session = client.open_session(transport="shm")
        ring = Path(session.info.ring.path)
        session.push_audio(SPEECH, sample_rate_hz=16_000, segment_id="last words")
        session.end_segment()
        session.wait_segment_started("last words")
        service.process.terminate()
        frames = list(session.frames(through_segment="last words"))
        assert len(frames) >= 38, "what was being said is said to its end"
        assert service.stop() == 0
        assert not ring.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"listen": "0.0.0.0:0"},
        {"limits.max_sessions": "none"},
    ],
)
def test_a_service_that_must_not_start_says_why_in_one_line(tmp_path: Path, options) -> None:
    arguments = [f"{key}={value}" for key, value in {"home": tmp_path, **options}.items()]
    ended = subprocess.run(
        [sys.executable, "-m", "avatar_service.server", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_said_in_one_line(tmp_path: Path, service: ServiceProcess) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "avatar_service.server", f"listen={service.address}"]
        + [f"home={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "cannot listen" in ended.stderr.strip().splitlines()[-1]


def test_no_ring_is_left_in_shared_memory_by_these_tests(service: ServiceProcess) -> None:
    mine = f"pid {service.pid}"
    eventually(
        lambda: not [p for p in default_folder().glob(PREFIX + "*") if _writer(p) == service.pid],
        f"the rings of {mine} are gone",
    )


def _writer(ring: Path) -> int:
    """Return the process id in a ring's header."""
    from avatar_service.transports.ring_layout import HEADER_DTYPE

    try:
        header = np.fromfile(ring, HEADER_DTYPE, 1)
    except OSError:
        return 0
    return int(header["writer_pid"][0]) if len(header) else 0


def test_an_observer_reads_and_may_not_talk(client: Client) -> None:
    with client.open_session(transport="shm") as session:
        observer = client.join_session(session.session_id, transport="shm")
        assert observer.next_frame(WAIT_SECS) is not None
        with pytest.raises(AccessError):
            talk_until_refused(observer)
        observer.close()
