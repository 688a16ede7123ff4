"""Unity clips, Unreal curve tables, latents, npz, USD, visemes."""

from __future__ import annotations

import contextlib
import csv
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_facts import distinct_pose, live_link_signed
from fakes.peers import import_peer

from avatar_service.errors import AvatarError, Reason
from avatar_service.export import curves, npz, unity_anim, usd, visemes
from avatar_service.export.unity_anim import UnityOptions
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

FPS = Fraction(30)
Track = Callable[..., Iterator[MotionFrame]]


# --- Unity


def unity_clip(path: Path) -> dict[str, Any]:
    """Load with unityparser, a YAML reader made for Unity's files."""
    peer = import_peer("unityparser", "pip install unityparser")
    document = peer.UnityDocument.load_yaml(str(path))
    clip = document.entry
    assert type(clip).__name__ == "AnimationClip"
    return vars(clip)


def test_hashes_are_those_that_unity_wrote() -> None:
    # From Adjerry91/VRCFaceTracking-Templates: clips saved by the editor.
    assert unity_anim.crc32("Body") == 2073732236
    assert unity_anim.crc32("jawOpen") == 536272755
    assert unity_anim.crc32("Lip_Move_Left_Upper") == 4020888795


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_unity_curves_hold_every_channel(tmp_path: Path, scale: float) -> None:
    path = tmp_path / "clip.anim"
    poses = [distinct_pose(), distinct_pose(33_333_333, 1, 0.5)]
    unity_anim.write(path, poses, FPS, UnityOptions(mesh_path="Armature/Face", scale=scale))
    clip = unity_clip(path)
    for section in ("m_FloatCurves", "m_EditorCurves"):
        found = {row["attribute"]: row for row in clip[section]}
        assert len(found) == 52
        for index, name in enumerate(EXPRESSION_NAMES):
            row = found[f"blendShape.{name}"]
            assert (row["path"], int(row["classID"])) == ("Armature/Face", 137)
            keys = row["curve"]["m_Curve"]
            values = [float(key["value"]) for key in keys]
            expected = [float(pose.expression[index]) * scale for pose in poses]
            assert values == pytest.approx(expected, rel=1e-5)
            assert [float(key["time"]) for key in keys] == pytest.approx([0, 1 / 30], abs=1e-6)
            slope = (expected[1] - expected[0]) * 30
            assert float(keys[0]["outSlope"]) == pytest.approx(slope, rel=1e-3)
    bindings = clip["m_ClipBindingConstant"]["genericBindings"]
    assert {int(b["attribute"]) for b in bindings} == {
        zlib.crc32(n.encode()) for n in EXPRESSION_NAMES
    }
    assert {int(b["path"]) for b in bindings} == {zlib.crc32(b"Armature/Face")}
    assert {int(b["customType"]) for b in bindings} == {20}
    assert float(clip["m_AnimationClipSettings"]["m_StopTime"]) == pytest.approx(1 / 30, rel=1e-5)
    assert float(clip["m_SampleRate"]) == 30


def test_unity_bones_turn_in_its_axes_and_replace_the_look_curves(tmp_path: Path) -> None:
    path = tmp_path / "clip.anim"
    frame = MotionFrame(
        0,
        head_rotation=np.array([0.3, 0, 0], np.float32),
        gaze=np.array([[0, 0.2], [0, 0.2]], np.float32),
    )
    options = UnityOptions(head_path="Hips/Head", left_eye_path="L", right_eye_path="R")
    unity_anim.write(path, [frame], FPS, options)
    clip = unity_clip(path)
    turns = {row["path"]: row["curve"]["m_Curve"][0]["value"] for row in clip["m_RotationCurves"]}
    # To the subject's left is -X in Unity: a negative turn about +Y.
    assert float(turns["Hips/Head"]["y"]) == pytest.approx(-np.sin(0.15), rel=1e-5)
    assert float(turns["L"]["x"]) == pytest.approx(np.sin(0.1), rel=1e-5)
    attributes = [row["attribute"] for row in clip["m_FloatCurves"]]
    assert len(attributes) == 44
    assert not [a for a in attributes if "eyeLook" in a]


def test_awkward_unity_paths_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "clip.anim"
    unity_anim.write(path, [distinct_pose()], FPS, UnityOptions(mesh_path='A: "b" #1'))
    assert unity_clip(path)["m_FloatCurves"][0]["path"] == 'A: "b" #1'


