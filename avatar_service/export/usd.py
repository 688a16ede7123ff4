"""OpenUSD: a head with blend shapes and a skeleton, animated (UsdSkel): .usda text, .usdc packed.

Source: UsdSkel schemas of OpenUSD. Metres, y up, one time code per frame from time code 0. The text
is written here, piece by piece; the packed form needs the library (`usd-core`), which converts it.
Colours travel as displayColor per vertex, so that one file is complete.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import METRES_PER_UNIT, quaternions_from_angles
from avatar_service.export.frames import MotionRows, output_file, spooled
from avatar_service.export.head_mesh import EyeBalls, HeadMesh
from avatar_service.export.neutral_head import neutral_head
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

_JOINTS: Final = ("Root", "Root/Head", "Root/Head/LeftEye", "Root/Head/RightEye")
_HEAD_JOINT, _FIRST_EYE_JOINT = 1, 2
_MIN_OFFSET_METRES: Final = 1e-6


def write(
    path: Path, frames: Iterable[MotionFrame], fps: Fraction, *, head: HeadMesh | None = None
) -> int:
    """Write .usda or .usdc, by the output's suffix; returns the number of time samples.

    Raises:
        AvatarError: DEVICE_NOT_AVAILABLE for .usdc without usd-core.
    """
    packed = path.suffix.lower() in (".usdc", ".usd")
    layers = _usd_library() if packed else None
    with spooled(frames, fps) as rows:
        if layers is None:
            with output_file(path, "w") as file:
                _write_stage(file, rows, head or neutral_head())
            return len(rows)
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "stage.usda"
            with text.open("w", encoding="utf-8", newline="\n") as file:
                _write_stage(file, rows, head or neutral_head())
            layer = layers.FindOrOpen(str(text))
            binary = Path(folder) / "stage.usdc"
            if layer is None or not layer.Export(str(binary)):
                raise RuntimeError("usd-core did not accept the stage")
            with output_file(path) as out, binary.open("rb") as source:
                while piece := source.read(1 << 20):
                    out.write(piece)
        return len(rows)


def _usd_library() -> Any:
    try:
        return importlib.import_module("pxr.Sdf").Layer
    except ImportError:
        raise AvatarError(
            Reason.DEVICE_NOT_AVAILABLE,
            "packed USD needs the library: pip install usd-core; .usda needs nothing",
            field="out",
        ) from None


def _write_stage(file: IO[str], rows: MotionRows, head: HeadMesh) -> None:
    fps = float(rows.fps)
    file.write(
        '#usda 1.0\n(\n    defaultPrim = "Avatar"\n    metersPerUnit = 1\n    upAxis = "Y"\n'
        f"    timeCodesPerSecond = {fps:.9g}\n    framesPerSecond = {fps:.9g}\n"
        f"    startTimeCode = 0\n    endTimeCode = {len(rows) - 1}\n)\n\n"
        'def SkelRoot "Avatar" (\n    prepend apiSchemas = ["SkelBindingAPI"]\n)\n{\n'
    )
    rest = _joint_rest(head)
    file.writelines(_skeleton(rest))
    file.writelines(_animation(rows, rest))
    file.writelines(_face(head))
    if head.eyes is not None:
        for side, name in enumerate(("LeftEyeball", "RightEyeball")):
            file.writelines(_eyeball(head.eyes, side, name))
    file.write("}\n")


def _joint_rest(head: HeadMesh) -> NDArray[np.float64]:
    """(4, 3) rest translation of each joint in its parent, metres."""
    rest = np.zeros((4, 3))
    rest[_HEAD_JOINT] = head.pivot
    if head.eyes is not None:
        rest[_FIRST_EYE_JOINT:] = head.eyes.centers - head.pivot
    return rest * METRES_PER_UNIT


def _matrix(place: NDArray[np.float64]) -> str:
    x, y, z = place
    return f"((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), ({x:.7g}, {y:.7g}, {z:.7g}, 1))"


def _tokens(names: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _skeleton(rest: NDArray[np.float64]) -> Iterator[str]:
    world = rest.copy()
    world[_FIRST_EYE_JOINT:] += rest[_HEAD_JOINT]
    yield '    def Skeleton "Skeleton" (\n        prepend apiSchemas = ["SkelBindingAPI"]\n    )\n'
    yield f"    {{\n        uniform token[] joints = {_tokens(_JOINTS)}\n"
    yield f"        uniform matrix4d[] bindTransforms = [{', '.join(map(_matrix, world))}]\n"
    yield f"        uniform matrix4d[] restTransforms = [{', '.join(map(_matrix, rest))}]\n"
    yield "        rel skel:animationSource = </Avatar/Motion>\n    }\n\n"


def _animation(rows: MotionRows, rest: NDArray[np.float64]) -> Iterator[str]:
    data = rows.rows
    yield '    def SkelAnimation "Motion"\n    {\n'
    yield f"        uniform token[] blendShapes = {_tokens(EXPRESSION_NAMES)}\n"
    yield "        float[] blendShapeWeights.timeSamples = {\n"
    for k, weights in enumerate(data["expression"]):
        yield f"            {k}: [{', '.join(f'{w:.6g}' for w in weights.tolist())}],\n"
    yield f"        }}\n        uniform token[] joints = {_tokens(_JOINTS)}\n"
    yield "        quatf[] rotations.timeSamples = {\n"
    turns = np.zeros((len(rows), 3, 3))
    turns[:, 0] = data["head_rotation"]
    turns[:, 1:, :2] = data["gaze"]
    quaternions = quaternions_from_angles(turns.reshape(-1, 3)).reshape(-1, 3, 4)
    for k, joints in enumerate(quaternions):
        parts = ", ".join(f"({w:.7g}, {x:.7g}, {y:.7g}, {z:.7g})" for x, y, z, w in joints)
        yield f"            {k}: [(1, 0, 0, 0), {parts}],\n"
    yield "        }\n        float3[] translations.timeSamples = {\n"
    eyes = ", ".join(_vector(place) for place in rest[_FIRST_EYE_JOINT:])
    for k, moved in enumerate(data["head_translation"]):
        place = rest[_HEAD_JOINT] + moved * METRES_PER_UNIT
        yield f"            {k}: [(0, 0, 0), {_vector(place)}, {eyes}],\n"
    yield "        }\n        half3[] scales = [(1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)]\n"
    yield "    }\n\n"


def _vector(values: NDArray[np.floating]) -> str:
    return "(" + ", ".join(f"{v:.7g}" for v in values) + ")"


def _vectors(rows: NDArray[np.floating]) -> str:
    return "[" + ", ".join(_vector(row) for row in rows) + "]"


def _mesh(
    points: NDArray[np.floating],
    triangles: NDArray[np.integer],
    colors: NDArray[np.floating],
    joints: NDArray[np.integer],
    weights: NDArray[np.floating],
) -> Iterator[str]:
    """What face and eyeballs have in common: geometry, colour, binding; (V, 2) joints, weights."""
    low, high = points.min(axis=0), points.max(axis=0)
    yield f"        float3[] extent = [{_vector(low)}, {_vector(high)}]\n"
    yield f"        point3f[] points = {_vectors(points)}\n"
    yield f"        int[] faceVertexCounts = [{', '.join(['3'] * len(triangles))}]\n"
    yield f"        int[] faceVertexIndices = [{', '.join(map(str, triangles.ravel()))}]\n"
    yield '        uniform token subdivisionScheme = "none"\n        uniform bool doubleSided = 1\n'
    yield f"        color3f[] primvars:displayColor = {_vectors(colors)} (\n"
    yield '            interpolation = "vertex"\n        )\n'
    meta = ' (\n            elementSize = 2\n            interpolation = "vertex"\n        )\n'
    indices = ", ".join(map(str, joints.ravel()))
    yield f"        int[] primvars:skel:jointIndices = [{indices}]{meta}"
    listed = ", ".join(f"{w:.6g}" for w in weights.ravel())
    yield f"        float[] primvars:skel:jointWeights = [{listed}]{meta}"
    yield "        rel skel:skeleton = </Avatar/Skeleton>\n"


_MESH_HEAD: Final = (
    '    def Mesh "{name}" (\n        prepend apiSchemas = ["SkelBindingAPI"]\n    )\n    {{\n'
)


def _face(head: HeadMesh) -> Iterator[str]:
    count = len(head.vertices)
    head_weight = np.ones(count) if head.head_weight is None else head.head_weight
    joints = np.tile([0, _HEAD_JOINT], (count, 1))
    weights = np.stack([1 - head_weight, head_weight], axis=-1).astype(np.float64)
    yield _MESH_HEAD.format(name="Face")
    yield from _mesh(
        head.vertices * METRES_PER_UNIT,
        head.triangles,
        _sampled(head.texture, head.uv),
        joints,
        weights,
    )
    yield f"        uniform token[] skel:blendShapes = {_tokens(EXPRESSION_NAMES)}\n"
    targets = ", ".join(f"</Avatar/Face/{name}>" for name in EXPRESSION_NAMES)
    yield f"        rel skel:blendShapeTargets = [{targets}]\n"
    for name, delta in zip(EXPRESSION_NAMES, head.deltas * METRES_PER_UNIT, strict=True):
        moving = np.flatnonzero(np.abs(delta).max(axis=1) > _MIN_OFFSET_METRES)
        yield f'\n        def BlendShape "{name}"\n        {{\n'
        yield f"            uniform vector3f[] offsets = {_vectors(delta[moving])}\n"
        yield f"            uniform int[] pointIndices = [{', '.join(map(str, moving))}]\n"
        yield "        }\n"
    yield "    }\n\n"


def _eyeball(eyes: EyeBalls, side: int, name: str) -> Iterator[str]:
    rings, sectors = 16, 24
    polar = np.linspace(0, np.pi, rings)[1:-1, None]
    around = np.linspace(0, 2 * np.pi, sectors, endpoint=False)[None, :]
    ring = np.stack(
        [
            np.sin(polar) * np.cos(around),
            np.sin(polar) * np.sin(around),
            np.cos(polar) * np.ones_like(around),
        ],
        axis=-1,
    ).reshape(-1, 3)
    directions = np.concatenate([[[0, 0, 1]], ring, [[0, 0, -1]]])
    triangles = [[0, 1 + j, 1 + (j + 1) % sectors] for j in range(sectors)]
    for i in range(rings - 3):
        for j in range(sectors):
            a, b = 1 + i * sectors + j, 1 + i * sectors + (j + 1) % sectors
            triangles += [[a, a + sectors, b + sectors], [a, b + sectors, b]]
    last = len(directions) - 1
    triangles += [[last, last - 1 - j, last - 1 - (j + 1) % sectors] for j in range(sectors)]
    count = len(directions)
    points = (directions * eyes.radius + eyes.centers[side]) * METRES_PER_UNIT
    joints = np.tile([_FIRST_EYE_JOINT + side, 0], (count, 1))
    colors = _sampled(eyes.texture, (directions[:, :2] * [0.5, -0.5] + 0.5).astype(np.float32))
    yield _MESH_HEAD.format(name=name)
    yield from _mesh(points, np.array(triangles), colors, joints, np.tile([1.0, 0.0], (count, 1)))
    yield "    }\n\n"


def _sampled(image: bytes, uv: NDArray[np.floating]) -> NDArray[np.float64]:
    """(V, 3) linear RGB of a texture at uv, (0, 0) its upper left corner."""
    bgr = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise AvatarError(Reason.INVALID_FIELD, "head mesh: the texture cannot be decoded")
    height, width = bgr.shape[:2]
    x = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    y = np.clip((uv[:, 1] * height).astype(int), 0, height - 1)
    encoded = bgr[y, x, ::-1] / 255.0
    # sRGB decoding, IEC 61966-2-1.
    linear: NDArray[np.float64] = np.where(
        encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4
    )
    return linear.round(4)
