"""The native client, called by ctypes as an engine's bindings do, and a service that fails."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from native_abi import (
    RESTARTED,
    SEGMENT_ENDED,
    SEGMENT_STARTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    WAIT_SECS,
    Native,
    speech,
)
from native_build import missing

from avatar_service.session.service_process import ServiceProcess

pytestmark = [pytest.mark.e2e, pytest.mark.live]


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECS
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_SECS} s: {what}"
        time.sleep(0.02)


def test_service_killed_and_restarted_mid_sentence(
    native: Callable[..., Native], tmp_path: Path
) -> None:
    with ServiceProcess({"home": str(tmp_path)}) as service:
        client = native(service.address)
        client.open_session()
        assert client.push(speech(3.0)) == 0
        client.wait_event(SEGMENT_STARTED)
        service.process.kill()
        service.process.wait()
        assert client.wait_event(SEGMENT_ENDED).value == 1  # cut
        assert client.push(speech(0.1)) == UNAVAILABLE
        address = service.address
    with ServiceProcess({"home": str(tmp_path), "listen": address}):
        client.wait_event(RESTARTED)
        assert client.call("session_wait_ready", client.session, 20_000) == 0
        assert client.push(speech(0.5)) == 0
        assert client.wait_event(SEGMENT_STARTED).pts_nanos >= 0
        client.end_segment()
        assert client.wait_event(SEGMENT_ENDED).value == 0


def test_a_service_that_drains_says_the_sentence_to_its_end(
    native: Callable[..., Native], tmp_path: Path
) -> None:
    with ServiceProcess({"home": str(tmp_path), "drain_secs": "20"}) as service:
        client = native(service.address)
        client.open_session()
        assert client.push(speech(1.0)) == 0
        client.end_segment()
        client.wait_event(SEGMENT_STARTED)
        service.process.send_signal(signal.SIGTERM)
        ended = client.wait_event(SEGMENT_ENDED)
        assert ended.value == 0, "not cut"
        # It has half-closed behind the service's last message: nothing holds the process.
        assert service.process.wait(20) == 0


def test_tls_and_token(native: Callable[..., Native], tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        missing("openssl is not there")
    key, certificate, token_file = (tmp_path / name for name in ("key", "cert", "token"))
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    make += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    token = "0123456789abcdef0123456789abcdef"
    token_file.write_text(token)
    token_file.chmod(0o600)
    options = {
        "home": str(tmp_path / "home"),
        "tls.certificate": str(certificate),
        "tls.private_key": str(key),
        "token_file": str(token_file),
    }
    with ServiceProcess(options) as service:
        right = native(service.address, tls=1, ca_pem=certificate.read_text(), token=token)
        status, info = right.server_info()
        assert status == 0, right.error.message
        assert info.api_version == b"1.0"
        right.open_session()
        assert right.push(speech(0.2)) == 0
        right.wait_event(SEGMENT_STARTED)
        wrong = native(service.address, tls=1, ca_pem=certificate.read_text(), token="x" * 32)
        assert wrong.server_info()[0] == UNAUTHENTICATED
        assert wrong.error.reason == b"UNAUTHENTICATED"


def test_a_client_that_is_killed_leaves_no_session_and_no_ring(
    native: Callable[..., Native], library: Path, tmp_path: Path
) -> None:
    speech(30.0).tofile(tmp_path / "clip")
    rings = tmp_path / "rings"
    rings.mkdir()
    options = {"home": str(tmp_path), "limits.idle_timeout_secs": "1", "shm.folder": str(rings)}
    with ServiceProcess(options) as service:
        watcher = native(service.address)
        program = library.parent / "examples/speak"
        victim = subprocess.Popen(
            [program, service.address, "-", tmp_path / "clip", tmp_path / "o"]
        )
        curves = tmp_path / "o.csv"
        eventually(lambda: curves.exists() and curves.stat().st_size > 5000, "frames come")
        assert watcher.server_info()[1].num_sessions == 1
        assert len(list(rings.iterdir())) == 1
        victim.kill()
        victim.wait()
        eventually(lambda: watcher.server_info()[1].num_sessions == 0, "the session is gone")
        eventually(lambda: not list(rings.iterdir()), "the ring is gone")


def test_a_reader_that_stands_still_slows_nobody(
    native: Callable[..., Native], tmp_path: Path
) -> None:
    with ServiceProcess({"home": str(tmp_path)}) as service:
        still = native(service.address)
        still.open_session()  # and never reads a frame
        other = native(service.address)
        other.open_session()
        for _ in range(3):
            assert other.push(speech(0.2)) == 0
            other.wait_event(SEGMENT_STARTED)
            other.end_segment()
            assert other.wait_event(SEGMENT_ENDED).value == 0
        other.close()
        assert still.server_info()[1].num_sessions == 1
