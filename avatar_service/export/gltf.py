"""glTF 2.0 binary: a head with 52 morph targets, its eyes and its motion.

Nodes: Root > Head (rotation, translation) > LeftEye, RightEye (rotation); the face is one mesh
skinned to Root (shoulders, which stay) and Head. Angles and axes are glTF's own already. Morph
targets move lids for eyeLook*, the eye nodes turn the eyeballs: each motion has one carrier.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service import __version__
from avatar_service.export.conventions import (
    METRES_PER_UNIT,
    quaternions_from_angles,
)
from avatar_service.export.frames import MotionRows, output_file, spooled
from avatar_service.export.glb import Glb, Json
from avatar_service.export.head_mesh import EyeBalls, HeadMesh, image_mime_type
from avatar_service.export.neutral_head import neutral_head
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import Float32Array, MotionFrame

VERTEX_DATA: Final = 34962
INDEX_DATA: Final = 34963
_EYES: Final = ("LeftEye", "RightEye")
ANIMATION_NAME: Final = "AvatarMotion"


def write(
    path: Path, frames: Iterable[MotionFrame], fps: Fraction, *, head: HeadMesh | None = None
) -> int:
    """Write an animated head as .glb; returns the number of keyframes.

    Args:
        path: where to.
        frames: motion at a constant rate from time 0.
        fps: that rate.
        head: a portrait's head; None takes the neutral one.
    """
    with spooled(frames, fps) as rows:
        glb = Glb({"asset": {"version": "2.0", "generator": f"avatar-service {__version__}"}})
        _add_head_motion(glb, _add_head(glb, head or neutral_head()), rows)
        with output_file(path) as file:
            glb.write(file)
        return len(rows)


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Indices of the nodes that move, and where the head rests."""

    face: int
    head: int
    eyes: tuple[int, int]
    head_rest: NDArray[np.float64]


def _add_head(glb: Glb, head: HeadMesh) -> _Nodes:
    material = _material(glb, "Skin", head.texture, lit=head.lit)
    if head.has_alpha:
        glb.json["materials"][material].update(alphaMode="MASK", alphaCutoff=0.5)
    positions = head.vertices * np.float32(METRES_PER_UNIT)
    weight = np.ones(len(positions), np.float32) if head.head_weight is None else head.head_weight
    attributes = {
        "POSITION": glb.add_array(positions, bounds=True, target=VERTEX_DATA),
        "NORMAL": glb.add_array(head.normals, target=VERTEX_DATA),
        "TEXCOORD_0": glb.add_array(head.uv.astype(np.float32), target=VERTEX_DATA),
        **_skin_attributes(glb, weight),
    }
    targets = [
        {
            "POSITION": glb.add_array(
                (delta * METRES_PER_UNIT).astype(np.float32), bounds=True, target=VERTEX_DATA
            )
        }
        for delta in head.deltas
    ]
    indices = glb.add_array(head.triangles.astype(np.uint32).ravel(), target=INDEX_DATA)
    primitive: Json = {
        "attributes": attributes,
        "indices": indices,
        "material": material,
        "targets": targets,
    }
    mesh = glb.append(
        "meshes",
        {
            "name": "Face",
            "primitives": [primitive],
            "weights": [0.0] * len(targets),
            "extras": {"targetNames": list(EXPRESSION_NAMES)},
        },
    )
    pivot = head.pivot.astype(np.float64) * METRES_PER_UNIT
    eyes = _eye_nodes(glb, head)
    head_node = glb.append(
        "nodes", {"name": "Head", "translation": pivot.tolist(), "children": list(eyes)}
    )
    root = glb.append("nodes", {"name": "Root", "children": [head_node]})
    inverse = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    inverse[1, :3, 3] = -pivot
    # glTF matrices are column-major.
    inverse_accessor = glb.add_array(inverse.transpose(0, 2, 1).reshape(2, 16))
    skin = glb.append(
        "skins",
        {"joints": [root, head_node], "inverseBindMatrices": inverse_accessor, "skeleton": root},
    )
    face = glb.append("nodes", {"name": "Face", "mesh": mesh, "skin": skin})
    glb.json["scenes"] = [{"nodes": [root, face]}]
    glb.json["scene"] = 0
    return _Nodes(face, head_node, eyes, pivot)


def _skin_attributes(glb: Glb, weight: Float32Array) -> Json:
    """Joints 0 (Root) and 1 (Head); an unused joint must be 0, as the validator insists."""
    weight = np.clip(weight, 0, 1).astype(np.float32)
    weights = np.zeros((len(weight), 4), np.float32)
    joints = np.zeros((len(weight), 4), np.uint8)
    rest = np.float32(1) - weight
    # By the rest, not the weight: beside 1 a weight of 1e-9 is lost in float32.
    mixed = (rest > 0) & (rest < 1)
    weights[:, 0] = np.where(mixed, rest, 1.0)
    weights[mixed, 1] = 1 - rest[mixed]
    joints[rest <= 0, 0] = 1
    joints[mixed, 1] = 1
    return {
        "JOINTS_0": glb.add_array(joints, target=VERTEX_DATA),
        "WEIGHTS_0": glb.add_array(weights, target=VERTEX_DATA),
    }


