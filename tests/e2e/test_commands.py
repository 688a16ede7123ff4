"""The command as a person runs it: real processes, real files, one line for bad input."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import av
import numpy as np
import pytest
from avatar_command import avatar, run, run_each

from avatar_service.portrait.models import are_models_present

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not are_models_present(), reason="landmark models are absent: run `avatar models fetch`"
    ),
]

SPEECH = Path(__file__).parents[2] / "avatar_service" / "data" / "demo_speech.wav"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from avatar_service.cli.portraits import default_portrait_bytes

    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    path.write_bytes(default_portrait_bytes())
    return path


def animate(photo: Path, folder: Path) -> None:
    """Write the start of the speech as video.mp4, motion.npz and report.json."""
    out, motion, report = (folder / name for name in ("video.mp4", "motion.npz", "report.json"))
    options = ["--save-motion", motion, "--report", report, "--duration", "1.5", "--seed", "3"]
    done = run("animate", photo, SPEECH, "-o", out, *options, "--consent", "NASA; public domain")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def animated(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("animated")
    animate(photo, folder)
    return folder


def test_animate_writes_video_motion_and_report(animated: Path) -> None:
    with av.open(str(animated / "video.mp4")) as file:
        assert file.streams.video[0].frames == 60
        assert file.streams.audio[0].duration * file.streams.audio[0].time_base == pytest.approx(
            1.5, abs=0.03
        )
        frames = [f.to_ndarray(format="gray").astype(float) for f in file.decode(video=0)]
    moved = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:], strict=False)]
    assert max(moved) > 0.1  # it lives
    with np.load(animated / "motion.npz") as arrays:
        assert arrays["expression"].shape == (60, 52)
        assert arrays["gaze"].shape == (60, 2, 2)
        jaw = arrays["expression"][:, list(arrays["expression_names"]).index("jawOpen")]
        assert jaw.max() > 0.05  # it speaks
    figures = json.loads((animated / "report.json").read_text())
    assert figures["frames"] == 60
    assert figures["seconds_of_audio"] == pytest.approx(1.5)


def test_the_same_seed_gives_the_same_motion(photo: Path, animated: Path, tmp_path: Path) -> None:
    animate(photo, tmp_path)  # in another process
    with (
        np.load(animated / "motion.npz") as first,
        np.load(tmp_path / "motion.npz") as second,
    ):
        for name in ("expression", "head_rotation", "gaze"):
            np.testing.assert_array_equal(first[name], second[name])


def test_a_face_in_a_video_drives_another_portrait(
    photo: Path, animated: Path, tmp_path: Path
) -> None:
    out, motion = tmp_path / "out.mp4", tmp_path / "m.npz"
    options = ["--track", "--size", "256", "--save-motion", motion, "--duration", "1"]
    done = run("animate", photo, animated / "video.mp4", "-o", out, *options, "--consent", "x")
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as file:
        assert {s.type for s in file.streams} == {"video", "audio"}
    with np.load(motion) as arrays:
        jaw = arrays["expression"][:, list(arrays["expression_names"]).index("jawOpen")]
    assert jaw.max() > 0.05


CONSENT = ("--consent", "x")
BAD_INPUT = {
    "no consent": ([], "consent"),
    "text as audio": (["speech.wav", *CONSENT], "audio"),
    "absent audio": (["absent.wav", *CONSENT], "audio file"),
    "unknown emotion": ([SPEECH, *CONSENT, "--emotion", "hangry:1"], "hangry"),
    "distance": ([SPEECH, *CONSENT, "--distance", "9"], "distance"),
    "frame rate": ([SPEECH, *CONSENT, "--fps", "500"], "fps"),
    "output folder": ([SPEECH, *CONSENT, "-o", "absent/out.mp4"], "does not exist"),
    "output kind": ([SPEECH, *CONSENT, "-o", "out.pdf"], ".mp4"),
    "start": ([SPEECH, *CONSENT, "--start", "9999"], "part asked for"),
}


def test_bad_input_is_one_line_and_exit_code_2(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "speech.wav").write_text("this is not sound\n" * 40)
    commands = [
        ["animate", photo, *([] if "-o" in options else ["-o", "out.mp4"]), *(options or [SPEECH])]
        for options, _ in BAD_INPUT.values()
    ]
    ends = run_each(commands, tmp_path)
    for end, (case, (_, expected)) in zip(ends, BAD_INPUT.items(), strict=True):
        assert expected in end.complaint, case
    assert [path.name for path in tmp_path.iterdir()] == ["speech.wav"]


def test_a_photo_that_is_none_is_told(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    done = run("animate", photo, SPEECH, "-o", tmp_path / "out.mp4", "--consent", "x")
    assert done.returncode == 2
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_no_half_file(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    process = subprocess.Popen(
        avatar("animate", photo, SPEECH, "-o", out, "--consent", "a test"),
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


@pytest.mark.live
def test_the_demo_runs_live_and_reports(photo: Path, tmp_path: Path) -> None:
    done = run("demo", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert report["frames"] > 400
    assert set(report["latency_ms"]) == {"p50", "p95", "p99"}
    with av.open(str(tmp_path / "demo" / "demo.mp4")) as file:
        assert {s.codec_context.name for s in file.streams} == {"h264", "aac"}
    assert (tmp_path / "demo" / "contact_sheet.png").stat().st_size > 100_000


def test_doctor_tells_what_is_here() -> None:
    done = run("doctor")
    assert done.returncode in (0, 1)
    for row in ("python", "shared memory", "landmark models", "video encoder"):
        assert row in done.stdout
