"""Captured performances drive a portrait: motion of other tools in, a video out."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

import avatar_service
from avatar_service.export.formats import export_motion
from avatar_service.portrait.models import are_models_present
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import MotionFrame

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not are_models_present(), reason="landmark models are absent: run `avatar models fetch`"
    ),
]

SPEECH = Path(avatar_service.__file__).parent / "data/demo_speech.wav"
JAW = EXPRESSION_INDEX["jawOpen"]
NUM_FRAMES = 60
FPS = 60


def performance() -> list[MotionFrame]:
    """One second: still, then the mouth opens wide and the head turns to the subject's left."""
    frames = []
    for k in range(NUM_FRAMES + 1):
        share = max(0.0, k / NUM_FRAMES - 0.3) / 0.7
        expression = np.zeros(52, np.float32)
        expression[JAW] = 0.8 * share
        frames.append(
            MotionFrame(
                k * 1_000_000_000 // FPS,
                k,
                expression=expression,
                head_rotation=np.array([0.15 * share, 0, 0], np.float32),
            )
        )
    return frames


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from avatar_service.cli.portraits import default_portrait_bytes

    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    path.write_bytes(default_portrait_bytes())
    return path


def animate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "avatar_service.cli", "animate", *map(str, arguments)]
    return subprocess.run(
        [*command, "--size", "256", "--consent", "NASA; public domain"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def pictures(video: Path) -> list[np.ndarray]:
    with av.open(str(video)) as file:
        return [f.to_ndarray(format="gray").astype(float) for f in file.decode(video=0)]


@pytest.mark.parametrize("suffix", [".csv", ".glb", ".npz"])
def test_a_capture_drives_the_portrait(photo: Path, tmp_path: Path, suffix: str) -> None:
    capture, out, motion = tmp_path / f"take{suffix}", tmp_path / "o.mp4", tmp_path / "shown.npz"
    export_motion(capture, performance(), FPS)
    options = ["--save-motion", motion, "--fps", "30"]
    options += ["--audio", SPEECH] if suffix == ".csv" else []
    done = animate(photo, capture, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    frames = pictures(out)
    assert len(frames) == 31
    assert np.abs(frames[0] - frames[7]).mean() < 1.0, "still, as captured"
    assert np.abs(frames[0] - frames[30]).mean() > 2.0, "moved, as captured"
    with av.open(str(out)) as file:
        assert len(file.streams.audio) == (1 if suffix == ".csv" else 0)
    with np.load(motion) as shown:
        expected = [0.8 * max(0.0, k / 30 - 0.3) / 0.7 for k in range(31)]
        np.testing.assert_allclose(shown["expression"][:, JAW], expected, atol=2e-3)
        assert shown["head_rotation"][30, 0] == pytest.approx(0.15, abs=0.02)


def test_a_part_of_a_capture(photo: Path, tmp_path: Path) -> None:
    capture, out = tmp_path / "take.npz", tmp_path / "o.mp4"
    export_motion(capture, performance(), FPS)
    done = animate(photo, capture, "-o", out, "--start", "0.5", "--duration", "0.25")
    assert done.returncode == 0, done.stderr
    assert len(pictures(out)) == 10


def test_a_video_speaks_by_its_sound(photo: Path, tmp_path: Path) -> None:
    capture, video = tmp_path / "take.npz", tmp_path / "spoken.mp4"
    export_motion(capture, performance(), FPS)
    assert animate(photo, capture, "-o", video, "--audio", SPEECH).returncode == 0
    out, motion = tmp_path / "again.mp4", tmp_path / "m.npz"
    done = animate(photo, video, "-o", out, "--save-motion", motion)
    assert done.returncode == 0, done.stderr
    with np.load(motion) as shown:
        assert shown["expression"][:, JAW].max() > 0.05


def test_a_videos_face_is_exported_in_one_command(photo: Path, tmp_path: Path) -> None:
    capture, video, take = tmp_path / "take.npz", tmp_path / "talk.mp4", tmp_path / "talk.csv"
    export_motion(capture, performance(), FPS)
    assert animate(photo, capture, "-o", video, "--fps", "30").returncode == 0
    command = [sys.executable, "-m", "avatar_service.cli", "export", str(video), "--track"]
    done = subprocess.run(
        [*command, "-o", str(take), "--fps", "30"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(take.open()))
    assert [row["Timecode"][:8] for row in rows] == ["00:00:00"] * 30 + ["00:00:01"]
    jaw = [float(row["JawOpen"]) for row in rows]
    yaw = [float(row["HeadYaw"]) for row in rows]
    assert max(jaw[:8]) < 0.1 < 0.3 < jaw[-1]
    assert abs(yaw[4]) < 0.03 < 0.08 < yaw[-1]  # to the subject's left


FAULTS = {
    "text": (["text.csv"], "text.csv"),
    "an option for speech": (["take.csv", "--emotion", "happy"], "is motion already"),
    "audio beside speech": ([str(SPEECH), "--audio", str(SPEECH)], "goes with captured motion"),
    "no such capture": (["absent.csv"], "absent.csv"),
    "no such sound": (["take.csv", "--audio", "absent.wav"], "absent.wav"),
    "nothing left": (["take.csv", "--start", "60"], "no frames"),
    "not a number": (["nan.npz"], "NaN"),
}
# All faults in one process: starting one takes seconds.
EACH = """
import json, sys
from avatar_service.cli.app import app
from avatar_service.errors import AvatarError
for arguments in json.load(sys.stdin):
    try:
        app(arguments, standalone_mode=False)
        print("RESULT no fault")
    except AvatarError as error:
        print("RESULT", json.dumps(error.message))
"""


def test_bad_input_is_one_line_and_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text("this is no take\n" * 9)
    export_motion(tmp_path / "take.csv", performance(), FPS, format_name="livelink")
    export_motion(tmp_path / "nan.npz", performance(), FPS)
    with np.load(tmp_path / "nan.npz") as arrays:
        broken = dict(arrays)
    broken["expression"][3, 3] = np.nan
    np.savez(tmp_path / "nan.npz", **broken)
    before = sorted(tmp_path.iterdir())
    common = ["-o", "out.mp4", "--size", "256", "--consent", "NASA; public domain"]
    done = subprocess.run(
        [sys.executable, "-c", EACH],
        input=json.dumps([["animate", str(photo), *row, *common] for row, _ in FAULTS.values()]),
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        cwd=tmp_path,
    )
    lines = [row for row in done.stdout.splitlines() if row.startswith("RESULT ")]
    assert len(lines) == len(FAULTS), done.stderr
    for line, (case, (_, complaint)) in zip(lines, FAULTS.items(), strict=True):
        assert complaint in line, case
        assert "\\n" not in line, case
    assert sorted(tmp_path.iterdir()) == before
