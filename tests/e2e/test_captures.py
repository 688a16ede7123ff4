"""Captured performances drive a portrait: motion of other tools in, a video out."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import numpy as np
import pytest
from avatar_command import run_each

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
SUFFIXES = (".csv", ".glb", ".npz")


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


@pytest.fixture(scope="module")
def shown(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: the portrait's videos and motions of one capture in three formats, and of them."""
    folder = tmp_path_factory.mktemp("shown")
    for suffix in SUFFIXES:
        export_motion(folder / f"take{suffix}", performance(), FPS)
    half = ["--start", "0.5", "--duration", "0.25"]
    commands = [
        animate(photo, "take.csv", "csv.mp4", "--fps", "30", "--audio", SPEECH),
        animate(photo, "take.glb", "glb.mp4", "--fps", "30"),
        animate(photo, "take.npz", "npz.mp4", "--fps", "30"),
        animate(photo, "take.npz", "half.mp4", *half),
        animate(photo, "csv.mp4", "again.mp4"),
        ["export", "npz.mp4", "--track", "-o", "tracked.csv", "--fps", "30"],
    ]
    for end in run_each(commands, folder):
        assert end.returncode == 0, end.stderr
    return folder


def animate(photo: Path, take: str, out: str, *options: object) -> list[object]:
    motion = Path(out).with_suffix(".npz").name
    how = ["--size", "256", "--save-motion", f"shown_{motion}", "--consent", "NASA; public domain"]
    return ["animate", photo, take, "-o", out, *how, *options]


def pictures(video: Path) -> list[np.ndarray]:
    with av.open(str(video)) as file:
        return [f.to_ndarray(format="gray").astype(float) for f in file.decode(video=0)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_capture_drives_the_portrait(shown: Path, suffix: str) -> None:
    out = shown / f"{suffix[1:]}.mp4"
    frames = pictures(out)
    assert len(frames) == 31
    assert np.abs(frames[0] - frames[7]).mean() < 1.0, "still, as captured"
    assert np.abs(frames[0] - frames[30]).mean() > 2.0, "moved, as captured"
    with av.open(str(out)) as file:
        assert len(file.streams.audio) == (1 if suffix == ".csv" else 0)
    with np.load(shown / f"shown_{suffix[1:]}.npz") as arrays:
        expected = [0.8 * max(0.0, k / 30 - 0.3) / 0.7 for k in range(31)]
        np.testing.assert_allclose(arrays["expression"][:, JAW], expected, atol=2e-3)
        assert arrays["head_rotation"][30, 0] == pytest.approx(0.15, abs=0.02)


def test_a_part_of_a_capture(shown: Path) -> None:
    assert len(pictures(shown / "half.mp4")) == 10


def test_a_video_speaks_by_its_sound(shown: Path) -> None:
    with np.load(shown / "shown_again.npz") as arrays:
        assert arrays["expression"][:, JAW].max() > 0.05


def test_a_videos_face_is_exported_in_one_command(shown: Path) -> None:
    take = shown / "tracked.csv"
    rows = list(csv.DictReader(take.open()))
    assert [row["Timecode"][:8] for row in rows] == ["00:00:00"] * 30 + ["00:00:01"]
    jaw = [float(row["JawOpen"]) for row in rows]
    yaw = [float(row["HeadYaw"]) for row in rows]
    # Half of the opening is read as lips drawn apart: she smiles (docs/picture.md, avatar track).
    assert max(jaw[:8]) < 0.1 < 0.22 < jaw[-1]
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
    ends = run_each([["animate", photo, *row, *common] for row, _ in FAULTS.values()], tmp_path)
    for end, (case, (_, complaint)) in zip(ends, FAULTS.items(), strict=True):
        assert complaint in end.complaint, case
    assert sorted(tmp_path.iterdir()) == before
