"""A service behind TLS and a token, and avatars made from a real photo."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from avatar_client import AccessError, Client, Consent, InvalidRequestError, Tls, connect

from avatar_service.portrait.models import are_models_present
from avatar_service.portrait.portrait import Portrait
from avatar_service.session.service_process import ServiceProcess

pytestmark = [pytest.mark.e2e, pytest.mark.live]

SPEECH = (0.3 * np.sin(np.arange(16_000) * 0.05)).astype(np.float32)
CONSENT = Consent(subject="test picture", basis="public domain")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(key), "-out", str(pem), "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return key, pem


def test_beyond_loopback_tls_and_a_token_are_enough_and_needed(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    key, pem = certificate
    token = secrets.token_urlsafe(24)
    (tmp_path / "token").write_text(token)
    options = {
        "listen": "0.0.0.0:0",
        "home": str(tmp_path),
        "token_file": str(tmp_path / "token"),
        "tls.certificate": str(pem),
        "tls.private_key": str(key),
        "a2f.listen": "0.0.0.0:0",
    }
    with ServiceProcess(options) as service:
        port = service.address.rpartition(":")[2]
        tls = Tls(root_certificates=pem.read_bytes())
        with (
            connect(f"localhost:{port}", tls=tls, token=token) as client,
            client.open_session(transport="grpc") as session,
        ):
            assert session.next_frame(10.0) is not None
        with (
            pytest.raises(AccessError),
            connect(f"localhost:{port}", tls=tls, token="wrong" * 8) as client,
        ):
            client.server_info()
        (line,) = [line for line in service.lines if "Audio2Face-3D clients on" in line]
        address = f"localhost:{line.rpartition(':')[2]}"
        with grpc.secure_channel(
            address, grpc.ssl_channel_credentials(pem.read_bytes())
        ) as channel:
            call = channel.stream_stream(
                "/nvidia_ace.services.a2f_controller.v1.A2FControllerService/ProcessAudioStream"
            )
            for bearer, code in (
                ("wrong" * 8, grpc.StatusCode.UNAUTHENTICATED),
                (token, grpc.StatusCode.INVALID_ARGUMENT),  # let in, and told what is missing
            ):
                with pytest.raises(grpc.RpcError) as fault:
                    list(call(iter([b""]), metadata=[("authorization", f"Bearer {bearer}")]))
                assert fault.value.code() is code


needs_models = pytest.mark.skipif(
    not are_models_present(), reason="the landmark models are absent: avatar models fetch"
)


@pytest.fixture(scope="module")
def photo() -> bytes:
    data = pytest.importorskip("skimage.data", reason="the portrait ships with scikit-image")
    done, encoded = cv2.imencode(".png", data.astronaut()[..., ::-1])
    assert done
    return encoded.tobytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Client]:
    with ServiceProcess({"home": str(home)}) as service, connect(service.address) as connected:
        yield connected


@needs_models
def test_a_photo_without_a_face_is_refused_and_live_sessions_go_on(client: Client) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8)
    faceless = cv2.imencode(".png", noise)[1].tobytes()
    with client.open_session(transport="shm") as session:
        session.next_frame(10.0)
        before = client.get_session(session.session_id).pts_nanos
        with pytest.raises(InvalidRequestError) as fault:
            client.create_avatar(faceless, CONSENT)
        assert fault.value.reason == "NO_FACE"
        num_due = (client.get_session(session.session_id).pts_nanos - before) / 25e6
        deadline = time.monotonic() + 10
        while session.statistics().server is None and time.monotonic() < deadline:
            time.sleep(0.05)
        statistics = session.statistics().server
        assert statistics is not None
        # A stalled service would leave most out; a busy test machine may cost some.
        assert statistics.frames_dropped < num_due / 2


@needs_models
def test_a_photo_speaks_through_shared_memory(client: Client, home: Path, photo: bytes) -> None:
    avatar = client.create_avatar(photo, CONSENT, display_name="astronaut")
    with client.open_session(avatar.avatar_id, size_px=256, transport="shm") as session:
        session.push_audio(SPEECH, sample_rate_hz=16_000, segment_id="hello")
        session.end_segment()
        frames = list(session.frames(through_segment="hello"))
    pixels = frames[-1].pixels
    assert pixels.shape == (256, 256, 4)
    assert pixels[..., 3].min() == 255
    (stored,) = (home / "avatars" / avatar.avatar_id).glob("portrait_512.*")
    expected = cv2.resize(Portrait.load(stored).photo, (256, 256), interpolation=cv2.INTER_AREA)
    likeness = np.corrcoef(pixels[..., :3].ravel(), expected.ravel())[0, 1]
    assert likeness > 0.8, "the frame shows the person of the photo"
    client.delete_avatar(avatar.avatar_id)
    assert list((home / "avatars").iterdir()) == []
