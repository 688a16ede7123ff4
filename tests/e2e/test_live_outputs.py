"""A running service drives receivers of others: their decoders see the motion of the session."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from avatar_client import LiveLinkOutput, VmcOutput, connect
from avatar_command import run, run_each
from fakes.peers import import_peer

import avatar_service
from avatar_service.audio.file import read_audio
from avatar_service.session.service_process import ServiceProcess

pytestmark = [pytest.mark.e2e, pytest.mark.live]

SPEECH = Path(avatar_service.__file__).parent / "data/demo_speech.wav"
RATE = 40


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    options = {"home": str(tmp_path_factory.mktemp("home")), "drain_secs": "0"}
    with ServiceProcess(options) as running:
        yield running


@contextmanager
def listening() -> Iterator[tuple[int, Callable[[], list[bytes]]]]:
    """Collect the datagrams of a port; the function ends it and returns them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(1.0)
        found: list[bytes] = []
        stopping = threading.Event()

        def listen() -> None:
            while not stopping.is_set():
                try:
                    found.append(sock.recv(65536))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()

        def stop() -> list[bytes]:
            stopping.set()
            thread.join()
            return found

        try:
            yield sock.getsockname()[1], stop
        finally:
            stop()


def unreal_frames(datagrams: list[bytes]) -> dict[int, Any]:
    """Decode Live Link with PyLiveLinkFace; faces by frame number."""
    peer = import_peer("pylivelinkface", "pip install PyLiveLinkFace")
    faces = {}
    for data in datagrams:
        found, face = peer.PyLiveLinkFace.decode(data)
        assert found
        faces[face._frames] = face
    return faces


def vmc_frames(datagrams: list[bytes]) -> list[dict[str, float]]:
    """Decode VMC with python-osc; expression weights by frame."""
    osc_bundle = import_peer("pythonosc.osc_bundle", "pip install python-osc")
    frames: list[dict[str, float]] = []
    weights: dict[str, float] = {}
    for data in datagrams:
        for message in osc_bundle.OscBundle(data):
            if message.address == "/VMC/Ext/Blend/Val":
                weights[message.params[0]] = message.params[1]
            elif message.address == "/VMC/Ext/Blend/Apply":
                frames.append(weights)
                weights = {}
    return frames


def test_a_sessions_motion_reaches_unreal_and_vtubers(service: ServiceProcess) -> None:
    peer = import_peer("pylivelinkface", "pip install PyLiveLinkFace")
    shape = peer.FaceBlendShape
    speech = read_audio(SPEECH, duration_secs=2.0).samples
    with listening() as (unreal, stop_unreal), listening() as (vtuber, stop_vtuber):
        outputs = [
            LiveLinkOutput(port=unreal, subject="Ada"),
            VmcOutput(port=vtuber, names="perfect-sync", max_rate_hz=20),
        ]
        with (
            connect(service.address) as client,
            client.open_session(frame_rate=RATE, transport="shm", live_outputs=outputs) as session,
        ):
            session.push_audio(speech, sample_rate_hz=16_000, segment_id="hello")
            session.end_segment()
            shown = {
                round(frame.pts_nanos * RATE / 1e9): frame.motion
                for frame in session.frames(through_segment="hello")
            }
            jaw = session.motion_names.expression_names.index("jawOpen")
        faces, weights = unreal_frames(stop_unreal()), vmc_frames(stop_vtuber())

    both = sorted(faces.keys() & shown.keys())
    assert len(both) > 1.5 * RATE
    assert {face.name for face in faces.values()} == {"Ada"}
    for k in both:
        face, motion = faces[k], shown[k]
        assert face.get_blendshape(shape.JawOpen) == pytest.approx(
            min(float(motion.expression[jaw]), 1.0), abs=1e-5
        )
        yaw, pitch, roll = motion.head_rotation.tolist()
        assert face.get_blendshape(shape.HeadYaw) == pytest.approx(yaw, abs=1e-5)
        assert face.get_blendshape(shape.HeadPitch) == pytest.approx(-pitch, abs=1e-5)
        assert face.get_blendshape(shape.HeadRoll) == pytest.approx(roll, abs=1e-5)
    assert max(faces[k].get_blendshape(shape.JawOpen) for k in both) > 0.15

    # Half of the frames: 20 a second, each one of those that Unreal saw as well.
    assert 0.4 * len(faces) < len(weights) < 0.6 * len(faces) + 2
    seen = np.array([face.get_blendshape(shape.JawOpen) for face in faces.values()])
    for frame in weights:
        assert np.abs(seen - frame["JawOpen"]).min() < 1e-5


def test_the_command_streams_a_file_through_the_service(
    service: ServiceProcess, tmp_path: Path
) -> None:
    import soundfile

    clip = tmp_path / "clip.wav"
    soundfile.write(clip, read_audio(SPEECH, duration_secs=1.5).samples, 16_000)
    with listening() as (unreal, stop_unreal):
        done = run(
            "stream", clip, "--service", service.address, "--live-link", f"127.0.0.1:{unreal}",
            "--subject", "Eva", "--fps", "30000/1001",
        )  # fmt: skip
        faces = unreal_frames(stop_unreal())
    assert done.returncode == 0, done.stderr
    assert "1.5 s of speech" in done.stdout
    peer = import_peer("pylivelinkface", "pip install PyLiveLinkFace")
    assert len(faces) >= 1.5 * 29.97 * 0.8
    assert {face.name for face in faces.values()} == {"Eva"}
    assert max(face.get_blendshape(peer.FaceBlendShape.JawOpen) for face in faces.values()) > 0.1


FAULTS = {
    "refused by the service": (["--vmc", "192.0.2.9"], "not on the list of allowed"),
    "no receiver": ([], "name a receiver"),
    "own list": (["--vmc", "127.0.0.1", "--allow", "192.0.2.9"], "allowed_destinations decides"),
}


def test_bad_input_is_one_line(service: ServiceProcess, tmp_path: Path) -> None:
    stream = ["stream", SPEECH, "--service", service.address]
    ends = run_each([[*stream, *options] for options, _ in FAULTS.values()], tmp_path)
    for end, (case, (_, complaint)) in zip(ends, FAULTS.items(), strict=True):
        assert complaint in end.complaint, case
