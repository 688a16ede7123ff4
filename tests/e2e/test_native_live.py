"""The native client against the real service, through the C program that the README shows."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from native_build import build

from avatar_service.session.service_process import ServiceProcess

pytestmark = [pytest.mark.e2e, pytest.mark.live]

RATE_HZ = 16_000
TIMEOUT_SECS = 120


@pytest.fixture(scope="module")
def speak() -> Path:
    return build("system") / "examples/speak"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    home = tmp_path_factory.mktemp("home")
    with ServiceProcess({"home": str(home), "zmq.enabled": "true"}) as running:
        yield running
        assert running.process.poll() is None, " / ".join(running.lines)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of something like vowels, with a pause in the middle."""
    time = np.arange(RATE_HZ * 3 // 2) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    loudness = np.clip(np.sin(2 * np.pi * 3 * time), 0, None) * (np.abs(time - 0.75) > 0.15)
    path = tmp_path_factory.mktemp("clip") / "clip.pcm"
    (voice * loudness * 6000).astype("<i2").tofile(path)
    return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cv2 = pytest.importorskip("cv2")
    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), data.astronaut()[..., ::-1])
    return path


def run(
    speak: Path, service: ServiceProcess, photo: str, clip: Path, out: Path, **environ: str
) -> tuple[dict[str, float], int, list[dict[str, str]]]:
    """Return the figures, the begin of the segment and the rows of curves."""
    done = subprocess.run(
        [speak, service.address, photo, clip, out],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECS,
    )
    assert done.returncode == 0, done.stderr + " / ".join(service.lines)
    started, figures = done.stdout.splitlines()
    with out.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    return json.loads(figures), int(started.removeprefix("started ")), rows


def check_rows(rows: list[dict[str, str]], started: int) -> None:
    seqs = [int(row["seq"]) for row in rows]
    assert seqs == sorted(set(seqs))
    pts = [int(row["pts_nanos"]) for row in rows]
    assert all(later - earlier >= 25_000_000 for earlier, later in zip(pts, pts[1:], strict=False))
    spoken = [float(row["jawOpen"]) for row in rows if int(row["pts_nanos"]) > started]
    assert max(spoken) > 0.1
    assert min(spoken) < 0.5 * max(spoken)
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())


def test_motion_without_a_picture(
    speak: Path, service: ServiceProcess, clip: Path, tmp_path: Path
) -> None:
    figures, started, rows = run(speak, service, "-", clip, tmp_path / "out")
    assert figures["transport"] == 1  # the best on one host: the ring
    assert figures["torn"] == figures["refused"] == 0
    check_rows(rows, started)


@pytest.mark.parametrize(
    ("transport", "number", "encoding"),
    [("shm", 1, ""), ("zmq", 2, ""), ("grpc", 4, ""), ("grpc", 4, "jpeg")],
)
def test_frames_and_curves_over_every_transport(
    speak: Path,
    service: ServiceProcess,
    clip: Path,
    photo: Path,
    tmp_path: Path,
    transport: str,
    number: int,
    encoding: str,
) -> None:
    environ = {"AVATAR_TRANSPORT": transport}
    if encoding:
        environ["AVATAR_ENCODING"] = encoding
    figures, started, rows = run(speak, service, str(photo), clip, tmp_path / "out", **environ)
    assert figures["transport"] == number
    assert figures["refused"] == 0
    check_rows(rows, started)
    frames = np.fromfile(tmp_path / "out.rgba", np.uint8).reshape(-1, 512, 512, 4)
    assert len(frames) == len(rows)
    assert (frames[..., 3] == 255).all()  # the photo's own background
    # The mouth's part of the picture moves with the jaw's curve; a corner of the background stays.
    jaw = np.array([float(row["jawOpen"]) for row in rows])
    moved = np.abs(frames[jaw.argmax()].astype(int) - frames[jaw.argmin()].astype(int)).mean(-1)
    assert moved.max() > 40
    assert moved[:40, :40].mean() < 6


def test_nobody_there_is_told_with_a_reason(speak: Path, clip: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [speak, "127.0.0.1", "-", clip, tmp_path / "out"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == 'client: INVALID_FIELD target is "127.0.0.1"; HOST:PORT\n'
