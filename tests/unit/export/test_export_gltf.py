from __future__ import annotations

import base64
import contextlib
import json
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_facts import distinct_pose
from export_peers import PlainGlb, khronos_report

from avatar_service.errors import AvatarError, Reason
from avatar_service.export import gltf, gltf_into, gltf_read, vrma
from avatar_service.export.conventions import NameSet, pascal_case
from avatar_service.export.head_mesh import HeadMesh
from avatar_service.export.neutral_head import neutral_head
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

FPS = Fraction(30)
Track = Callable[..., Iterator[MotionFrame]]


def turn(quaternion: np.ndarray, vector: list[float]) -> np.ndarray:
    """Rotate a vector by a quaternion x, y, z, w."""
    axis, w = quaternion[:3], quaternion[3]
    v = np.array(vector)
    return v + 2 * np.cross(axis, np.cross(axis, v) + w * v)


def test_validator_finds_nothing(tmp_path: Path, track: Track) -> None:
    path = tmp_path / "head.glb"
    gltf.write(path, track(10), FPS)
    issues = khronos_report(path)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_every_channel_of_the_pose_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "head.glb"
    pose = distinct_pose()
    gltf.write(path, [pose, distinct_pose(33_333_333, 1, 0.5)], FPS)
    glb = PlainGlb(path)
    (face,) = [m for m in glb.json["meshes"] if m["name"] == "Face"]
    assert face["extras"]["targetNames"] == list(EXPRESSION_NAMES)
    assert len(face["primitives"][0]["targets"]) == 52
    times, weights = glb.curve("Face", "weights")
    np.testing.assert_allclose(times, [0, 1 / 30], atol=1e-6)
    np.testing.assert_array_equal(weights[:52], pose.expression)
    _, head = glb.curve("Head", "rotation")
    # yaw .31 first turns the nose to +X, pitch -.17 raises it.
    nose = turn(head[:4], [0, 0, 1])
    np.testing.assert_allclose(nose[0] / nose[2], np.tan(0.31), atol=1e-6)
    np.testing.assert_allclose(nose[1], np.sin(0.17), atol=1e-6)
    for side, name in enumerate(("LeftEye", "RightEye")):
        _, eye = glb.curve(name, "rotation")
        gaze = turn(eye[:4], [0, 0, 1])
        yaw, pitch = pose.gaze[side]
        np.testing.assert_allclose(gaze[0] / gaze[2], np.tan(yaw), atol=1e-6)
        np.testing.assert_allclose(gaze[1], -np.sin(pitch), atol=1e-6)
    _, place = glb.curve("Head", "translation")
    rest = next(n["translation"] for n in glb.json["nodes"] if n["name"] == "Head")
    np.testing.assert_allclose(place[:3] - rest, pose.head_translation * 0.09, atol=1e-7)


def test_round_trip(tmp_path: Path, track: Track) -> None:
    path = tmp_path / "head.glb"
    sent = list(track(15))
    gltf.write(path, sent, FPS)
    for before, after in zip(sent, gltf_read.read(path), strict=True):
        assert abs(after.pts_nanos - before.pts_nanos) < 100
        np.testing.assert_array_equal(after.expression, before.expression)
        for name in ("head_rotation", "head_translation", "gaze"):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=2e-7)


def test_every_shape_of_the_neutral_head_moves_it_and_its_own_side() -> None:
    head = neutral_head()
    for index, name in enumerate(EXPRESSION_NAMES):
        moved = np.linalg.norm(head.deltas[index], axis=1)
        assert 0.005 < moved.max() < 0.6, name
        if name.endswith(("Left", "Right")) and name not in ("jawLeft", "jawRight"):
            if name in ("mouthLeft", "mouthRight"):
                continue
            center = (moved * head.vertices[:, 0]).sum() / moved.sum()
            assert (center > 0) == name.endswith("Left"), name


def test_opposite_sides_mirror_each_other() -> None:
    head = neutral_head()
    for index, name in enumerate(EXPRESSION_NAMES):
        if name.endswith("Left") and not name.startswith(("jaw", "mouthLeft")):
            other = head.deltas[EXPRESSION_NAMES.index(name.replace("Left", "Right"))]
            a = np.linalg.norm(head.deltas[index], axis=1).sum()
            assert a == pytest.approx(np.linalg.norm(other, axis=1).sum(), rel=0.02), name


def small_head(**changes: Any) -> HeadMesh:
    head = neutral_head()
    fields: dict[str, Any] = {
        "vertices": np.eye(3, dtype=np.float32),
        "triangles": np.array([[0, 1, 2]], np.int32),
        "uv": np.zeros((3, 2), np.float32),
        "deltas": np.full((52, 3, 3), 0.01, np.float32),
        "texture": head.texture,
        "pivot": np.zeros(3, np.float32),
    }
    return HeadMesh(**(fields | changes))


