"""The Unity package under Mono against a live service: frames, curves, sound, and what goes wrong.

Passing here shows that the package's own code works; what only an editor can show stands in
docs/unity.md.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from avatar_client import Client, connect
from native_build import build, built

from avatar_service.session.service_process import ServiceProcess
from tools.clients.unity import build_unity

pytestmark = [pytest.mark.e2e, pytest.mark.live]

SPEECH_SECS = 3.0
TIMEOUT_SECS = 120
SYNC_SPREAD_MILLIS = 60.0
"""Picture against sound, of which 21 ms are the steps in which the stand-in's device tells its
position; EBU R37 tolerates 100 ms from sound early to sound late."""


@pytest.fixture(scope="module")
def mono() -> tuple[Path, Path]:
    """Return the folder of the programs and the one of the native library."""
    return built(build_unity), build("system")


def start(
    out: Path, library: Path, program: str, *arguments: str, **environ: str
) -> subprocess.Popen[str]:
    """Start a program; its lines are JSON objects."""
    return subprocess.Popen(
        ["mono", "--debug", program, *arguments],
        cwd=out,
        env={**os.environ, "LD_LIBRARY_PATH": str(library), **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with ServiceProcess({"home": str(tmp_path_factory.mktemp("home"))}) as running:
        yield running
        assert running.process.poll() is None, " / ".join(running.lines)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of the demo's speech, 16 kHz mono float32."""
    soundfile = pytest.importorskip("soundfile")
    import avatar_service

    wav = Path(avatar_service.__file__).parent / "data/demo_speech.wav"
    samples, rate_hz = soundfile.read(wav, dtype="float32")
    assert rate_hz == 16_000
    path = tmp_path_factory.mktemp("speech") / "speech.f32"
    samples[: int(SPEECH_SECS * rate_hz)].tofile(path)
    return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cv2 = pytest.importorskip("cv2")
    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), data.astronaut()[..., ::-1])
    return path


