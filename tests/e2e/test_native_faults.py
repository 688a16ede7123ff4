"""The native client, called by ctypes as an engine's bindings do, and a service that fails."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from native_build import build, missing

from avatar_service.session.service_process import ServiceProcess

pytestmark = pytest.mark.e2e

WAIT_SECS = 30.0
READY, RECONNECTING = 2, 3
UNAVAILABLE = 14
SEGMENT_STARTED, SEGMENT_ENDED, RESTARTED = 2, 3, 7
u32, u64, i64 = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64


class Text(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", u64)]


class Error(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("code", ctypes.c_int32),
        ("retry_after_millis", u32),
        ("reason", ctypes.c_char * 64),
        ("message", ctypes.c_char * 512),
    ]


class ClientOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("tls", u32),
        *((name, Text) for name in ("target", "token", "ca_pem", "client_cert_pem")),
        *((name, Text) for name in ("client_key_pem", "tls_server_name", "client_name")),
        ("backoff_min_millis", u32),
        ("backoff_max_millis", u32),
    ]


class Audio(ctypes.Structure):
    _fields_ = [
        *((name, u32) for name in ("struct_size", "role", "format", "sample_rate_hz")),
        ("channels", u32),
        ("reserved", u32),
        ("samples", ctypes.c_void_p),
        ("num_frames", u64),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("kind", u32),
        ("pts_nanos", i64),
        ("value", u64),
        ("count", u64),
        ("epoch", u32),
        ("role", u32),
        ("segment_id", ctypes.c_char * 72),
        ("text", ctypes.c_char * 256),
    ]


class ServerInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("num_sessions", u32),
        ("capabilities", u64),
        ("max_photo_bytes", u64),
        ("max_audio_ahead_millis", u32),
        ("max_frame_rate_hz", u32),
        ("api_version", ctypes.c_char * 16),
    ]


class Native:
    """The library with a client and a session of it."""

    def __init__(self, library: Path, address: str, *, tls: int = 0, ca: str = "", token: str = ""):
        self.lib = ctypes.CDLL(str(library))
        self.error = Error(ctypes.sizeof(Error))
        self.client, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        options = ClientOptions()
        self.lib.avatar_client_options_init(ctypes.byref(options), ctypes.sizeof(options))
        options.tls = tls
        options.backoff_min_millis, options.backoff_max_millis = 50, 200
        for name, value in (("target", address), ("ca_pem", ca), ("token", token)):
            setattr(options, name, Text(value.encode(), len(value)))
        assert not self.call("client_create", ctypes.byref(options), ctypes.byref(self.client))

    def call(self, name: str, *arguments: object) -> int:
        function = getattr(self.lib, f"avatar_{name}")
        return int(function(*arguments, ctypes.byref(self.error)))

    def server_info(self) -> tuple[int, ServerInfo]:
        info = ServerInfo(ctypes.sizeof(ServerInfo))
        status = self.call("client_get_server_info", self.client, 20_000, ctypes.byref(info))
        return status, info

    def open_session(self) -> None:
        options = ctypes.create_string_buffer(512)  # only defaults: motion without a picture
        self.lib.avatar_session_options_init(options, 128)
        status = self.call("session_open", self.client, options, ctypes.byref(self.session))
        assert status == 0, self.error.message
        status = self.call("session_wait_ready", self.session, 60_000)
        assert status == 0, self.error.message

    def push(self, samples: np.ndarray) -> int:
        audio = Audio(ctypes.sizeof(Audio), 0, 1, 16_000, 1, 0, samples.ctypes.data, len(samples))
        return self.call("session_push_audio", self.session, ctypes.byref(audio))

    def wait_event(self, kind: int) -> Event:
        deadline = time.monotonic() + WAIT_SECS
        while time.monotonic() < deadline:
            event = Event(ctypes.sizeof(Event))
            assert self.call("session_next_event", self.session, ctypes.byref(event)) == 0
            if event.kind == kind:
                return event
            if event.kind == 0:
                time.sleep(0.01)
        pytest.fail(f"no event {kind} within {WAIT_SECS} s")

    def close(self) -> None:
        self.lib.avatar_session_close(self.session)
        self.lib.avatar_client_close(self.client)


@pytest.fixture(scope="module")
def library() -> Path:
    return build("system") / "libavatar_client.so"


@pytest.fixture
def native(library: Path) -> Iterator[Callable[..., Native]]:
    opened: list[Native] = []

    def connect(address: str, **options: object) -> Native:
        opened.append(Native(library, address, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECS
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_SECS} s: {what}"
        time.sleep(0.02)


def speech(secs: float) -> np.ndarray:
    return (8000 * np.sin(np.arange(int(16_000 * secs)) * 0.05)).astype("<i2")


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
        client.call("session_end_segment", client.session, 0)
        assert client.wait_event(SEGMENT_ENDED).value == 0


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
        right = native(service.address, tls=1, ca=certificate.read_text(), token=token)
        status, info = right.server_info()
        assert status == 0, right.error.message
        assert info.api_version == b"1.0"
        right.open_session()
        assert right.push(speech(0.2)) == 0
        right.wait_event(SEGMENT_STARTED)
        wrong = native(service.address, tls=1, ca=certificate.read_text(), token="x" * 32)
        assert wrong.server_info()[0] == 16
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
            other.call("session_end_segment", other.session, 0)
            assert other.wait_event(SEGMENT_ENDED).value == 0
        other.close()
        assert still.server_info()[1].num_sessions == 1