def test_a_portraits_head_validates_too(tmp_path: Path, track: Track) -> None:
    path = tmp_path / "portrait.glb"
    gltf.write(path, track(3), FPS, head=small_head())
    issues = khronos_report(path)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    assert PlainGlb(path).json["extensionsUsed"] == ["KHR_materials_unlit"]


@pytest.mark.parametrize(
    "changes",
    [
        {"triangles": np.array([[0, 1, 3]], np.int32)},
        {"uv": np.zeros((2, 2), np.float32)},
        {"deltas": np.full((52, 3, 3), np.nan, np.float32)},
        {"deltas": np.zeros((51, 3, 3), np.float32)},
        {"texture": b"GIF89a"},
    ],
)
def test_a_broken_head_gets_one_line(changes: dict[str, Any]) -> None:
    with pytest.raises(AvatarError, match="head mesh"):
        small_head(**changes)


def user_model(path: Path, names: list[str] | None, **extra: Any) -> Path:
    """A triangle with morph targets, as a .gltf with its buffer inside."""
    positions = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()
    count = 3 if names is None else len(names)
    accessor = {
        "bufferView": 0,
        "componentType": 5126,
        "count": 3,
        "type": "VEC3",
        "min": [0, 0, 0],
        "max": [1, 1, 0],
    }
    mesh: dict[str, Any] = {
        "primitives": [{"attributes": {"POSITION": 0}, "targets": [{"POSITION": 0}] * count}]
    }
    if names is not None:
        mesh["extras"] = {"targetNames": names}
    uri = "data:application/octet-stream;base64," + base64.b64encode(positions).decode()
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0, 1]}],
        "nodes": [{"name": "Body", "mesh": 0}, {"name": "Head", "rotation": [0, 0.6, 0, 0.8]}],
        "meshes": [mesh],
        "accessors": [accessor],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36, "uri": uri}],
    }
    path.write_text(json.dumps(document | extra))
    return path


def test_a_users_model_is_driven_by_its_own_names(tmp_path: Path) -> None:
    names = ["JawOpen", "eyeBlink_L", "Happy", "mouth_smile_right"]
    model = user_model(tmp_path / "model.gltf", names)
    out = tmp_path / "out.glb"
    pose = distinct_pose()
    report = gltf_into.write_into(out, model, [pose, distinct_pose(33_333_333, 1)], FPS)
    assert report.matched == ("JawOpen", "eyeBlink_L", "mouth_smile_right")
    assert report.unmatched_targets == ("Happy",)
    assert len(report.missing) == 49
    assert "jawOpen" not in report.missing
    assert report.bones == ("Head",)
    glb = PlainGlb(out)
    _, weights = glb.curve("Body", "weights")
    index = [EXPRESSION_NAMES.index(n) for n in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight")]
    np.testing.assert_allclose(weights[[0, 1, 3]], pose.expression[index])
    assert weights[2] == 0
    issues = khronos_report(out)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    (first, _) = gltf_read.read(out)
    np.testing.assert_allclose(first.head_rotation, pose.head_rotation, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "extra", "complaint"),
    [
        (None, {}, "no mesh with named morph targets"),
        ([], {}, "no mesh with named morph targets"),
        (["Happy", "Sad"], {}, "none of its morph targets is named"),
        (["jawOpen"], {"meshes": []}, "no mesh with named"),
        (["jawOpen"], {"nodes": []}, "no node that shows"),
        (["jawOpen"], {"meshes": [3]}, "not a list of objects"),
        (["jawOpen"], {"meshes": [{"primitives": 1}]}, "malformed"),
        (["jawOpen"], {"asset": {"version": "1.0"}}, "not glTF 2.0"),
        (["jawOpen"], {"buffers": [{"byteLength": 99, "uri": "data:;base64,AAAA"}]}, "shorter"),
        (["jawOpen"], {"buffers": [{"byteLength": 1, "uri": "../../etc/passwd"}]}, "not a file"),
        (["jawOpen"], {"buffers": [{"byteLength": 1, "uri": "http://a/b"}]}, "not a file"),
        (["jawOpen"], {"bufferViews": [{"buffer": 0, "byteLength": 1 << 40}]}, "beyond"),
    ],
)
def test_models_that_cannot_be_animated_get_one_line(
    tmp_path: Path, names: list[str] | None, extra: dict[str, Any], complaint: str
) -> None:
    model = user_model(tmp_path / "model.gltf", names, **extra)
    out = tmp_path / "out.glb"
    with pytest.raises(AvatarError, match=complaint) as caught:
        gltf_into.write_into(out, model, [distinct_pose()], FPS)
    assert caught.value.reason is Reason.INVALID_FILE
    assert "\n" not in caught.value.message
    assert [p.name for p in tmp_path.iterdir()] == ["model.gltf"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"glTF",
        b"glTF" + struct.pack("<II", 2, 1000) + b"\xff" * 30,
        b"glTF" + struct.pack("<IIII", 2, 24, 4, 0x4E4F534A) + b"{}  ",
        b"[" * 100_000,
        b'{"asset": 3}',
        bytes(range(256)) * 8,
    ],
)
def test_rubbish_gets_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rubbish.glb"
    path.write_bytes(data)
    with pytest.raises(AvatarError) as caught:
        list(gltf_read.read(path))
    assert caught.value.reason is Reason.INVALID_FILE


