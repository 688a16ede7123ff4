"""Animate the user's own glTF model by the names of its morph targets.

Names match in camelCase, PascalCase, snake_case and `_L`/`_R`; what did not match is reported, both
ways, for silence about a mismatch is what users of such bridges suffer from most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import expression_index, quaternions_from_angles
from avatar_service.export.frames import MotionRows, output_file, spooled
from avatar_service.export.glb import Glb, Json, read_glb, read_numbers, read_rest_rotation
from avatar_service.export.gltf import add_animation
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import Float32Array, MotionFrame


@dataclass(frozen=True, slots=True)
class MatchReport:
    """Which of a model's names were understood.

    Attributes:
        keyframes: written per target.
        matched: morph targets driven, by the model's own names.
        unmatched_targets: the model's morph targets that no coefficient drives.
        missing: our coefficients that the model has no target for.
        bones: nodes driven by head and gaze.
    """

    keyframes: int
    matched: tuple[str, ...]
    unmatched_targets: tuple[str, ...]
    missing: tuple[str, ...]
    bones: tuple[str, ...]


def write_into(
    path: Path, model: Path, frames: Iterable[MotionFrame], fps: Fraction
) -> MatchReport:
    """Animate the user's own model: every mesh with morph targets named as ARKit's.

    Targets without a match keep their rest weight. A node named head, or one of its usual variants,
    turns on top of its rest rotation; eyes are driven by the eyeLook* targets where the model has
    them, else by its eye nodes. Earlier animations of the model are replaced.

    Raises:
        AvatarError: INVALID_FILE for a model that cannot be read, has no morph targets, none with
            names, or none whose name is known.
    """
    glb = read_glb(model)
    matched: dict[int, list[int | None]] = {}
    names_of: dict[int, list[str]] = {}
    for number, mesh in enumerate(glb.json.get("meshes", [])):
        names = target_names(model.name, number, mesh)
        if names:
            names_of[number] = names
            matched[number] = [expression_index(name) for name in names]
    if not names_of:
        raise AvatarError(
            Reason.INVALID_FILE,
            f"{model.name}: it has no mesh with named morph targets (mesh.extras.targetNames)",
            field="into",
        )
    known = {i for columns in matched.values() for i in columns if i is not None}
    if not known:
        shown = ", ".join(names_of[min(names_of)][:3])
        raise AvatarError(
            Reason.INVALID_FILE,
            f"{model.name}: none of its morph targets is named as an ARKit coefficient ({shown})",
            field="into",
        )
    glb.json.pop("animations", None)
    with spooled(frames, fps) as rows:
        bones = _drive(model.name, glb, rows, matched, known)
        with output_file(path) as file:
            glb.write(file)
        num = len(rows)
    pairs = [(n, i) for m in names_of for n, i in zip(names_of[m], matched[m], strict=True)]
    return MatchReport(
        keyframes=num,
        matched=tuple(dict.fromkeys(n for n, i in pairs if i is not None)),
        unmatched_targets=tuple(dict.fromkeys(n for n, i in pairs if i is None)),
        missing=tuple(n for i, n in enumerate(EXPRESSION_NAMES) if i not in known),
        bones=bones,
    )


def target_names(file: str, number: int, mesh: Json) -> list[str]:
    """Names of a mesh's morph targets; empty if it has none or they are not named."""
    primitives = mesh.get("primitives")
    if not isinstance(primitives, list) or not all(map(_is_primitive, primitives)):
        raise AvatarError(Reason.INVALID_FILE, f"{file}: mesh {number} is malformed", field="into")
    counts = {len(p.get("targets", [])) for p in primitives}
    if counts in (set(), {0}):
        return []
    extras = mesh.get("extras")
    names = extras.get("targetNames") if isinstance(extras, dict) else None
    if names is None:
        return []
    if len(counts) != 1 or not isinstance(names, list) or len(names) not in counts:
        raise AvatarError(
            Reason.INVALID_FILE,
            f"{file}: mesh {number} has {sorted(counts)} morph targets but not as many names",
            field="into",
        )
    return [str(name) for name in names]


def _is_primitive(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("targets", []), list)


HEAD_NAMES: Final = frozenset(
    {"head", "headbone", "jbipchead", "mixamorighead", "cchead", "bip01head"}
)
EYE_NAMES: Final = (
    frozenset({"lefteye", "eyeleft", "eyel", "leye", "jadjlfaceeye", "mixamoriglefteye"}),
    frozenset({"righteye", "eyeright", "eyer", "reye", "jadjrfaceeye", "mixamorigrighteye"}),
)


def folded_name(node: Json) -> str:
    """A node's name in lower case without separators."""
    return "".join(c for c in str(node.get("name", "")).lower() if c.isalnum())


def _drive(
    name: str, glb: Glb, rows: MotionRows, matched: dict[int, list[int | None]], known: set[int]
) -> tuple[str, ...]:
    data = rows.rows
    times = glb.add_array(rows.times, bounds=True)
    outputs: list[tuple[int, str, int]] = []
    bones: list[str] = []
    has_look = any(EXPRESSION_NAMES[i].startswith("eyeLook") for i in known)
    weights: dict[int, int] = {}
    for number, node in enumerate(glb.json.get("nodes", [])):
        mesh = node.get("mesh")
        if isinstance(mesh, int) and mesh in matched:
            if mesh not in weights:
                weights[mesh] = _weights(name, glb, data["expression"], matched[mesh], mesh)
            outputs.append((number, "weights", weights[mesh]))
        folded = folded_name(node)
        angles = None
        if folded in HEAD_NAMES and "mesh" not in node:
            angles = data["head_rotation"]
        for side, names in enumerate(EYE_NAMES):
            if folded in names and not has_look:
                angles = np.zeros((len(data), 3), np.float32)
                angles[:, :2] = data["gaze"][:, side]
        if angles is not None and "matrix" not in node:
            turned = _on_top(read_rest_rotation(name, node), angles)
            outputs.append((number, "rotation", glb.add_array(turned)))
            bones.append(str(node.get("name")))
    if not outputs:
        raise AvatarError(
            Reason.INVALID_FILE, "the model has no node that shows its morph targets", field="into"
        )
    add_animation(glb, times, outputs)
    return tuple(bones)


def _weights(
    name: str, glb: Glb, expression: Float32Array, columns: list[int | None], mesh: int
) -> int:
    """(N, targets) weights of one mesh, unmatched targets at their rest weight."""
    rest = read_numbers(name, glb.json["meshes"][mesh], "weights", [0.0] * len(columns))
    out = np.empty((len(expression), len(columns)), np.float32)
    for target, column in enumerate(columns):
        out[:, target] = rest[target] if column is None else expression[:, column]
    return glb.add_array(out, flat=True)


def _on_top(rest: NDArray[np.float64], angles: NDArray[Any]) -> Float32Array:
    """Rotate by our angles in the model's axes, then by the node's rest: q * rest.

    Right for rigs whose head bone has the model's axes or whose parents are unrotated at rest.
    """
    x, y, z, w = quaternions_from_angles(angles).T
    a, b, c, d = rest
    return np.stack(
        [
            w * a + x * d + y * c - z * b,
            w * b - x * c + y * d + z * a,
            w * c + x * b - y * a + z * d,
            w * d - x * a - y * b - z * c,
        ],
        axis=-1,
    ).astype(np.float32)
