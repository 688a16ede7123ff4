"""Unity animation clips (.anim): YAML of an AnimationClip with float and editor curves.

Facts, read in clips that Unity wrote: the hash of a path and of an attribute is CRC-32 (the blend
shape's name without "blendShape."), typeID 137 is SkinnedMeshRenderer, customType 20 a blend shape;
class 4 is Transform, whose attribute 2 is the local rotation.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import quaternions_from_angles, unity_quaternion
from avatar_service.export.frames import MotionRows, output_file, spooled
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

SKINNED_MESH_RENDERER: Final = 137
TRANSFORM: Final = 4
_BLEND_SHAPE_BINDING: Final = 20
_LOCAL_ROTATION: Final = 2


@dataclass(frozen=True, slots=True)
class UnityOptions:
    """How a clip binds to the user's model.

    Attributes:
        mesh_path: transform path of the SkinnedMeshRenderer below the Animator; "" is the Animator.
        scale: 100 for meshes from FBX, 1 for those from glTF importers.
        head_path: transform path of the head, or None to leave it alone.
        left_eye_path: of the left eye, or None: then the eyeLook* curves carry the gaze.
        right_eye_path: of the right eye.
        prefix: what stands before the names of the shapes, as FBX from Maya has it.
    """

    mesh_path: str = "Body"
    scale: float = 100.0
    head_path: str | None = None
    left_eye_path: str | None = None
    right_eye_path: str | None = None
    prefix: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise AvatarError(
                Reason.INVALID_FIELD, f"unity scale {self.scale}: 1 or 100", field="unity_scale"
            )
        for text in (self.mesh_path, self.head_path, self.left_eye_path, self.right_eye_path):
            if text is not None and not all(c.isprintable() for c in text):
                raise AvatarError(
                    Reason.INVALID_FIELD, f"unity path {text!r}: printable text", field="unity_path"
                )


def write(
    path: Path, frames: Iterable[MotionFrame], fps: Fraction, options: UnityOptions | None = None
) -> int:
    """Write a clip; returns the number of keyframes."""
    options = options or UnityOptions()
    with spooled(frames, fps) as rows, output_file(path, "w") as file:
        _write_clip(file, path.stem, rows, options)
        return len(rows)


def crc32(text: str) -> int:
    """Unity's hash of a path or an attribute."""
    return zlib.crc32(text.encode())


def _quoted(text: str) -> str:
    """A YAML scalar: plain where that is safe, else double-quoted."""
    if text and all(c.isalnum() or c in "/_-." for c in text) and text[0].isalpha():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if text else ""


def _write_clip(file: IO[str], name: str, rows: MotionRows, options: UnityOptions) -> None:
    rotations = [(p, q) for p, q in _rotations(rows, options) if p is not None]
    shapes = [(f"{options.prefix}{n}", i) for i, n in enumerate(EXPRESSION_NAMES)]
    if options.left_eye_path is not None and options.right_eye_path is not None:
        # Gaze has one carrier: eye bones, so the eyeLook* curves stay away.
        shapes = [(n, i) for n, i in shapes if not EXPRESSION_NAMES[i].startswith("eyeLook")]
    file.write("%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n--- !u!74 &7400000\nAnimationClip:\n")
    file.write("  m_ObjectHideFlags: 0\n")
    for field in ("m_CorrespondingSourceObject", "m_PrefabInstance", "m_PrefabAsset"):
        file.write(f"  {field}: {{fileID: 0}}\n")
    file.write(f"  m_Name: {_quoted(name)}\n  serializedVersion: 6\n  m_Legacy: 0\n")
    file.write("  m_Compressed: 0\n  m_UseHighQualityCurve: 1\n")
    _section(file, "m_RotationCurves", (_rotation_curve(rows, p, q) for p, q in rotations))
    for field in ("m_CompressedRotationCurves", "m_EulerCurves", "m_PositionCurves"):
        file.write(f"  {field}: []\n")
    file.write("  m_ScaleCurves: []\n")
    _section(file, "m_FloatCurves", _float_curves(rows, shapes, options))
    file.write(f"  m_PPtrCurves: []\n  m_SampleRate: {float(rows.fps):g}\n  m_WrapMode: 0\n")
    file.write("  m_Bounds:\n    m_Center: {x: 0, y: 0, z: 0}\n    m_Extent: {x: 0, y: 0, z: 0}\n")
    _write_bindings(file, shapes, [p for p, _ in rotations], options)
    _write_settings(file, float(rows.times[-1]))
    editor = (
        curve
        for part in (_float_curves(rows, shapes, options), _editor_rotations(rows, rotations))
        for curve in part
    )
    _section(file, "m_EditorCurves", editor)
    file.write("  m_EulerEditorCurves: []\n  m_HasGenericRootTransform: 0\n")
    file.write("  m_HasMotionFloatCurves: 0\n  m_Events: []\n")


def _section(file: IO[str], name: str, curves: Iterator[Iterator[str]]) -> None:
    first = next(curves, None)
    if first is None:
        file.write(f"  {name}: []\n")
        return
    file.write(f"  {name}:\n")
    file.writelines(first)
    for curve in curves:
        file.writelines(curve)


def _float_curves(
    rows: MotionRows, shapes: list[tuple[str, int]], options: UnityOptions
) -> Iterator[Iterator[str]]:
    for name, index in shapes:
        values = rows.rows["expression"][:, index] * np.float32(options.scale)
        yield _float_curve(
            rows, values, f"blendShape.{name}", options.mesh_path, SKINNED_MESH_RENDERER
        )