def test_bad_unity_options_get_one_line() -> None:
    with pytest.raises(AvatarError, match="unity scale"):
        UnityOptions(scale=float("nan"))
    with pytest.raises(AvatarError, match="unity path"):
        UnityOptions(mesh_path="a\nb")


# --- Unreal


def test_unreal_csv_is_a_curve_table_of_every_channel(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    pose = distinct_pose()
    curves.write_unreal_csv(path, [pose, distinct_pose(33_333_333, 1)], FPS)
    rows = list(csv.reader(path.open()))
    assert rows[0][0] == "---"
    assert [float(t) for t in rows[0][1:]] == pytest.approx([0, 1 / 30], abs=1e-6)
    found = {row[0]: float(row[1]) for row in rows[1:]}
    assert found == pytest.approx(live_link_signed(pose), abs=1e-6)


def test_unreal_json_holds_the_same(tmp_path: Path) -> None:
    path = tmp_path / "curves.json"
    pose = distinct_pose()
    curves.write_unreal_json(path, [pose], FPS)
    found = {row["Name"]: row["0.000000"] for row in json.loads(path.read_text())}
    assert found == pytest.approx(live_link_signed(pose), abs=1e-6)


# --- our own tables


def test_latents_csv_has_every_number(tmp_path: Path) -> None:
    path = tmp_path / "latents.csv"
    pose = distinct_pose(33_333_333)
    curves.write_latents_csv(path, [pose])
    (row,) = csv.DictReader(path.open())
    assert float(row["seconds"]) == pytest.approx(0.033333333, abs=1e-9)
    for index, name in enumerate(EXPRESSION_NAMES):
        assert np.float32(row[name]) == pose.expression[index]
    found = [float(row[n]) for n in ("headYaw", "headPitch", "headRoll", "headX", "headY", "headZ")]
    assert found == pytest.approx([*pose.head_rotation, *pose.head_translation])
    assert float(row["rightEyePitch"]) == pytest.approx(-0.14)
    assert float(row["emotion.contemptuous"]) == pytest.approx(0.2)


def test_latents_jsonl_has_schema_and_frames(tmp_path: Path) -> None:
    path = tmp_path / "latents.jsonl"
    pose = distinct_pose()
    curves.write_latents_jsonl(path, [pose], FPS)
    header, row = (json.loads(line) for line in path.read_text().splitlines())
    assert header["schema_id"] == "avatar.motion.v1"
    assert header["expression_names"] == list(EXPRESSION_NAMES)
    assert row["expression"] == pytest.approx(pose.expression.tolist(), abs=1e-6)
    assert np.array(row["gaze"]) == pytest.approx(pose.gaze, abs=1e-6)


def test_npz_is_lossless(tmp_path: Path, track: Track) -> None:
    path = tmp_path / "motion.npz"
    sent = list(track(7))
    npz.write(path, sent, FPS)
    for before, after in zip(sent, npz.read(path), strict=True):
        assert before.pts_nanos == after.pts_nanos
        for name in ("expression", "head_rotation", "head_translation", "gaze", "emotion"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_npz_is_what_the_motion_room_reads_and_writes(tmp_path: Path, track: Track) -> None:
    from avatar_service.motion.track import MotionTrack

    ours, theirs = tmp_path / "ours.npz", tmp_path / "theirs.npz"
    npz.write(ours, track(7), FPS)
    loaded = MotionTrack.load(ours)
    assert loaded.frame_rate == FPS
    loaded.save(theirs)
    with np.load(ours) as plain:  # the format needs nothing of ours to be read
        assert list(plain["expression_names"]) == list(EXPRESSION_NAMES)
        sent = [frame.expression for frame in track(7)]
        np.testing.assert_array_equal(plain["expression"], sent)
    for before, after in zip(npz.read(ours), npz.read(theirs), strict=True):
        assert before.pts_nanos == after.pts_nanos
        np.testing.assert_array_equal(after.expression, before.expression)


def test_npz_finds_coefficients_by_name(tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    np.savez(
        path,
        pts_nanos=np.array([0]),
        expression=np.array([[0.25, 0.5, 0.75]], np.float32),
        expression_names=np.array(["tongueOut", "somethingElse", "jawOpen"]),
        head_rotation=np.zeros((1, 3)),
    )
    (frame,) = npz.read(path)
    assert frame.expression[EXPRESSION_INDEX["tongueOut"]] == 0.25
    assert frame.expression[EXPRESSION_INDEX["jawOpen"]] == 0.75
    assert frame.expression.sum() == 1.0


GOOD = {
    "pts_nanos": np.array([0, 1]),
    "expression": np.zeros((2, 1), np.float32),
    "expression_names": np.array(["jawOpen"]),
    "head_rotation": np.zeros((2, 3)),
}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"expression_names": None}, "no expression_names"),
        ({"expression_names": np.array(["x"])}, "none of its expression_names"),
        ({"expression": None}, "no expression"),
        ({"head_rotation": np.zeros((3, 3))}, "shape"),
        ({"pts_nanos": np.zeros((0,))}, "shape"),
        ({"expression": np.full((2, 1), np.nan)}, "NaN"),
        ({"expression": np.array([["a"], ["b"]])}, "not numbers"),
        ({"expression": np.array([[{}], [{}]], object)}, "not a motion file"),
    ],
)
def test_hostile_npz_gets_one_line(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "motion.npz"
    np.savez(path, **{k: v for k, v in (GOOD | changes).items() if v is not None})
    with pytest.raises(AvatarError, match=complaint) as caught:
        list(npz.read(path))
    assert caught.value.reason is Reason.INVALID_FILE


def test_what_is_no_array_in_an_npz_gets_one_line(tmp_path: Path) -> None:
    """Found by fuzzing: NumPy hands out such a member as bytes."""
    path = tmp_path / "motion.npz"
    for name in GOOD:
        np.savez(path, **{key: value for key, value in GOOD.items() if key != name})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{name}.npy", b"jawOpen")
        with pytest.raises(AvatarError) as caught:
            list(npz.read(path))
        assert caught.value.reason is Reason.INVALID_FILE


def test_a_damaged_npz_gets_one_line(tmp_path: Path, track: Track) -> None:
    path = tmp_path / "motion.npz"
    npz.write(path, track(6), FPS)
    good = path.read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(150):
        data = bytearray(good)
        for place in rng.integers(0, len(good), 3):
            data[place] = int(rng.integers(256))
        path.write_bytes(data)
        with contextlib.suppress(AvatarError):  # anything else fails the test
            list(npz.read(path))


@pytest.mark.parametrize("data", [b"", b"PK\3\4rubbish", b"\x93NUMPY", bytes(range(256))])
def test_rubbish_npz_gets_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "motion.npz"
    path.write_bytes(data)
    with pytest.raises(AvatarError) as caught:
        list(npz.read(path))
    assert caught.value.reason is Reason.INVALID_FILE


# --- USD


@pytest.mark.parametrize("suffix", [".usda", ".usdc"])
def test_usd_core_reads_every_channel(tmp_path: Path, suffix: str) -> None:
    Usd = import_peer("pxr.Usd", "pip install usd-core")
    from pxr import UsdSkel, UsdValidation

    path = tmp_path / f"head{suffix}"
    pose = distinct_pose()
    usd.write(path, [pose, distinct_pose(33_333_333, 1, 0.5)], FPS)
    stage = Usd.Stage.Open(str(path))
    assert (stage.GetTimeCodesPerSecond(), stage.GetEndTimeCode()) == (30, 1)
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/Avatar/Motion"))
    assert list(animation.GetBlendShapesAttr().Get()) == list(EXPRESSION_NAMES)
    weights = np.array(animation.GetBlendShapeWeightsAttr().Get(0))
    np.testing.assert_allclose(weights, pose.expression, atol=1e-6)
    assert animation.GetBlendShapeWeightsAttr().GetNumTimeSamples() == 2

    # UsdSkel itself resolves skeleton, animation and targets.
    root = UsdSkel.Root(stage.GetPrimAtPath("/Avatar"))
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.PrimDefaultPredicate)
    query = cache.GetSkelQuery(UsdSkel.Skeleton(stage.GetPrimAtPath("/Avatar/Skeleton")))
    places = query.ComputeJointSkelTransforms(Usd.TimeCode(0))
    head = places[1]
    nose = head.TransformDir((0, 0, 1))
    assert nose[0] / nose[2] == pytest.approx(np.tan(0.31), abs=1e-5)
    assert nose[1] == pytest.approx(np.sin(0.17), abs=1e-5)
    rest = query.ComputeJointSkelTransforms(Usd.TimeCode(0), True)[1].ExtractTranslation()
    moved = np.array(head.ExtractTranslation()) - np.array(rest)
    np.testing.assert_allclose(moved, pose.head_translation * 0.09, atol=1e-6)
    gaze = query.ComputeJointLocalTransforms(Usd.TimeCode(0))[3].TransformDir((0, 0, 1))
    assert gaze[0] / gaze[2] == pytest.approx(np.tan(0.29), abs=1e-5)
    assert gaze[1] == pytest.approx(np.sin(0.14), abs=1e-5)
    binding = UsdSkel.BindingAPI(stage.GetPrimAtPath("/Avatar/Face"))
    assert len(binding.GetBlendShapeTargetsRel().GetTargets()) == 52

    registry = UsdValidation.ValidationRegistry()
    context = UsdValidation.ValidationContext(registry.GetOrLoadAllValidators())
    assert [e.GetMessage() for e in context.Validate(stage)] == []