def finish(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Return the objects that a program prints until it ends well."""
    out, errors = process.communicate(timeout=TIMEOUT_SECS)
    assert process.returncode == 0, errors[-3000:]
    return [json.loads(line) for line in out.splitlines()]


def run(mono: tuple[Path, Path], *arguments: str | Path, **environ: str) -> dict[str, Any]:
    """Run a scenario and return what it measured."""
    return finish(start(*mono, "scenarios.exe", *map(str, arguments), **environ))[-1]


def read_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=TIMEOUT_SECS)[1][-3000:]
    return json.loads(line)


class Observer:
    """Watches a session from beside and keeps a checksum of every frame by its number."""

    def __init__(self, client: Client, session_id: str) -> None:
        self.sums: dict[int, int] = {}
        self._session = client.join_session(session_id, transport="shm")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._is_over.is_set():
            frame = self._session.next_frame(0.2)
            if frame is not None and frame.pixels is not None:
                self.sums[frame.seq] = zlib.adler32(np.ascontiguousarray(frame.pixels))

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._session.close()


def test_a_portrait_speaks_on_a_texture_and_a_rig(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path, photo: Path
) -> None:
    with connect(service.address) as client:
        process = start(*mono, "scenarios.exe", "talk", service.address, str(speech), str(photo))
        observer = Observer(client, read_line(process)["session"])
        talked, closed = finish(process)
        observer.stop()

    # The texture is, pixel by pixel, the frame that another client saw under that number.
    both = [n for n in map(int, talked["seq"]) if n in observer.sums]
    shown = dict(zip(map(int, talked["seq"]), map(int, talked["sums"]), strict=True))
    assert len(both) > SPEECH_SECS * 20
    assert [shown[n] for n in both] == [observer.sums[n] for n in both]
    assert len(set(shown.values())) > SPEECH_SECS * 20
    assert talked["torn"] == 0
    assert talked["image"]
    assert talked["transport"] == "SharedMemory"

    # Curves drive the mesh, the head and one kind of eyes.
    assert talked["usable"]
    jaw = np.array(talked["jaw"])
    assert jaw.max() > 20.0
    assert jaw.max() <= 100.0
    assert np.ptp(jaw) > 15.0
    assert talked["head"] > 0.01
    assert talked["eye"] > 0.01
    assert talked["eye_shape"] == 0.0

    # The picture follows the sound, though the device runs half a percent fast: the distance
    # between both stays the same but for the steps in which the device tells its position.
    offsets = np.array(talked["offsets_ms"][10:])
    assert np.percentile(offsets, 98) - np.percentile(offsets, 2) < SYNC_SPREAD_MILLIS
    half = len(offsets) // 2
    assert abs(np.median(offsets[:half]) - np.median(offsets[half:])) < 5.0
    # Of its 5,000 ppm and of one frame (25 ms) as much more as a loaded machine adds.
    assert 2_500 < talked["rate_ppm"] < 8_000
    assert np.median(talked["behind_ms"]) <= 50.0

    assert (talked["done"], talked["started"], talked["cut"]) == (True, 1, False)
    assert talked["peak"] > 0.1
    assert talked["log"] == []
    assert closed["open"] == 0


def test_an_interruption_is_silent_at_once_and_new_speech_goes_on(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path
) -> None:
    told = run(mono, "interrupt", service.address, speech)
    assert told["silent"]
    assert told["cut"]
    assert told["interrupted"] == 1
    assert told["jaw_before"] > 10.0
    assert told["jaw_after"] < 5.0
    assert told["jaw_again"] > 10.0
    assert told["started"] == 2, "the clip that waited was dropped"
    assert told["log"] == []


def test_speech_may_come_in_pieces_and_stall(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path
) -> None:
    told = run(mono, "stream", service.address, speech)
    assert (told["done"], told["started"], told["ended"]) == (True, 1, 1)
    assert told["jaw"] > 20.0
    assert told["peak"] > 0.1
    assert told["took"] > told["length"] + 0.4, "the gap is heard too"
    assert told["log"] == []


def test_another_audio_source_is_heard_when_the_face_is_ready(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path
) -> None:
    told = run(mono, "source", service.address, speech)
    assert (told["done"], told["started"], told["ended"]) == (True, 1, 1)
    assert told["jaw"] > 20.0
    assert told["peak"] > 0.1
    assert told["log"] == []


def test_known_phones_move_the_lips_where_the_sound_tells_nothing(
    mono: tuple[Path, Path], service: ServiceProcess
) -> None:
    told = run(mono, "phones", service.address)
    assert told["done"]
    assert told["changed"], "the phones behind it were sent again, from there"
    secs, jaw = np.array(told["secs"]), np.array(told["jaw"])

    def widest(begin: float, end: float) -> float:
        return float(jaw[(secs > begin) & (secs < end)].max())

    assert widest(0.4, 1.0) > 25.0
    assert widest(1.3, 1.6) < 10.0
    assert widest(1.9, 2.4) > 25.0
    assert widest(2.7, 3.0) < 10.0
    assert told["stream_done"]
    assert told["stream_jaw"] > 25.0
    assert told["refused_done"], "the sound is said all the same"
    assert (told["ended"], told["cut"]) == (3, False)
    ignored, refused = (line for line in told["log"] if "phone" in line)
    assert ignored.startswith("warning Avatar Service: ")
    assert "number 1 is empty or overlaps the one before it" in refused
    assert len(told["log"]) == 2


def test_pictures_come_packed_where_that_is_asked_for(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path, photo: Path
) -> None:
    told = run(mono, "video", service.address, speech, photo)
    assert told["done"]
    assert told["transport"] == "Grpc"
    # dB against the same face through shared memory, held still, in a session of its own.
    assert told["jpeg_db"] > 28.0
    assert told["h264_db"] > 26.0
    assert 100 < told["badge_px"] < 1500, "the badge's letters and ground, and little else"
    raw = 256 * 256 * 4
    assert told["h264_bytes"] < told["jpeg_bytes"] / 2 < raw / 10
    assert told["torn"] == 0
    assert told["log"] == []


def test_a_microphone_moves_the_face_unheard(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path
) -> None:
    told = run(mono, "microphone", service.address, speech)
    assert (told["done"], told["started"], told["ended"]) == (True, 1, 1)
    assert told["jaw"] > 20.0
    assert told["peak"] == 0.0


def test_frames_and_curves_make_no_garbage(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path, photo: Path
) -> None:
    told = run(
        mono,
        *("garbage", service.address, speech, photo),
        MONO_GC_PARAMS="nursery-size=256k",
    )
    assert told["frames"] > 20
    assert told["control"] > 0, "a small object per step would have been seen"
    assert told["collections"] == 0


def test_a_domain_reload_leaves_no_session_behind(
    mono: tuple[Path, Path], service: ServiceProcess
) -> None:
    told = run(mono, "reload", service.address)
    assert told["open"] == told["before"] + 1
    assert told["after_hook"] == told["after_unload"] == told["at_last"] == told["before"]


def test_a_killed_service_pauses_the_sentence_until_it_is_back(
    mono: tuple[Path, Path], speech: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = {"home": str(tmp_path), "shm.folder": str(tmp_path), "listen": address}
    service = ServiceProcess(options)
    process = start(*mono, "scenarios.exe", "restart", address, str(speech))
    try:
        assert read_line(process)["speaking"]
        service.kill()
        assert read_line(process)["lost"]
        with ServiceProcess(options):
            told = finish(process)[-1]
    finally:
        process.kill()
    assert told["done"]
    assert told["paused"]
    assert not told["cut"]
    assert told["presence"] == 0.0, "the face rests meanwhile"
    assert told["reconnects"] >= 1
    assert 32_000 <= told["resumed_at"] < 48_000, "from where it was paused"
    assert max(told["jaw"]) > 10.0
    offsets = np.array(told["offsets_ms"][5:])
    assert np.percentile(offsets, 98) - np.percentile(offsets, 2) < SYNC_SPREAD_MILLIS
    assert told["states"][:4] == ["Connecting", "Ready", "Reconnecting", "Ready"]
    assert told["log"] == []


def test_many_characters_share_one_connection(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path
) -> None:
    told = run(mono, "crowd", service.address, speech)
    assert told["done"]
    assert told["sessions"] == 4
    assert told["open"] == 1 + 4 * 2, "one client, and a session and a clock for each"
    assert told["after_leaving"] == told["open"] - 2, "who is far away has no session"
    assert min(told["jaws"]) > 10.0
    assert told["left"] == 0.0, "and its face has come to rest"
    assert told["log"] == []


def test_speech_goes_on_from_where_it_was_on_another_audio_device(
    mono: tuple[Path, Path], service: ServiceProcess, speech: Path
) -> None:
    told = run(mono, "device", service.address, speech)
    assert told["done"]
    assert not told["cut"]
    assert abs(told["resumed_at"] - told["changed_at"]) < 16_000 * 0.2
    assert told["jaw"] > 10.0
    offsets = np.array(told["offsets_ms"][5:])
    assert np.percentile(offsets, 98) - np.percentile(offsets, 2) < SYNC_SPREAD_MILLIS
    assert told["log"] == []


def test_a_wrong_token_is_said_in_one_line_and_the_voice_goes_on(
    mono: tuple[Path, Path], speech: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("the-right-one-which-is-long-enough")
    options = {"home": str(tmp_path), "token_file": str(tmp_path / "token")}
    with ServiceProcess(options) as guarded:
        told = run(mono, "token", guarded.address, speech)
    assert told["state"] == "Failed"
    assert told["reason"] == "UNAUTHENTICATED"
    assert len(told["line"].splitlines()) == 1
    assert told["ended"] == 1
    assert told["heard"] > 0.1
    assert "NullReferenceException" in told["job"], "a job that breaks is done"


def test_the_packages_own_tests_pass(mono: tuple[Path, Path], service: ServiceProcess) -> None:
    process = start(
        *mono,
        "runner.exe",
        "AvatarService.Client.Tests.dll",
        "AvatarService.Client.PlayTests.dll",
        AVATAR_TEST_ADDRESS=service.address,
    )
    out, errors = process.communicate(timeout=TIMEOUT_SECS)
    assert process.returncode == 0, out + errors[-3000:]
    assert out.splitlines()[-1].endswith(" 0 failed, 0 ignored")
