"""A small VRM model of either version, typed in from its specification."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

# Bones that VRM requires, and the eyes: name -> (parent, offset in metres).
_BONES: dict[str, tuple[str | None, list[float]]] = {
    "hips": (None, [0, 1, 0]),
    "spine": ("hips", [0, 0.1, 0]),
    "chest": ("spine", [0, 0.1, 0]),
    "neck": ("chest", [0, 0.2, 0]),
    "head": ("neck", [0, 0.1, 0]),
    **{
        f"{side}{bone}": (parent if parent in ("head", "chest", "hips") else side + parent, offset)
        for side, x in (("left", 1), ("right", -1))
        for bone, parent, offset in (
            ("Eye", "head", [0.03 * x, 0.06, 0.02]),
            ("UpperArm", "chest", [0.15 * x, 0.1, 0]),
            ("LowerArm", "UpperArm", [0.25 * x, 0, 0]),
            ("Hand", "LowerArm", [0.25 * x, 0, 0]),
            ("UpperLeg", "hips", [0.1 * x, 0, 0]),
            ("LowerLeg", "UpperLeg", [0, -0.4, 0]),
            ("Foot", "LowerLeg", [0, -0.4, 0]),
        )
    },
}  # fmt: skip


def write_model(
    path: Path, version: Literal["0", "1"], expressions: Mapping[str, str | None]
) -> None:
    """Write a face of one triangle whose morph targets are each bound to one expression.

    Args:
        path: the .vrm.
        version: of VRM; a model of version 0 faces -z.
        expressions: the name of each expression, also that of its morph target -> its preset; None
            for one of the model's own.
    """
    facing = 1 if version == "1" else -1
    nodes: list[dict[str, Any]] = []
    place: dict[str, int] = {}
    for name, (parent, (x, y, z)) in _BONES.items():
        place[name] = len(nodes)
        # An underscore: the runtime must go by the extension's bones and not by the nodes' names.
        nodes.append({"name": f"J_{name}", "translation": [x * facing, y, z * facing]})
        if parent is not None:
            nodes[place[parent]].setdefault("children", []).append(place[name])
    face = len(nodes)
    nodes.append({"name": "Face", "mesh": 0})
    triangle = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)
    targets = [{"POSITION": 0}] * len(expressions)
    extension, content = (
        ("VRMC_vrm", _version_1(place, face, expressions))
        if version == "1"
        else ("VRM", _version_0(place, expressions))
    )
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [place["hips"], face]}],
        "nodes": nodes,
        "meshes": [
            {
                "primitives": [{"attributes": {"POSITION": 0}, "targets": targets}],
                "extras": {"targetNames": list(expressions)},
            }
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": 3,
                "type": "VEC3",
                "min": [0, 0, 0],
                "max": [1, 1, 0],
            }
        ],
        "bufferViews": [{"buffer": 0, "byteLength": len(triangle)}],
        "buffers": [{"byteLength": len(triangle)}],
        "extensionsUsed": [extension],
        "extensions": {extension: content},
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    path.write_bytes(
        struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(triangle))
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(triangle), b"BIN\0")
        + triangle
    )


def _version_1(
    place: Mapping[str, int], face: int, expressions: Mapping[str, str | None]
) -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {"preset": {}, "custom": {}}
    for index, (name, preset) in enumerate(expressions.items()):
        bind = {"morphTargetBinds": [{"node": face, "index": index, "weight": 1.0}]}
        groups["custom" if preset is None else "preset"][preset or name] = bind
    # Eyes turn as far as they are told to.
    eyes = {"inputMaxValue": 90.0, "outputScale": 90.0}
    return {
        "specVersion": "1.0",
        "meta": {
            "name": "test",
            "authors": ["test"],
            "licenseUrl": "https://vrm.dev/licenses/1.0/",
        },
        "humanoid": {"humanBones": {name: {"node": node} for name, node in place.items()}},
        "expressions": groups,
        "lookAt": {
            "type": "bone",
            "offsetFromHeadBone": [0.0, 0.06, 0.0],
            "rangeMapHorizontalInner": eyes,
            "rangeMapHorizontalOuter": eyes,
            "rangeMapVerticalDown": eyes,
            "rangeMapVerticalUp": eyes,
        },
    }


def _version_0(place: Mapping[str, int], expressions: Mapping[str, str | None]) -> dict[str, Any]:
    eyes = {"curve": [0, 0, 0, 1, 1, 1, 1, 0], "xRange": 90, "yRange": 90}
    return {
        "specVersion": "0.0",
        "meta": {"title": "test"},
        "humanoid": {"humanBones": [{"bone": name, "node": n} for name, n in place.items()]},
        "blendShapeMaster": {
            "blendShapeGroups": [
                {
                    "name": name,
                    "presetName": preset or "unknown",
                    "binds": [{"mesh": 0, "index": index, "weight": 100}],
                }
                for index, (name, preset) in enumerate(expressions.items())
            ]
        },
        "firstPerson": {
            "firstPersonBone": place["head"],
            "lookAtTypeName": "Bone",
            "lookAtHorizontalInner": eyes,
            "lookAtHorizontalOuter": eyes,
            "lookAtVerticalDown": eyes,
            "lookAtVerticalUp": eyes,
        },
    }
