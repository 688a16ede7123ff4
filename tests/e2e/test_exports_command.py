"""The commands as a person runs them: speech to files, captures back, streams into receivers."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from avatar_command import avatar, environment, run, run_each
from fakes.peers import import_peer, missing

import avatar_service
from avatar_service.audio.file import read_audio
from avatar_service.session.service_process import ServiceProcess

pytestmark = pytest.mark.e2e

SPEECH = Path(avatar_service.__file__).parent / "data/demo_speech.wav"


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of speech as a Live Link Face take."""
    path = tmp_path_factory.mktemp("export") / "take.csv"
    done = run("export", SPEECH, "-o", path, "--fps", "60", "--duration", "4")
    assert done.returncode == 0, done.stderr
    return path


def test_speech_becomes_a_take_of_its_own_length(take: Path) -> None:
    rows = take.read_text().splitlines()
    assert len(rows) == 1 + 240
    assert rows[1].startswith("00:00:00:00.000,61,")
    jaw = rows[0].split(",").index("JawOpen")
    values = np.array([float(row.split(",")[jaw]) for row in rows[1:]])
    sound = read_audio(SPEECH, duration_secs=4.0).samples
    loud = np.sqrt((sound[: 240 * 266].reshape(240, 266) ** 2).mean(axis=1))
    assert values.max() > 0.15
    assert values[loud > np.percentile(loud, 80)].mean() > 2 * values[loud < 1e-3].mean()


def test_a_take_comes_back_and_goes_on_into_a_model(take: Path, tmp_path: Path) -> None:
    commands = [
        ["import", take, "-o", "m.npz"],
        ["export", "m.npz", "-o", "m.glb", "--fps", "60"],
        ["export", "m.glb", "-o", "again.csv", "--fps", "60"],
    ]
    assert [end.returncode for end in run_each(commands, tmp_path)] == [0, 0, 0]

    def table(path: Path) -> np.ndarray:
        return np.array(
            [[float(x) for x in row.split(",")[2:]] for row in path.read_text().splitlines()[1:]]
        )

    np.testing.assert_allclose(table(tmp_path / "again.csv"), table(take), atol=2e-4)


FAULTS = [
    (["export", "nothing.wav", "-o", "out.csv"], "there is no such file"),
    (["export", SPEECH, "-o", "out.fbx"], "is unknown; formats:"),
    (["export", SPEECH, "-o", "out.csv", "--format", "maya"], "format 'maya' is unknown"),
    (["export", SPEECH, "-o", "out.csv", "--fps", "0"], "fps"),
    (["export", SPEECH, "-o", "out.csv", "--emotion", "hungry"], "hungry"),
    (["export", SPEECH, "-o", "out.glb", "--into", "nothing.glb"], "cannot be read"),
    (["export", __file__, "-o", "out.csv"], "test_exports_command.py"),
    (["export", SPEECH, "-o", "out.csv", "--portrait", "p.jpg"], "goes with glTF and USD"),
    (["export", "pipe", "-o", "out.csv"], "there is no such file"),
    (["import", SPEECH, "-o", "out.npz"], "motion is read from"),
    (["import", "take.csv", "-o", "take.csv"], "motion is written as .npz"),
    (["export", "take.csv", "-o", "take.csv"], "would be overwritten"),
    (["export", "take.csv", "-o", "out.glb", "--duration", "nan"], "duration is nan s"),
    (["export", "take.csv", "-o", "out.glb", "--emotion", "happy"], "is motion already"),
    (["stream", "take.csv", "--vmc", "127.0.0.1", "--emotion", "sad"], "is motion already"),
    (["stream", SPEECH], "name a receiver"),
    (["stream", SPEECH, "--vmc", "192.0.2.9"], "not on the list of allowed"),
    (["stream", SPEECH, "--live-link", "127.0.0.1:x"], "HOST or HOST:PORT"),
    (["a2f", "--host", "0.0.0.0"], "needs TLS and a token"),
]


def test_bad_input_gets_one_line_and_leaves_nothing(take: Path, tmp_path: Path) -> None:
    shutil.copy(take, tmp_path / "take.csv")
    os.mkfifo(tmp_path / "pipe")
    ends = run_each([arguments for arguments, _ in FAULTS], tmp_path)
    for end, (arguments, complaint) in zip(ends, FAULTS, strict=True):
        assert complaint in end.complaint, arguments
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "take.csv"]
    assert (tmp_path / "take.csv").read_bytes() == take.read_bytes()


def test_a_fault_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run("export", tmp_path / "nothing.wav", "-o", tmp_path / "out.csv")
    assert done.returncode == 2
    assert [row for row in done.stderr.splitlines() if row.startswith("error:")]


def test_a_stream_reaches_live_link_and_vmc(take: Path) -> None:
    peer = import_peer("pylivelinkface", "pip install PyLiveLinkFace")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unreal,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as vtuber,
    ):
        for sock in (unreal, vtuber):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(30)
        ports = [sock.getsockname()[1] for sock in (unreal, vtuber)]
        playing = subprocess.Popen(
            avatar(
                "stream", take, "--live-link", f"127.0.0.1:{ports[0]}", "--vmc",
                f"127.0.0.1:{ports[1]}", "--subject", "Ada", "--fps", "30",
            ),
            env=environment(),
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            faces = [peer.PyLiveLinkFace.decode(unreal.recv(4096)) for _ in range(20)]
            assert vtuber.recv(4096).startswith(b"#bundle\0")
        finally:
            playing.kill()
            playing.wait()
    assert all(found and face.name == "Ada" for found, face in faces)
    frames = [face._frames for _, face in faces]
    assert frames == list(range(frames[0], frames[0] + 20))


@pytest.fixture(params=["alone", "beside the service"])
def a2f_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "beside the service":
        options = {"home": str(tmp_path), "a2f.listen": "127.0.0.1:0"}
        with ServiceProcess(options) as service:
            (line,) = [line for line in service.lines if "Audio2Face-3D clients on" in line]
            yield line.split()[-1]
            assert service.stop() == 0
        return
    server = subprocess.Popen(
        avatar("a2f", "--port", "0"), env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    assert line.startswith("A2FControllerService on "), line
    try:
        yield line.split()[-1]
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0


def test_nvidias_own_client_streams_a_clip(a2f_address: str) -> None:
    if importlib.util.find_spec("nvidia_audio2face_3d") is None:
        missing("NVIDIA's client", "make peers")
    script = Path(__file__).with_name("a2f_nvidia_client.py")
    done = subprocess.run(
        [sys.executable, str(script), a2f_address, str(SPEECH)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert len(seen["names"]) == 52
    assert seen["times"] == pytest.approx([k / 30 for k in range(len(seen["times"]))])
    assert len(seen["times"]) == pytest.approx(seen["seconds"] * 30, abs=1)
    assert seen["jaw_range"][1] > 0.15 > seen["jaw_range"][0]
    assert seen["echo_is_whole"]
    assert seen["events"] == 1
    codes = [code for code, _ in seen["statuses"]]
    assert codes == [1] * (len(codes) - 1) + [0]
    assert "faceMaskLevel" in seen["statuses"][0][1]
