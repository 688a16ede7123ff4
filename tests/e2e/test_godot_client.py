"""A real engine shows the avatar: Godot under Xvfb, the client for it, a live service."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from avatar_client import connect
from native_build import built, skip
from numpy.typing import NDArray

from avatar_service.gen.avatar.v1 import avatar_service_pb2, avatar_service_pb2_grpc
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.session.service_process import ServiceProcess
from avatar_service.signals import MotionFrame
from avatar_service.transports.grpc_messages import ring_descriptor_message
from avatar_service.transports.ring import RingGeometry, RingWriter
from avatar_service.transports.ring_layout import HEADER_BYTES, HEADER_DTYPE
from tools.clients import parts
from tools.clients.godot import GODOT, INSTALL, check_godot

pytestmark = [pytest.mark.e2e, pytest.mark.live]

TIMEOUT_SECS = 120
EDGE_PX = 512
SPEECH_SECS = 3.0
JAW_OPEN = EXPRESSION_NAMES.index("jawOpen")


def need(*tools: str) -> None:
    """Skip loudly, or fail in CI, where a tool is not installed."""
    try:
        parts.need("the Godot client", INSTALL, tools)
    except parts.MissingTool as error:
        skip(str(error))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with ServiceProcess({"home": str(tmp_path_factory.mktemp("home"))}) as running:
        yield running
        assert running.process.poll() is None, " / ".join(running.lines)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), data.astronaut()[..., ::-1])
    return path


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    soundfile = pytest.importorskip("soundfile")
    import avatar_service

    speech = Path(avatar_service.__file__).parent / "data/demo_speech.wav"
    samples, rate_hz = soundfile.read(speech, dtype="int16")
    path = tmp_path_factory.mktemp("speech") / "line.wav"
    soundfile.write(path, samples[: int(SPEECH_SECS * rate_hz)], rate_hz, subtype="PCM_16")
    return path


class Observer(threading.Thread):
    """Joins each session that opens and keeps its frames, as another client is sent them."""

    def __init__(self, address: str, session_id: str) -> None:
        super().__init__()
        self.frames: dict[int, NDArray[np.uint8]] = {}
        self.jaws: dict[int, float] = {}
        self._address = address
        self._session_id = session_id
        self._is_over = threading.Event()

    def run(self) -> None:
        with connect(self._address) as client:
            session = client.join_session(self._session_id, transport="shm")
            while not self._is_over.is_set():
                frame = session.next_frame(0.2)
                if frame is not None and frame.pixels is not None:
                    self.frames[frame.seq] = np.array(frame.pixels)
                    self.jaws[frame.seq] = float(frame.motion.expression[JAW_OPEN])
            session.close()

    def stop(self) -> None:
        self._is_over.set()
        self.join()


def start_bridge(address: str, *options: str) -> tuple[subprocess.Popen[str], str]:
    bridge = subprocess.Popen(
        [sys.executable, str(GODOT / "avatar_bridge.py"), address, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert bridge.stdout is not None
    port = bridge.stdout.readline().strip()
    assert port, bridge.communicate(timeout=20)[1]
    return bridge, port


def start_godot(home: Path, port: str, wav: Path, out: Path) -> subprocess.Popen[str]:
    command = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24", "godot3-runner"]
    command += ["--path", str(GODOT), "--audio-driver", "Dummy", "--video-driver", "GLES3"]
    command += ["--speak", port, str(wav), str(out)]
    return subprocess.Popen(
        command,
        env={**os.environ, "HOME": str(home), "LIBGL_ALWAYS_SOFTWARE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def green_rows(picture: NDArray[np.uint8]) -> int:
    """Height of the puppet's mouth, pixels: the rows in which its middle is green."""
    blue, green, red = (picture[:, EDGE_PX + EDGE_PX // 2, i].astype(int) for i in range(3))
    return int(((green > 200) & (red < 60) & (blue < 60)).sum())


def test_the_engine_shows_what_was_sent_and_moves_a_mesh(
    service: ServiceProcess, photo: Path, wav: Path, tmp_path: Path
) -> None:
    need("godot3-runner", "xvfb-run", "xauth")
    options = ("--photo", str(photo), "--subject", "Eileen Collins", "--basis", "public domain")
    bridge, port = start_bridge(service.address, *options)
    out = tmp_path / "out"
    out.mkdir()
    godot = start_godot(tmp_path, port, wav, out)
    assert bridge.stdout is not None
    observer = Observer(service.address, bridge.stdout.readline().strip())
    observer.start()
    log, _ = godot.communicate(timeout=TIMEOUT_SECS)
    observer.stop()
    assert bridge.wait(20) == 0
    assert godot.returncode == 0, log[-4000:]
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    assert report["error"] == ""
    assert report["engine"].startswith("3.")
    assert report["pictures"] > SPEECH_SECS * 5

    compared, heights, weights = 0, [], []
    for shot in report["shots"]:
        picture = cv2.imread(str(out / shot["file"]))
        assert picture.shape == (EDGE_PX, 2 * EDGE_PX, 3)
        heights.append(green_rows(picture))
        weights.append(shot["jaw"])
        sent = observer.frames.get(int(shot["seq"]))
        if sent is None:  # the observer may miss some on a loaded machine
            continue
        compared += 1
        shown = picture[:, :EDGE_PX, ::-1]
        assert np.abs(shown.astype(int) - sent[..., :3]).max() <= 1, shot
        assert shot["jaw"] == pytest.approx(observer.jaws[int(shot["seq"])], abs=1e-5)
    assert compared >= 3

    # The mouth is 0.5 high at rest, falls by 1.5 with jawOpen and rises by 0.3 with mouthSmile_L;
    # the camera sees 4 in 512 px.
    smiles = np.array([shot["smile"] for shot in report["shots"]])
    expected = (0.5 + 1.5 * np.array(weights) + 0.3 * smiles) * EDGE_PX / 4.0
    assert np.abs(np.array(heights) - expected).max() <= 3.0
    assert np.ptp(heights) > 20
    assert report["jaw_max"] > 0.15
    assert report["unknown_shapes"] == []
    assert abs(float(np.median(report["behind_ms"]))) < 100.0


def test_every_script_is_one_of_this_engine() -> None:
    built(check_godot)


def test_the_layout_is_the_one_of_the_table() -> None:
    done = subprocess.run(
        [sys.executable, str(GODOT / "gen_ring_layout.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def damaged(ring: bytes, offset: int, value: bytes) -> bytes:
    return ring[:offset] + value + ring[offset + len(value) :]


def test_rings_are_read_and_hostile_ones_refused(tmp_path: Path) -> None:
    """In the headless engine: what the service wrote is read, damage is told in one line."""
    need("godot3-server")
    ring = RingWriter(RingGeometry(16, 16, 3), Fraction(40), folder=tmp_path)
    for seq in range(1, 6):
        pixels = ring.acquire()
        assert pixels is not None
        pixels[...] = seq
        expression = np.full(52, seq / 8, np.float32)
        ring.publish(MotionFrame(seq * 25_000_000, seq, 0, expression), pixels)
    whole = Path(ring_descriptor_message(ring).path).read_bytes()
    header = HEADER_DTYPE.fields
    assert header is not None
    last_slot = len(whole) - (len(whole) - HEADER_BYTES) // 3 * 2  # picture 5 is in slot 1 of 0..2
    one = np.uint32(1).tobytes()
    huge = np.uint32(0xFFFFFFFF).tobytes()
    files = {
        "whole": whole,
        "empty": b"",
        "short": whole[: HEADER_BYTES - 1],
        "truncated": whole[: HEADER_BYTES + 100],
        "magic": damaged(whole, header["magic"][1], b"NOTARING"),
        "version": damaged(whole, header["version"][1], np.uint32(2).tobytes()),
        "slots": damaged(whole, header["slot_count"][1], huge),
        "stride": damaged(whole, header["slot_stride"][1], huge * 2),
        "wide": damaged(whole, header["width_px"][1], huge),
        "pixels": damaged(whole, header["pixels_offset"][1], huge),
        "motion": damaged(whole, header["motion_offset"][1], one),
        "writing": damaged(whole, last_slot, np.uint64(2 * 8 - 1).tobytes()),
    }
    paths = []
    for name, content in files.items():
        path = tmp_path / f"{name}.ring"
        path.write_bytes(content)
        paths.append(str(path))
    command = ["godot3-server", "--path", str(GODOT), "-s", "demo/ring_check.gd", "--rings", *paths]
    done = subprocess.run(
        command,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECS,
    )
    lines = [line[5:] for line in done.stdout.splitlines() if line.startswith("RING ")]
    assert len(lines) == len(files), done.stdout + done.stderr
    told = dict(zip(files, map(json.loads, lines), strict=True))
    ring.close()

    assert told["whole"]["open"]
    assert told["whole"]["new"]
    assert not told["whole"]["again"], "the same picture is read once"
    assert told["whole"]["seq"] == 5
    assert told["whole"]["pts"] == "125000000"
    assert told["whole"]["live"]
    assert told["whole"]["pixel_sum"] == 5 * 16 * 16 * 4
    assert told["whole"]["motion"][:52] == [5 / 8] * 52
    assert told["writing"]["open"]
    assert not told["writing"]["new"]
    assert told["writing"]["torn"] > 0
    for name in files:
        if name in ("whole", "writing"):
            continue
        assert not told[name]["open"], name
        assert told[name]["error"], name
    assert "version 2" in told["version"]["error"]


def call_bridges(home: Path, answer_secs: float, *ports: int) -> list[dict[str, Any]]:
    """Call bridges from the headless engine; return why they failed, or the session."""
    need("godot3-server")
    command = ["godot3-server", "--path", str(GODOT), "-s", "demo/bridge_check.gd"]
    done = subprocess.run(
        [*command, "--call", str(answer_secs), *map(str, ports)],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECS,
    )
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return [json.loads(rest) for kind, _, rest in lines if kind in ("FAILED", "OPENED")]


def test_a_bridge_that_is_not_there_or_opens_no_session_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (told,) = call_bridges(tmp_path, 0.5, port)
    assert told["line"] == "the avatar bridge opened no session in 0.5 s"
    assert told["kept"] == 0
    assert told["secs"] >= 0.5, "real time, however fast the game runs"
    (told,) = call_bridges(tmp_path, 60.0, port)
    assert told["line"] == f"no avatar bridge answers on port {port}"
    assert told["kept"] == 0


def test_half_a_line_of_a_bridge_that_went_is_not_taken_for_the_next_ones(tmp_path: Path) -> None:
    half = b'{"event": "session", "ri'
    whole = b'{"event": "session", "ring": "", "session_id": "s1"}\n'
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):

        def answer() -> None:
            for door, line in ((one, half), (other, whole)):
                connection, _ = door.accept()
                with connection:
                    connection.sendall(line)

        threading.Thread(target=answer, daemon=True).start()
        ports = [door.getsockname()[1] for door in (one, other)]
        gone, opened = call_bridges(tmp_path, 5.0, *ports)
    assert gone["line"] == "the avatar bridge has gone"
    assert opened == {"session": "s1"}


def test_a_game_whose_time_stands_still_tells_what_is_heard_and_that_the_service_has_gone(
    wav: Path, tmp_path: Path
) -> None:
    need("godot3-server")
    ring = RingWriter(RingGeometry(0, 0, 24), Fraction(40), folder=tmp_path)
    ring.publish(MotionFrame(200_000_000, 1, 0, np.zeros(52, np.float32)), None)
    path = ring_descriptor_message(ring).path
    with socket.create_server(("127.0.0.1", 0)) as door:
        command = ["godot3-server", "--path", str(GODOT), "-s", "demo/face_check.gd"]
        game = subprocess.Popen(
            [*command, "--face", str(door.getsockname()[1]), str(wav)],
            env={**os.environ, "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        door.settimeout(TIMEOUT_SECS)
        connection, _ = door.accept()
        with connection, connection.makefile("r") as lines:
            for told in (
                {"event": "session", "ring": path, "session_id": "s1"},
                {"event": "segment_started", "pts_nanos": "0"},
            ):
                connection.sendall((json.dumps(told) + "\n").encode())
            asked = (json.loads(line) for line in lines)
            heard = any("heard" in each for each in asked)
            ring.close()
            out, _ = game.communicate(timeout=TIMEOUT_SECS)
    assert 'FAILED {"line":"the avatar service has gone"}' in out.splitlines()
    assert heard


class FakeGame:
    """Talks to the bridge as avatar_bridge.gd does."""

    def __init__(self, port: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", int(port)), timeout=TIMEOUT_SECS)
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def tell(self, text: str) -> None:
        self._socket.sendall((text + "\n").encode())

    def wait_for(self, event: str) -> dict[str, Any]:
        for line in self._lines:
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event:
                return told
        raise AssertionError(f"the bridge closed before {event}")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def test_the_bridge_speaks_interrupts_and_ends_with_the_game(
    service: ServiceProcess, wav: Path, tmp_path: Path
) -> None:
    bridge, port = start_bridge(service.address)
    game = FakeGame(port)
    opened = game.wait_for("session")
    ring, session_id = Path(opened["ring"]), opened["session_id"]
    assert ring.exists()
    for nonsense in ("not JSON", '["speak"]', '{"interrupt": "soon"}', '{"speak": "/no/such.wav"}'):
        game.tell(nonsense)
        assert game.wait_for("failed")["line"]
    (tmp_path / "text.wav").write_text("hello")
    for nonsense in ('{"bagde": true}', "1", '{"idle": "x"}'):
        game.tell(f'{{"controls": {nonsense}}}')
        assert game.wait_for("failed")["line"]
    game.tell(json.dumps({"speak": str(tmp_path / "text.wav")}))
    assert game.wait_for("failed")["line"]
    game.tell(json.dumps({"speak": str(wav)}))
    begin = int(game.wait_for("segment_started")["pts_nanos"])
    wishes = {"badge": True, "gaze": [0.1, 0], "emotion": {"happy": 0.5}, "motion_model": "rules"}
    game.tell(json.dumps({"controls": wishes}))
    assert begin > 0
    game.tell(json.dumps({"heard": str(begin)}))
    game.tell(json.dumps({"interrupt": str(begin + 10**9)}))
    assert game.wait_for("interrupted")["epoch"] == 1
    with grpc.insecure_channel(service.address) as channel:
        stub = avatar_service_pb2_grpc.AvatarServiceStub(channel)
        asked = avatar_service_pb2.GetSessionRequest(session_id=session_id)
        controls = stub.GetSession(asked).session.controls
    assert controls.badge
    assert controls.motion_model == "rules"
    assert controls.emotion.weights["happy"] == 0.5
    game.close()
    assert bridge.wait(20) == 0
    assert bridge.stderr is not None
    assert bridge.stderr.read() == ""
    assert not ring.exists(), "the session has ended with the game"


def test_the_bridge_says_in_one_line_why_it_cannot_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(GODOT / "avatar_bridge.py"), "127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECS,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
