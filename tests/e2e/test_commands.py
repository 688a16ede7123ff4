"""The command as a person runs it: real processes, real files, one line for bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_service.portrait.models import are_models_present

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not are_models_present(), reason="landmark models are absent: run `avatar models fetch`"
    ),
]

SPEECH = Path(__file__).parents[2] / "avatar_service" / "data" / "demo_speech.wav"


def _avatar(*arguments: str | Path, consent: str | None = "a test; public domain") -> list[str]:
    command = [sys.executable, "-m", "avatar_service.cli", *map(str, arguments)]
    return [*command, "--consent", consent] if consent else command


def _run(*arguments: str | Path, consent: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("AVATAR_CONSENT", None)
    return subprocess.run(
        _avatar(*arguments, consent=consent),
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from avatar_service.cli.portraits import default_portrait_bytes

    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    path.write_bytes(default_portrait_bytes())
    return path


def test_animate_writes_video_motion_and_report(photo: Path, tmp_path: Path) -> None:
    out, motion, report = tmp_path / "o.mp4", tmp_path / "m.npz", tmp_path / "r.json"
    options = ["--save-motion", motion, "--report", report, "--size", "256", "--duration", "1.5"]
    done = _run("animate", photo, SPEECH, "-o", out, *options, consent="NASA; public domain")
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as file:
        assert file.streams.video[0].frames == 60
        assert file.streams.audio[0].duration * file.streams.audio[0].time_base == pytest.approx(
            1.5, abs=0.03
        )
        frames = [f.to_ndarray(format="gray").astype(float) for f in file.decode(video=0)]
    moved = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:], strict=False)]
    assert max(moved) > 0.1  # it lives
    with np.load(motion) as arrays:
        assert arrays["expression"].shape == (60, 52)
        assert arrays["gaze"].shape == (60, 2, 2)
        jaw = arrays["expression"][:, list(arrays["expression_names"]).index("jawOpen")]
        assert jaw.max() > 0.05  # it speaks
    figures = json.loads(report.read_text())
    assert figures["frames"] == 60
    assert figures["seconds_of_audio"] == pytest.approx(1.5)


def test_the_same_seed_gives_the_same_motion(photo: Path, tmp_path: Path) -> None:
    tracks = []
    for name in ("a", "b"):
        motion = tmp_path / f"{name}.npz"
        options = ["--save-motion", motion, "--size", "256", "--duration", "0.5", "--seed", "3"]
        done = _run("animate", photo, SPEECH, "-o", tmp_path / f"{name}.mp4", *options, consent="x")
        assert done.returncode == 0, done.stderr
        with np.load(motion) as arrays:
            tracks.append({name: arrays[name] for name in ("expression", "head_rotation", "gaze")})
    for name, values in tracks[0].items():
        np.testing.assert_array_equal(values, tracks[1][name])


def test_a_face_in_a_video_drives_another_portrait(photo: Path, tmp_path: Path) -> None:
    acted, out, motion = tmp_path / "acted.mp4", tmp_path / "out.mp4", tmp_path / "m.npz"
    done = _run("animate", photo, SPEECH, "-o", acted, "--duration", "1", consent="x")
    assert done.returncode == 0, done.stderr
    options = ["--track", "--size", "256", "--save-motion", motion]
    done = _run("animate", photo, acted, "-o", out, *options, consent="x")
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as file:
        assert {s.type for s in file.streams} == {"video", "audio"}
    with np.load(motion) as arrays:
        jaw = arrays["expression"][:, list(arrays["expression_names"]).index("jawOpen")]
    assert jaw.max() > 0.05


BAD_INPUT = {
    "no consent": ([], "consent"),
    "text as audio": (["--consent", "x"], "audio"),
    "absent audio": (["--consent", "x"], "audio file"),
    "unknown emotion": (["--consent", "x", "--emotion", "hangry:1"], "hangry"),
    "distance": (["--consent", "x", "--distance", "9"], "distance"),
    "frame rate": (["--consent", "x", "--fps", "500"], "fps"),
    "output folder": (["--consent", "x"], "does not exist"),
    "output kind": (["--consent", "x"], ".mp4"),
    "start": (["--consent", "x", "--start", "9999"], "part asked for"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_and_exit_code_2(case: str, photo: Path, tmp_path: Path) -> None:
    options, expected = BAD_INPUT[case]
    audio, out = SPEECH, tmp_path / "out.mp4"
    if case == "text as audio":
        audio = tmp_path / "speech.wav"
        audio.write_text("this is not sound\n" * 40)
    if case == "absent audio":
        audio = tmp_path / "absent.wav"
    if case == "output folder":
        out = tmp_path / "absent" / "out.mp4"
    if case == "output kind":
        out = tmp_path / "out.pdf"
    done = _run("animate", photo, audio, "-o", out, *options)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert expected in lines[0]
    assert "Traceback" not in done.stderr
    assert not out.exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_photo_that_is_none_is_told(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    done = _run("animate", photo, SPEECH, "-o", tmp_path / "out.mp4", consent="x")
    assert done.returncode == 2
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_no_half_file(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    process = subprocess.Popen(
        _avatar("animate", photo, SPEECH, "-o", out),
        stderr=subprocess.PIPE,
        text=True,
        # A suite that a shell runs in its background ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob(".*.part")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_the_demo_runs_live_and_reports(photo: Path, tmp_path: Path) -> None:
    done = _run("demo", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert report["frames"] > 400
    assert set(report["latency_ms"]) == {"p50", "p95", "p99"}
    with av.open(str(tmp_path / "demo" / "demo.mp4")) as file:
        assert {s.codec_context.name for s in file.streams} == {"h264", "aac"}
    assert (tmp_path / "demo" / "contact_sheet.png").stat().st_size > 100_000


def test_doctor_tells_what_is_here() -> None:
    done = _run("doctor")
    assert done.returncode in (0, 1)
    for row in ("python", "shared memory", "landmark models", "video encoder"):
        assert row in done.stdout
