"""glTF and GLB animations of morph weights, back into motion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import (
    METRES_PER_UNIT,
    angles_from_quaternions,
    expression_index,
    gaze_from_look,
)
from avatar_service.export.glb import (
    Glb,
    Json,
    read_accessor,
    read_glb,
    read_numbers,
    read_rest_rotation,
)
from avatar_service.export.gltf_into import EYE_NAMES, HEAD_NAMES, folded_name, target_names
from avatar_service.schema import EXPRESSION_MAX, NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame

_NANOS: Final = 1_000_000_000
_MAX_SECONDS: Final = 86_400.0


def read(path: Path) -> Iterator[MotionFrame]:
    """Read the first animation that moves named morph targets; time 0 is glTF's time 0.

    Rotations of nodes named as head and eyes are taken relative to the nodes' rest. Keyframes are
    those of the weights; other curves are interpolated linearly at their times.

    Raises:
        AvatarError: INVALID_FILE in one line.
    """
    glb = read_glb(path)
    for animation in glb.json.get("animations", []):
        channels = _channels(path.name, glb, animation)
        weights = [c for c in channels if c[1] == "weights"]
        tracks = [_weights(path.name, glb, node, times, v) for node, _, times, v in weights]
        named = [track for track in tracks if track is not None]
        if named:
            yield from _frames(path.name, glb, named, channels)
            return
    raise AvatarError(
        Reason.INVALID_FILE,
        f"{path.name}: it has no animation of morph targets named as ARKit coefficients",
        field="motion",
    )


_Channel = tuple[int, str, NDArray[np.float64], NDArray[np.float64]]


def _bad(name: str, what: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FILE, f"{name}: {what}", field="motion")


def _channels(name: str, glb: Glb, animation: Json) -> list[_Channel]:
    """(node, path, times (K,), values (K * m, width)) of each channel that has a node."""
    samplers = animation.get("samplers")
    found = []
    for channel in _objects(animation.get("channels")):
        target = channel.get("target")
        target = target if isinstance(target, dict) else {}
        node, path, index = target.get("node"), target.get("path"), channel.get("sampler")
        if not isinstance(node, int) or path not in ("weights", "rotation", "translation"):
            continue
        if not 0 <= node < len(glb.json.get("nodes", [])):
            raise _bad(name, f"an animation names node {node}, which does not exist")
        if not isinstance(samplers, list) or not isinstance(index, int):
            raise _bad(name, "an animation has no samplers")
        if not 0 <= index < len(samplers) or not isinstance(samplers[index], dict):
            raise _bad(name, f"an animation names sampler {index}, which does not exist")
        sampler = samplers[index]
        times = read_accessor(name, glb, sampler.get("input"))[:, 0]
        values = read_accessor(name, glb, sampler.get("output"))
        if times[0] < 0 or times[-1] > _MAX_SECONDS or (np.diff(times) <= 0).any():
            raise _bad(name, "the times of an animation do not increase within 0 to 24 hours")
        if sampler.get("interpolation") == "CUBICSPLINE":
            values = _without_tangents(name, values, len(times))
        if len(values) % len(times):
            raise _bad(name, "an animation has not one value per keyframe")
        found.append((node, str(path), times, values))
    return found


def _objects(items: Any) -> list[Json]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _without_tangents(name: str, values: NDArray[np.float64], keys: int) -> NDArray[np.float64]:
    """Keep the values of a cubic spline: per keyframe come in-tangents, values, out-tangents."""
    if len(values) % (3 * keys):
        raise _bad(name, "a cubic spline has not three values per keyframe")
    return values.reshape(keys, 3, -1, values.shape[1])[:, 1].reshape(-1, values.shape[1])


def _weights(
    name: str, glb: Glb, node: int, times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int | None]] | None:
    """Times, weights (K, targets) and coefficient per target; None where nothing is known."""
    mesh = glb.json["nodes"][node].get("mesh")
    meshes = glb.json.get("meshes", [])
    if not isinstance(mesh, int) or not 0 <= mesh < len(meshes):
        raise _bad(name, f"node {node} is animated by weights but shows no mesh")
    names = target_names(name, mesh, meshes[mesh])
    columns = [expression_index(n) for n in names]
    if not any(c is not None for c in columns):
        return None
    if values.size != len(times) * len(names):
        raise _bad(
            name, f"mesh {mesh} has {len(names)} morph targets, its animation another number"
        )
    return times, values.reshape(len(times), len(names)), columns


def _frames(
    name: str,
    glb: Glb,
    tracks: list[tuple[NDArray[np.float64], NDArray[np.float64], list[int | None]]],
    channels: list[_Channel],
) -> Iterator[MotionFrame]:
    times = max((track[0] for track in tracks), key=len)
    expression = np.zeros((len(times), NUM_EXPRESSIONS), np.float32)
    done: set[int] = set()
    for own_times, weights, columns in tracks:
        for target, index in enumerate(columns):
            if index is not None and index not in done:
                expression[:, index] = np.interp(times, own_times, weights[:, target])
        done.update(c for c in columns if c is not None)
    expression = expression.clip(0, EXPRESSION_MAX)
    head = np.zeros((len(times), 3), np.float32)
    place = np.zeros((len(times), 3), np.float32)
    eyes: list[NDArray[np.float32] | None] = [None, None]
    for number, path, own_times, values in channels:
        node = glb.json["nodes"][number]
        folded = folded_name(node)
        if path == "rotation" and values.shape == (len(own_times), 4):
            if folded in HEAD_NAMES:
                head = _angles(name, node, times, own_times, values)
            for side in range(2):
                if folded in EYE_NAMES[side]:
                    eyes[side] = _angles(name, node, times, own_times, values)[:, :2]
        if path == "translation" and folded in HEAD_NAMES and values.shape == (len(own_times), 3):
            rest = read_numbers(name, node, "translation", [0.0, 0.0, 0.0])
            moved = (values - rest) / METRES_PER_UNIT
            place = np.stack([np.interp(times, own_times, axis) for axis in moved.T], -1).astype(
                np.float32
            )
    for k, seconds in enumerate(times):
        gaze = gaze_from_look(expression[k])
        for side, turned in enumerate(eyes):
            if turned is not None:
                gaze[side] = turned[k]
        yield MotionFrame(
            pts_nanos=round(float(seconds) * _NANOS),
            seq=k,
            expression=expression[k],
            head_rotation=head[k],
            head_translation=place[k],
            gaze=gaze,
        )


def _angles(
    name: str,
    node: Json,
    times: NDArray[np.float64],
    own_times: NDArray[np.float64],
    values: NDArray[np.float64],
) -> NDArray[np.float32]:
    """(K, 3) yaw, pitch, roll relative to the node's rest: turn = q * rest^-1."""
    rest = read_rest_rotation(name, node)
    a, b, c, d = -rest[0], -rest[1], -rest[2], rest[3]
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if (lengths < 1e-6).any():
        raise _bad(name, "a rotation is the zero quaternion")
    x, y, z, w = (values / lengths).T
    turned = np.stack(
        [
            w * a + x * d + y * c - z * b,
            w * b - x * c + y * d + z * a,
            w * c + x * b - y * a + z * d,
            w * d - x * a - y * b - z * c,
        ],
        axis=-1,
    )
    angles = np.unwrap(angles_from_quaternions(turned), axis=0)
    return np.stack([np.interp(times, own_times, axis) for axis in angles.T], -1).astype(np.float32)