def _float_curve(
    rows: MotionRows, values: NDArray[np.floating], attribute: str, path: str, class_id: int
) -> Iterator[str]:
    yield "  - curve:\n      serializedVersion: 2\n      m_Curve:\n"
    times = rows.times.astype(np.float64)
    # Tangents of straight lines; tangentMode 69 is "both linear", as the editor sets it.
    slopes = np.diff(values.astype(np.float64)) / np.diff(times) if len(times) > 1 else np.zeros(0)
    into, out = np.concatenate([[0.0], slopes]), np.concatenate([slopes, [0.0]])
    for time, value, slope_in, slope_out in zip(times, values, into, out, strict=True):
        yield (
            f"      - serializedVersion: 3\n        time: {time:.7g}\n        value: {value:.7g}\n"
            f"        inSlope: {slope_in:.7g}\n        outSlope: {slope_out:.7g}\n"
            "        tangentMode: 69\n        weightedMode: 0\n"
            "        inWeight: 0.33333334\n        outWeight: 0.33333334\n"
        )
    yield "      m_PreInfinity: 2\n      m_PostInfinity: 2\n      m_RotationOrder: 4\n"
    yield f"    attribute: {_quoted(attribute)}\n    path: {_quoted(path)}\n"
    yield f"    classID: {class_id}\n    script: {{fileID: 0}}\n"


def _rotations(
    rows: MotionRows, options: UnityOptions
) -> Iterator[tuple[str | None, NDArray[np.float64]]]:
    """(path, (N, 4) x, y, z, w in Unity's axes) of each transform that may turn."""
    data = rows.rows
    yield options.head_path, unity_quaternion(quaternions_from_angles(data["head_rotation"]))
    for side, path in enumerate((options.left_eye_path, options.right_eye_path)):
        angles = np.zeros((len(rows), 3))
        angles[:, :2] = data["gaze"][:, side]
        yield path, unity_quaternion(quaternions_from_angles(angles))


def _xyzw(values: NDArray[np.float64]) -> str:
    return "{" + ", ".join(f"{n}: {v:.7g}" for n, v in zip("xyzw", values, strict=True)) + "}"


def _rotation_curve(rows: MotionRows, path: str, turns: NDArray[np.float64]) -> Iterator[str]:
    yield "  - curve:\n      serializedVersion: 2\n      m_Curve:\n"
    times = rows.times.astype(np.float64)
    flat = np.zeros((1, 4))
    slopes = np.diff(turns, axis=0) / np.diff(times)[:, None] if len(times) > 1 else flat[:0]
    into, out = np.concatenate([flat, slopes]), np.concatenate([slopes, flat])
    third = _xyzw(np.full(4, 1 / 3))
    for time, value, slope_in, slope_out in zip(times, turns, into, out, strict=True):
        yield (
            f"      - serializedVersion: 3\n        time: {time:.7g}\n"
            f"        value: {_xyzw(value)}\n        inSlope: {_xyzw(slope_in)}\n"
            f"        outSlope: {_xyzw(slope_out)}\n        tangentMode: 0\n"
            f"        weightedMode: 0\n        inWeight: {third}\n        outWeight: {third}\n"
        )
    yield "      m_PreInfinity: 2\n      m_PostInfinity: 2\n      m_RotationOrder: 4\n"
    yield f"    path: {_quoted(path)}\n"


def _editor_rotations(
    rows: MotionRows, rotations: list[tuple[str, NDArray[np.float64]]]
) -> Iterator[Iterator[str]]:
    for path, turns in rotations:
        for axis, name in enumerate("xyzw"):
            yield _float_curve(rows, turns[:, axis], f"m_LocalRotation.{name}", path, TRANSFORM)


def _write_bindings(
    file: IO[str], shapes: list[tuple[str, int]], turning: list[str], options: UnityOptions
) -> None:
    file.write("  m_ClipBindingConstant:\n    genericBindings:\n")
    bindings = [(path, _LOCAL_ROTATION, TRANSFORM, 0) for path in turning]
    bindings += [
        (options.mesh_path, crc32(name), SKINNED_MESH_RENDERER, _BLEND_SHAPE_BINDING)
        for name, _ in shapes
    ]
    for path, attribute, type_id, custom in bindings:
        file.write(
            f"    - serializedVersion: 2\n      path: {crc32(path)}\n      attribute: {attribute}\n"
            f"      script: {{fileID: 0}}\n      typeID: {type_id}\n      customType: {custom}\n"
            "      isPPtrCurve: 0\n"
        )
    file.write("    pptrCurveMapping: []\n")


def _write_settings(file: IO[str], stop_secs: float) -> None:
    file.write("  m_AnimationClipSettings:\n    serializedVersion: 2\n")
    file.write("    m_AdditiveReferencePoseClip: {fileID: 0}\n    m_AdditiveReferencePoseTime: 0\n")
    file.write(f"    m_StartTime: 0\n    m_StopTime: {stop_secs:.7g}\n")
    zeros = (
        "OrientationOffsetY Level CycleOffset HasAdditiveReferencePose LoopTime LoopBlend "
        "LoopBlendOrientation LoopBlendPositionY LoopBlendPositionXZ KeepOriginalOrientation"
    )
    for name in zeros.split():
        file.write(f"    m_{name}: 0\n")
    file.write("    m_KeepOriginalPositionY: 1\n    m_KeepOriginalPositionXZ: 0\n")
    file.write("    m_HeightFromFeet: 0\n    m_Mirror: 0\n")
