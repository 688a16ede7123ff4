"""Blender imports the exported head and plays it: curves sampled at ten times."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.peers import missing

from avatar_service.export import gltf, usd
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.e2e

FPS = Fraction(30)
WHEEL = Path(__file__).resolve().parents[2] / ".venv/blender/bin/python"
SCRIPT = Path(__file__).with_name("blender_read.py")


def wheel_command() -> list[str]:
    """Blender's own wheel: what `make peers` made, or a Python with bpy (BLENDER_PYTHON)."""
    python = os.environ.get("BLENDER_PYTHON", str(WHEEL))
    if not Path(python).exists():
        missing("Blender's wheel (bpy)", "make peers (Python 3.11)")
    return [python, str(SCRIPT)]


def debian_command() -> list[str]:
    """The Blender of the system's packages."""
    blender = shutil.which("blender")
    if blender is None:
        missing("Blender", "apt-get install blender python3-numpy")
    return [blender, "-b", "--python-exit-code", "1", "--python", str(SCRIPT)]


# Debian 12 builds Blender without USD (no bpy.ops.wm.usd_import): the wheel alone reads it.
READERS = [
    pytest.param(wheel_command, ".glb", id="wheel-glb"),
    pytest.param(wheel_command, ".usda", id="wheel-usda"),
    pytest.param(wheel_command, ".usdc", id="wheel-usdc"),
    pytest.param(debian_command, ".glb", id="debian-glb"),
]


def read_in_blender(command: list[str], model: Path, times: list[float]) -> list[dict[str, Any]]:
    command = [*command, "--", str(model), "30", *map(str, times)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-2000:] + done.stderr[-2000:]
    samples: list[dict[str, Any]] = json.loads(lines[0].removeprefix("RESULT "))["samples"]
    return samples


def pose_at(k: int) -> MotionFrame:
    """Every channel moves, each at its own pace."""
    phases = np.sin(k * 0.11 + np.arange(52))
    return MotionFrame(
        k * 1_000_000_000 // 30,
        k,
        expression=(0.5 + 0.45 * phases).astype(np.float32),
        head_rotation=(np.array([0.31, -0.17, 0.11]) * np.sin(k * 0.1 + 1)).astype(np.float32),
        head_translation=np.array([0.02, -0.03, 0.05], np.float32),
        gaze=(np.array([[0.23, -0.19], [0.29, -0.14]]) * np.cos(k * 0.1)).astype(np.float32),
    )


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return ry @ rx @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])


@pytest.mark.parametrize(("blender", "suffix"), READERS)
def test_blender_plays_what_was_exported(
    tmp_path: Path, blender: Callable[[], list[str]], suffix: str
) -> None:
    path = tmp_path / f"head{suffix}"
    poses = [pose_at(k) for k in range(31)]
    writer = gltf.write if suffix == ".glb" else usd.write
    writer(path, poses, FPS)
    picked = [0, 1, 4, 7, 11, 15, 18, 22, 27, 30]
    samples = read_in_blender(blender(), path, [k / 30 for k in picked])
    assert len(samples) == 10
    for k, sample in zip(picked, samples, strict=True):
        pose = poses[k]
        expected = dict(zip(EXPRESSION_NAMES, pose.expression.tolist(), strict=True))
        assert sample["weights"] == pytest.approx(expected, abs=2e-3)
        for side, name in enumerate(("LeftEye", "RightEye")):
            yaw, pitch = pose.gaze[side].tolist()
            x, y, z = turned(*pose.head_rotation.tolist()) @ turned(yaw, pitch, 0) @ [0, 0, 1]
            # Blender: x right, z up, the face looks along -y.
            np.testing.assert_allclose(sample[name], [x, -z, y], atol=5e-3)
