from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from export_facts import live_link_signed
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.errors import AvatarError, Reason
from avatar_service.export import livelink_csv
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit


def test_every_column_of_the_pose_reads_back_by_name(tmp_path: Path, pose: MotionFrame) -> None:
    path = tmp_path / "take.csv"
    livelink_csv.write(path, [pose])
    (row,) = csv.DictReader(path.open())
    assert row["BlendShapeCount"] == "61"
    for name, expected in live_link_signed(pose).items():
        assert float(row[name]) == pytest.approx(expected, abs=1e-9), name
        assert len(row[name].partition(".")[2]) == 10


def test_file_has_unix_lines_and_no_mark(tmp_path: Path, pose: MotionFrame) -> None:
    path = tmp_path / "take.csv"
    livelink_csv.write(path, [pose])
    data = path.read_bytes()
    assert data.startswith(b"Timecode,BlendShapeCount,EyeBlinkLeft")
    assert b"\r" not in data
    assert data.endswith(b"\n")
    assert b",," not in data


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "00:00:00:00.000"),
        (33_333_333, "00:00:00:02.000"),
        (500_000_000, "00:00:00:30.000"),
        (1_000_000_000, "00:00:01:00.000"),
        (999_999_999, "00:00:01:00.000"),
        (3_725_025_000_000, "01:02:05:01.500"),
    ],
)
def test_timecode_counts_sixtieths(nanos: int, text: str) -> None:
    assert livelink_csv.timecode(nanos) == text


def test_round_trip(tmp_path: Path, track: Callable[..., Iterator[MotionFrame]]) -> None:
    path = tmp_path / "take.csv"
    sent = list(track(20))
    livelink_csv.write(path, sent)
    for before, after in zip(sent, livelink_csv.read(path), strict=True):
        assert abs(after.pts_nanos - before.pts_nanos) <= 8_334  # half of 1/60000 s
        np.testing.assert_allclose(after.expression, before.expression, atol=1e-7)
        np.testing.assert_allclose(after.head_rotation, before.head_rotation, atol=1e-7)
        np.testing.assert_allclose(after.gaze, before.gaze, atol=1e-7)


angle = st.floats(-0.625, 0.625, width=32)


@settings(max_examples=25, deadline=None)
@given(
    weights=st.lists(st.floats(0, 1.25, width=32), min_size=52, max_size=52),
    head=st.lists(angle, min_size=3, max_size=3),
    eyes=st.lists(angle, min_size=4, max_size=4),
)
def test_any_pose_survives(
    tmp_path_factory: pytest.TempPathFactory,
    weights: list[float],
    head: list[float],
    eyes: list[float],
) -> None:
    path = tmp_path_factory.mktemp("llf") / "pose.csv"
    gaze = np.array(eyes, np.float32).reshape(2, 2)
    if not gaze.any():
        gaze[0, 0] = 0.1  # all zero means "not recorded", which is another test
    frame = MotionFrame(
        0,
        expression=np.array(weights, np.float32),
        head_rotation=np.array(head, np.float32),
        gaze=gaze,
    )
    livelink_csv.write(path, [frame])
    (back,) = livelink_csv.read(path)
    np.testing.assert_allclose(back.expression, frame.expression, atol=1e-7)
    np.testing.assert_allclose(back.head_rotation, frame.head_rotation, atol=1e-7)
    np.testing.assert_allclose(back.gaze, frame.gaze, atol=1e-7)


def test_without_eye_angles_the_look_coefficients_speak(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    expression = np.zeros(52, np.float32)
    expression[[2, 10]] = 0.5  # eyeLookInLeft, eyeLookOutRight: to their right
    livelink_csv.write(path, [MotionFrame(0, expression=expression)])
    (frame,) = livelink_csv.read(path)
    assert (frame.gaze[:, 0] < 0).all()


HEADER = livelink_csv.LIVE_LINK_CSV_HEADER
ROW = "00:00:00:00.000,61," + ",".join(["0.1"] * 61)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a Live Link Face CSV"),
        ("a,b\n1,2\n", "is not a Live Link Face CSV"),
        ("Timecode,BlendShapeCount,Nose\n", "has no column named as an ARKit"),
        (HEADER.replace("JawOpen,", "") + "\n", "lacks the column JawOpen"),
        (HEADER + "\n", "holds no rows"),
        (HEADER + "\n" + ROW + ",1\n", "line 2 has 64 cells"),
        (HEADER + "\n" + ROW.replace("0.1", "nan", 1) + "\n", "out of range"),
        (HEADER + "\n" + ROW.replace("0.1", "", 1) + "\n", "is not a number"),
        (HEADER + "\n" + ROW.replace("0.1", "1e30", 1) + "\n", "out of range"),
        (HEADER + "\n" + ROW.replace("00:00:00:00.000", "0.033") + "\n", "not a timecode"),
        (HEADER + "\n" + ROW.replace(":00.000", ":60.000") + "\n", "not a timecode"),
        (HEADER + "\n" + ROW + "\n" + ROW + "\n", "does not follow"),
        (HEADER + "\n" + "9" * 70_000, "longer than"),
    ],
)
def test_hostile_files_get_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "take.csv"
    path.write_text(text)
    with pytest.raises(AvatarError, match=complaint) as caught:
        list(livelink_csv.read(path))
    assert caught.value.reason is Reason.INVALID_FILE
    assert "\n" not in caught.value.message


def test_binary_rubbish_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    path.write_bytes(b"Timecode,\xff\xfe\x00" + bytes(range(256)))
    with pytest.raises(AvatarError) as caught:
        list(livelink_csv.read(path))
    assert caught.value.reason is Reason.INVALID_FILE


def test_rows_without_a_face_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    later = ROW.replace("00:00:00:00.000", "00:00:01:00.000")
    path.write_text(f"{HEADER}\n{ROW}\n00:00:00:30.000,0\n{later}\n")
    assert [f.pts_nanos for f in livelink_csv.read(path)] == [0, 1_000_000_000]
