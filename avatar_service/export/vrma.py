"""VRM animation (.vrma): glTF with the extension VRMC_vrm_animation 1.0.

Source: VRM Consortium, VRMC_vrm_animation-1.0. An expression's weight is the x of its node's
translation; gaze is the rotation of the lookAt node (yaw about y, pitch about x, our signs); of the
bones only the head turns; eye bones and look* expressions must not be animated. The skeleton is a
T-pose with every bone that VRM requires, for importers retarget against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from avatar_service import __version__
from avatar_service.export.conventions import NameSet, vrm_weights
from avatar_service.export.frames import MotionRows, output_file, spooled
from avatar_service.export.glb import Glb, Json
from avatar_service.export.gltf import add_animation, quaternion_rows
from avatar_service.signals import MotionFrame

EXTENSION: Final = "VRMC_vrm_animation"

# Required humanoid bones: parent and offset from it in metres (an adult of 1.7 m in T-pose).
_BONES: Final[dict[str, tuple[str | None, tuple[float, float, float]]]] = {
    "hips": (None, (0.0, 0.95, 0.0)),
    "spine": ("hips", (0.0, 0.15, 0.0)),
    "head": ("spine", (0.0, 0.42, 0.0)),
    "leftUpperArm": ("spine", (0.17, 0.30, 0.0)),
    "leftLowerArm": ("leftUpperArm", (0.27, 0.0, 0.0)),
    "leftHand": ("leftLowerArm", (0.24, 0.0, 0.0)),
    "rightUpperArm": ("spine", (-0.17, 0.30, 0.0)),
    "rightLowerArm": ("rightUpperArm", (-0.27, 0.0, 0.0)),
    "rightHand": ("rightLowerArm", (-0.24, 0.0, 0.0)),
    "leftUpperLeg": ("hips", (0.09, -0.05, 0.0)),
    "leftLowerLeg": ("leftUpperLeg", (0.0, -0.42, 0.0)),
    "leftFoot": ("leftLowerLeg", (0.0, -0.40, 0.0)),
    "rightUpperLeg": ("hips", (-0.09, -0.05, 0.0)),
    "rightLowerLeg": ("rightUpperLeg", (0.0, -0.42, 0.0)),
    "rightFoot": ("rightLowerLeg", (0.0, -0.40, 0.0)),
}
_PRESETS: Final = NameSet.VRM1


def write(
    path: Path,
    frames: Iterable[MotionFrame],
    fps: Fraction,
    *,
    names: NameSet = NameSet.VRM1,
) -> int:
    """Write a .vrma; returns the number of keyframes.

    Args:
        path: where to.
        frames: motion at a constant rate from time 0.
        fps: that rate.
        names: VRM1 (presets, for any VRM model) or PERFECT_SYNC (52 custom expressions); VRM0 has
            no animation format and is treated as VRM1, to which its presets correspond.
    """
    names = _PRESETS if names is NameSet.VRM0 else names
    with spooled(frames, fps) as rows:
        glb = Glb({"asset": {"version": "2.0", "generator": f"avatar-service {__version__}"}})
        bones = _add_bones(glb)
        expressions = _add_expressions(glb, names)
        look_at = glb.append("nodes", {"name": "lookAt"})
        roots = [bones["hips"], *expressions.values(), look_at]
        glb.json["scenes"] = [{"nodes": roots}]
        glb.json["scene"] = 0
        group = "custom" if names is NameSet.PERFECT_SYNC else "preset"
        glb.json["extensionsUsed"] = [EXTENSION]
        glb.json["extensions"] = {
            EXTENSION: {
                "specVersion": "1.0",
                "humanoid": {"humanBones": {name: {"node": i} for name, i in bones.items()}},
                "expressions": {group: {name: {"node": i} for name, i in expressions.items()}},
                "lookAt": {"node": look_at, "offsetFromHeadBone": [0.0, 0.06, 0.0]},
            }
        }
        _add_motion(glb, rows, names, expressions, bones["head"], look_at)
        with output_file(path) as file:
            glb.write(file)
        return len(rows)


def _add_bones(glb: Glb) -> dict[str, int]:
    nodes: dict[str, int] = {}
    for name, (parent, offset) in _BONES.items():
        node: Json = {"name": name, "translation": list(offset)}
        nodes[name] = glb.append("nodes", node)
        if parent is not None:
            glb.json["nodes"][nodes[parent]].setdefault("children", []).append(nodes[name])
    return nodes


def _add_expressions(glb: Glb, names: NameSet) -> dict[str, int]:
    return {name: glb.append("nodes", {"name": name}) for name in _weights(MotionFrame(0), names)}


def _weights(frame: MotionFrame, names: NameSet) -> dict[str, float]:
    """Expressions that may be animated: gaze has one carrier, the lookAt node."""
    weights = vrm_weights(frame, names)
    return {name: weight for name, weight in weights.items() if not name.startswith("EyeLook")}


def _add_motion(
    glb: Glb,
    rows: MotionRows,
    names: NameSet,
    expressions: dict[str, int],
    head: int,
    look_at: int,
) -> None:
    data = rows.rows
    weights = np.empty((len(rows), len(expressions)), np.float32)
    for k, row in enumerate(data):
        frame = MotionFrame(0, expression=row["expression"], emotion=row["emotion"])
        weights[k] = list(_weights(frame, names).values())
    times = glb.add_array(rows.times, bounds=True)
    outputs = []
    for column, node in enumerate(expressions.values()):
        place = np.zeros((len(rows), 3), np.float32)
        place[:, 0] = weights[:, column]
        outputs.append((node, "translation", glb.add_array(place)))
    angles = np.zeros((len(rows), 3), np.float32)
    angles[:, :2] = data["gaze"].mean(axis=1)
    outputs.append((head, "rotation", glb.add_array(quaternion_rows(data["head_rotation"]))))
    outputs.append((look_at, "rotation", glb.add_array(quaternion_rows(angles))))
    add_animation(glb, times, outputs)
