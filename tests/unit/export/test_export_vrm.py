"""A VRM runtime of others plays our .vrma, and knows the names that we send: pixiv's three-vrm."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from export_facts import distinct_pose
from export_peers import node_modules, run_node
from vrm_model import write_model

from avatar_service.export import vrma
from avatar_service.export.conventions import NameSet, pascal_case, vrm_weights
from avatar_service.schema import EXPRESSION_NAMES

pytestmark = pytest.mark.unit

FPS = Fraction(30)
SCRIPT = Path(__file__).with_name("vrm_read.mjs")
SAMPLED = (0, 1, 4, 7, 11, 15, 18, 22, 27, 30)
Version = Literal["0", "1"]

# The presets of both versions, and which preset of version 1 means what a preset of version 0 does.
VRM1_PRESETS = (
    *("aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight"),
    *("happy", "angry", "sad", "relaxed", "surprised", "neutral"),
)
VRM0_PRESETS = {
    **{"A": "aa", "I": "ih", "U": "ou", "E": "ee", "O": "oh"},
    **{"Blink": "blink", "Blink_L": "blinkLeft", "Blink_R": "blinkRight"},
    **{"Joy": "happy", "Angry": "angry", "Sorrow": "sad", "Fun": "relaxed"},
}


def model_of(version: Version, names: NameSet) -> dict[str, str | None]:
    """The expressions that a model made for a set of names has: name -> preset."""
    if names is NameSet.PERFECT_SYNC:
        return dict.fromkeys(map(pascal_case, EXPRESSION_NAMES))
    if version == "0":
        return {name: name.lower() for name in VRM0_PRESETS}
    return {name: name for name in VRM1_PRESETS}


def played(model: Path, motion: Path | None = None, seconds: tuple[float, ...] = ()) -> Any:
    modules = node_modules("@pixiv/three-vrm-animation", "pixiv's VRM runtime (with Node.js)")
    return run_node(SCRIPT, modules, model, *([] if motion is None else [motion, *seconds]))


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Ry @ Rx @ Rz, written out as the schema says."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return ry @ rx @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])


def without_gaze(weights: Mapping[str, float]) -> dict[str, float]:
    """Gaze travels as a direction: the EyeLook expressions stay at rest."""
    return {name: 0.0 if name.startswith("EyeLook") else w for name, w in weights.items()}


@pytest.mark.parametrize("names", [NameSet.VRM1, NameSet.PERFECT_SYNC])
@pytest.mark.parametrize("version", ["0", "1"])
def test_a_model_plays_the_animation(tmp_path: Path, version: Version, names: NameSet) -> None:
    model, motion = tmp_path / "model.vrm", tmp_path / "motion.vrma"
    write_model(model, version, model_of(version, names))
    poses = [
        distinct_pose(k * 1_000_000_000 // 30, k, float(np.sin(k * 0.23 + 0.4))) for k in range(31)
    ]
    for pose in poses:
        np.maximum(pose.expression, 0, out=pose.expression)
        np.maximum(pose.emotion, 0, out=pose.emotion)
    vrma.write(motion, poses, FPS, names=names)
    samples = played(model, motion, tuple(k / 30 for k in SAMPLED))["samples"]
    facing = 1 if version == "1" else -1
    for k, sample in zip(SAMPLED, samples, strict=True):
        pose = poses[k]
        sent = without_gaze(
            vrm_weights(pose, NameSet.VRM0 if (version, names) == ("0", NameSet.VRM1) else names)
        )
        assert sample["morphs"] == pytest.approx(sent, abs=1e-5)
        head = turned(*pose.head_rotation.tolist())
        yaw, pitch = pose.gaze.mean(axis=0).tolist()
        to_world = np.array([facing, 1, facing])
        expected = {"nose": head @ [0, 0, 1], "crown": head @ [0, 1, 0]}
        for eye in ("leftEye", "rightEye"):
            expected[eye] = head @ turned(yaw, pitch, 0) @ [0, 0, 1]
        for part, direction in expected.items():
            np.testing.assert_allclose(sample[part], direction * to_world, atol=1e-5)


def test_the_runtime_knows_every_name_that_vmc_sends(tmp_path: Path) -> None:
    # The model's expressions carry VMC's names; the runtime tells which presets it took them for.
    for version, names, meaning in (
        ("0", NameSet.VRM0, VRM0_PRESETS),
        ("1", NameSet.VRM1, {name: name for name in VRM1_PRESETS}),
        ("1", NameSet.PERFECT_SYNC, {n: n for n in map(pascal_case, EXPRESSION_NAMES)}),
    ):
        model = tmp_path / f"{names}.vrm"
        write_model(model, version, model_of(version, names))
        assert played(model)["names"] == meaning
        assert set(vrm_weights(distinct_pose(), names)) == set(meaning)


def test_presets_mean_the_same_in_both_versions() -> None:
    old = vrm_weights(distinct_pose(), NameSet.VRM0)
    new = vrm_weights(distinct_pose(), NameSet.VRM1)
    assert old == {name: new[preset] for name, preset in VRM0_PRESETS.items()}