def test_bytes_flipped_anywhere_never_raise_anything_else(tmp_path: Path) -> None:
    model = user_model(tmp_path / "model.gltf", ["JawOpen", "MouthLeft"])
    out = tmp_path / "out.glb"
    gltf_into.write_into(out, model, [distinct_pose(), distinct_pose(33_333_333, 1)], FPS)
    good = out.read_bytes()
    rng = np.random.default_rng(7)
    bad = tmp_path / "bad.glb"
    for _ in range(400):
        data = bytearray(good)
        for place in rng.integers(0, len(good), 3):
            data[place] = int(rng.integers(256))
        bad.write_bytes(data)
        with contextlib.suppress(AvatarError):  # anything else fails the test
            frames = list(gltf_read.read(bad))
            assert all(np.isfinite(f.expression).all() for f in frames)


ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 1, 1e30, 1e300, 1 << 63, 0.5, "", "3", "Head", "a\nb", "\ud800"),
    *([], {}, [1], [0, 0, 0, 0], [1e39] * 4, [[]], [None] * 4, {"a": 1}, "../x", "data:,"),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a JSON document but its root."""
    if path:
        yield path
    pairs: Any = ()
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def complaint_of(use: Callable[[], object]) -> str | None:
    """What was wrong, in the words of an AvatarError; None where nothing was."""
    try:
        use()
    except AvatarError as error:
        return error.message
    return None


@pytest.mark.parametrize("part", range(4))
def test_a_document_with_an_odd_value_anywhere_gets_one_line(tmp_path: Path, part: int) -> None:
    model, bad, out = (tmp_path / name for name in ("model.gltf", "bad.gltf", "out.glb"))
    poses = [distinct_pose(), distinct_pose(33_333_333, 1)]
    gltf_into.write_into(out, user_model(model, ["JawOpen", "MouthLeft"]), poses, FPS)
    glb = PlainGlb(out)
    glb.json["buffers"][0]["uri"] = "data:;base64," + base64.b64encode(glb.binary).decode()
    text = json.dumps(glb.json)
    tries = [(path, value) for path in places(glb.json) for value in ODD_VALUES]
    for path, value in tries[part::64]:  # a sixteenth of them all
        document = json.loads(text)
        owner = document
        for key in path[:-1]:
            owner = owner[key]
        owner[path[-1]] = value
        bad.write_text(json.dumps(document))
        out.unlink(missing_ok=True)
        try:
            complaints = [
                complaint_of(lambda: list(gltf_read.read(bad))),
                complaint_of(lambda: gltf_into.write_into(out, bad, poses, FPS)),
            ]
        except Exception as error:
            raise AssertionError(f"{path} = {value!r}: {error!r}") from error
        assert not any("\n" in (complaint or "") for complaint in complaints), (path, value)
        assert out.exists() == (complaints[1] is None), (path, value)


@pytest.mark.parametrize("names", [NameSet.VRM1, NameSet.PERFECT_SYNC])
def test_vrma_says_what_its_specification_asks(tmp_path: Path, names: NameSet) -> None:
    path = tmp_path / "motion.vrma"
    pose = distinct_pose()
    vrma.write(path, [pose, distinct_pose(33_333_333, 1)], FPS, names=names)
    glb = PlainGlb(path)
    extension = glb.json["extensions"]["VRMC_vrm_animation"]
    assert extension["specVersion"] == "1.0"
    assert {"hips", "spine", "head"} <= set(extension["humanoid"]["humanBones"])
    assert not {"leftEye", "rightEye"} & set(extension["humanoid"]["humanBones"])
    groups = extension["expressions"]
    names_found = [name for group in groups.values() for name in group]
    assert not [name for name in names_found if name.lower().startswith(("look", "eyelook"))]
    if names is NameSet.PERFECT_SYNC:
        for index, name in enumerate(EXPRESSION_NAMES):
            if name.startswith("eyeLook"):
                continue
            node = glb.json["nodes"][groups["custom"][pascal_case(name)]["node"]]["name"]
            _, values = glb.curve(node, "translation")
            assert values[0] == pytest.approx(min(pose.expression[index], 1))
    else:
        assert set(groups["preset"]) >= {"aa", "ih", "ou", "ee", "oh", "blink", "happy", "sad"}
    _, look = glb.curve("lookAt", "rotation")
    ahead = turn(look[:4], [0, 0, 1])
    np.testing.assert_allclose(ahead[0] / ahead[2], np.tan(0.26), atol=1e-6)  # mean of both eyes
    np.testing.assert_allclose(ahead[1], np.sin(0.165), atol=1e-6)
    issues = khronos_report(path)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