def test_packed_usd_without_the_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pxr.Sdf", None)
    with pytest.raises(AvatarError, match="pip install usd-core"):
        usd.write(tmp_path / "head.usdc", [distinct_pose()], FPS)
    assert list(tmp_path.iterdir()) == []


# --- visemes


def mouth(**coefficients: float) -> np.ndarray:
    expression = np.zeros(52, np.float32)
    for name, value in coefficients.items():
        expression[EXPRESSION_INDEX[name]] = value
    return expression


SAID = [
    ("sil", mouth(), 0.0),
    ("PP", mouth(mouthPressLeft=0.5, mouthPressRight=0.5), 1.0),
    ("aa", mouth(jawOpen=0.5), 1.0),
    ("ou", mouth(jawOpen=0.12, mouthPucker=0.65), 1.0),
    ("FF", mouth(jawOpen=0.08, mouthRollLower=0.5), 1.0),
    ("sil", mouth(), 0.0),
]


def said(frames_each: int = 5) -> Iterator[MotionFrame]:
    k = 0
    for _, expression, speech in SAID:
        for _ in range(frames_each):
            yield MotionFrame(k * 33_333_333, k, expression=expression, speech=speech)
            k += 1


def test_clear_mouths_become_their_visemes(tmp_path: Path) -> None:
    cues = list(visemes.oculus_cues(said(), FPS))
    assert [cue.value for cue in cues] == [name for name, _, _ in SAID]
    assert [cue.start for cue in cues] == pytest.approx([k * 5 / 30 for k in range(6)])
    assert cues[-1].end == pytest.approx(1.0)