def _material(glb: Glb, name: str, image: bytes, *, lit: bool) -> int:
    view = glb.add_bytes(image)
    source = glb.append(
        "images", {"bufferView": view, "mimeType": image_mime_type(image), "name": name}
    )
    if not glb.json.get("samplers"):
        glb.append(
            "samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}
        )
    texture = glb.append("textures", {"source": source, "sampler": 0})
    material: Json = {
        "name": name,
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": texture},
            "metallicFactor": 0.0,
            "roughnessFactor": 0.6,
        },
    }
    if not lit:
        material["extensions"] = {"KHR_materials_unlit": {}}
        glb.json["extensionsUsed"] = ["KHR_materials_unlit"]
    return glb.append("materials", material)


def _eye_nodes(glb: Glb, head: HeadMesh) -> tuple[int, int]:
    """Eye nodes under Head; without eyeballs they are bare, and only carry the gaze."""
    mesh = None if head.eyes is None else _eye_mesh(glb, head.eyes, lit=head.lit)
    nodes = []
    for side, name in enumerate(_EYES):
        node: Json = {"name": name}
        if head.eyes is not None:
            offset = (head.eyes.centers[side] - head.pivot).astype(np.float64) * METRES_PER_UNIT
            node["translation"] = offset.tolist()
            node["mesh"] = mesh
        nodes.append(glb.append("nodes", node))
    return nodes[0], nodes[1]


def _eye_mesh(glb: Glb, eyes: EyeBalls, *, lit: bool) -> int:
    """A sphere looking along +z, textured from the front."""
    rings, sectors = 16, 24
    polar = np.linspace(0, np.pi, rings)[:, None]
    around = np.linspace(0, 2 * np.pi, sectors)[None, :]
    directions = np.stack(
        [
            np.sin(polar) * np.cos(around),
            np.sin(polar) * np.sin(around),
            np.cos(polar) * np.ones_like(around),
        ],
        axis=-1,
    ).reshape(-1, 3)
    index = np.arange(rings * sectors).reshape(rings, sectors)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    # The first and last ring are points: their quads are triangles.
    triangles = np.concatenate(
        [np.stack([a, c, d], -1).reshape(-1, 3), np.stack([a, d, b], -1)[1:].reshape(-1, 3)]
    )
    triangles = np.array([t for t in triangles if not _on_one_pole(t, rings, sectors)], np.uint32)
    uv = (directions[:, :2] * [0.5, -0.5] + 0.5).astype(np.float32)
    positions = (directions * eyes.radius * METRES_PER_UNIT).astype(np.float32)
    primitive: Json = {
        "attributes": {
            "POSITION": glb.add_array(positions, bounds=True, target=VERTEX_DATA),
            "NORMAL": glb.add_array(directions.astype(np.float32), target=VERTEX_DATA),
            "TEXCOORD_0": glb.add_array(uv, target=VERTEX_DATA),
        },
        "indices": glb.add_array(triangles.ravel(), target=INDEX_DATA),
        "material": _material(glb, "Eye", eyes.texture, lit=lit),
    }
    return glb.append("meshes", {"name": "Eyeball", "primitives": [primitive]})


def _on_one_pole(triangle: NDArray[Any], rings: int, sectors: int) -> bool:
    """Tell a triangle that has two corners on the same pole, and so no area."""
    row = triangle // sectors
    return bool((row == 0).sum() > 1 or (row == rings - 1).sum() > 1)


def _add_head_motion(glb: Glb, nodes: _Nodes, rows: MotionRows) -> None:
    data = rows.rows
    place = nodes.head_rest + data["head_translation"] * METRES_PER_UNIT
    times = glb.add_array(rows.times, bounds=True)
    outputs = [
        (nodes.face, "weights", glb.add_array(data["expression"], flat=True)),
        (nodes.head, "rotation", glb.add_array(quaternion_rows(data["head_rotation"]))),
        (nodes.head, "translation", glb.add_array(place.astype(np.float32))),
    ]
    for side, node in enumerate(nodes.eyes):
        angles = np.zeros((len(data), 3), np.float32)
        angles[:, :2] = data["gaze"][:, side]
        outputs.append((node, "rotation", glb.add_array(quaternion_rows(angles))))
    add_animation(glb, times, outputs)


def quaternion_rows(angles: NDArray[Any]) -> Float32Array:
    """(N, 3) yaw, pitch, roll to (N, 4) float32 x, y, z, w."""
    return quaternions_from_angles(angles).astype(np.float32)


def add_animation(glb: Glb, times: int, outputs: list[tuple[int, str, int]]) -> None:
    """Append one animation.

    Args:
        glb: the document.
        times: accessor of the keyframe times.
        outputs: (node, path, accessor of values) of each channel.
    """
    samplers = [
        {"input": times, "output": accessor, "interpolation": "LINEAR"}
        for _, _, accessor in outputs
    ]
    channels = [
        {"sampler": i, "target": {"node": node, "path": path}}
        for i, (node, path, _) in enumerate(outputs)
    ]
    glb.append("animations", {"name": ANIMATION_NAME, "channels": channels, "samplers": samplers})