def test_one_slack_frame_makes_no_cue() -> None:
    frames = list(said(8))
    odd = frames[12]
    slack = mouth(jawOpen=0.12, mouthPressLeft=0.18, mouthPressRight=0.18)
    frames[12] = MotionFrame(odd.pts_nanos, 12, expression=slack, speech=1.0)
    assert [cue.value for cue in visemes.oculus_cues(frames, FPS)] == [n for n, _, _ in SAID]


def test_blocks_join_without_a_seam() -> None:
    long = [
        MotionFrame(k, k, expression=mouth(jawOpen=0.5), speech=1.0)
        for k in range(int(visemes._BLOCK_SECS * 30 * 2.5))
    ]
    (cue,) = visemes.oculus_cues(long, FPS)
    assert (cue.value, cue.end) == ("aa", pytest.approx(len(long) / 30))


def test_rhubarb_files_have_rhubarbs_forms(tmp_path: Path) -> None:
    visemes.write(tmp_path / "v.json", said(), FPS, rhubarb=True, sound="hello.wav")
    document = json.loads((tmp_path / "v.json").read_text())
    assert document["metadata"] == {"soundFile": "hello.wav", "duration": 1.0}
    assert [c["value"] for c in document["mouthCues"]] == ["X", "A", "D", "F", "G", "X"]
    for before, after in zip(document["mouthCues"], document["mouthCues"][1:], strict=False):
        assert before["end"] == after["start"]
    visemes.write(tmp_path / "v.tsv", said(), FPS, rhubarb=True)
    lines = [line.split("\t") for line in (tmp_path / "v.tsv").read_text().splitlines()]
    assert lines[0] == ["0.000", "X"]
    assert lines[-1] == ["1.000", "X"]
