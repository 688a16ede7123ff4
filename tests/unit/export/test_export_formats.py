"""The door: choosing, checking, resampling, and leaving nothing half-written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from export_facts import distinct_pose

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.formats import (
    FORMATS,
    ExportOptions,
    export_motion,
    format_for,
    import_motion,
)
from avatar_service.export.frames import checked, resampled
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

Track = Callable[..., Iterator[MotionFrame]]


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_every_format_writes_something_that_starts_at_zero(
    tmp_path: Path, track: Track, row: object
) -> None:
    name = row.name  # type: ignore[attr-defined]
    suffix = (row.suffixes or (".json",))[0]  # type: ignore[attr-defined]
    path = tmp_path / f"out{suffix}"
    assert export_motion(path, track(9), 30, format_name=name) >= 1
    assert path.stat().st_size > 10
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".glb", ".npz"])
def test_what_can_be_read_comes_back(tmp_path: Path, track: Track, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    sent = list(track(9))
    export_motion(path, sent, 30)
    for before, after in zip(sent, import_motion(path), strict=True):
        np.testing.assert_allclose(after.expression, before.expression, atol=1e-6)
        np.testing.assert_allclose(after.head_rotation, before.head_rotation, atol=1e-6)
        np.testing.assert_allclose(after.gaze, before.gaze, atol=1e-6)
        assert abs(after.pts_nanos - before.pts_nanos) < 20_000


def broken(what: str) -> Iterator[MotionFrame]:
    yield distinct_pose(0)
    bad = distinct_pose(33_333_333, 1)
    if what == "nan":
        bad = replace(bad, gaze=np.full((2, 2), np.nan, np.float32))
    elif what == "shape":
        bad = replace(bad, expression=np.zeros(51, np.float32))
    elif what == "time":
        bad = replace(bad, pts_nanos=0)
    yield bad
    if what == "source":
        raise RuntimeError("the source failed")


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
@pytest.mark.parametrize("what", ["nan", "shape", "time"])
def test_bad_motion_leaves_nothing_behind(tmp_path: Path, row: object, what: str) -> None:
    path = tmp_path / "out.json"
    with pytest.raises(AvatarError) as caught:
        export_motion(path, broken(what), 30, format_name=row.name)  # type: ignore[attr-defined]
    assert caught.value.reason is Reason.INVALID_FIELD
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_a_failing_source_leaves_an_older_output_alone(tmp_path: Path, row: object) -> None:
    path = tmp_path / "out.json"
    path.write_text("older")
    with pytest.raises(RuntimeError, match="the source failed"):
        export_motion(path, broken("source"), 30, format_name=row.name)  # type: ignore[attr-defined]
    assert path.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("fps", [0, 0.5, 241, -30, float("nan"), float("inf")])
def test_wrong_rates_get_one_line(tmp_path: Path, fps: float) -> None:
    with pytest.raises(AvatarError, match="frames per second"):
        export_motion(tmp_path / "out.csv", [distinct_pose()], fps)
    assert list(tmp_path.iterdir()) == []


def test_no_frames_and_unknown_formats_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="no frames"):
        export_motion(tmp_path / "out.glb", [], 30)
    with pytest.raises(AvatarError, match="formats: livelink, gltf"):
        format_for(tmp_path / "out.fbx", None)
    with pytest.raises(AvatarError, match="is unknown"):
        format_for(tmp_path / "out.csv", "maya")
    with pytest.raises(AvatarError, match="motion is read from"):
        import_motion(tmp_path / "take.mov")
    with pytest.raises(AvatarError, match="goes with glTF"):
        export_motion(
            tmp_path / "out.csv", [distinct_pose()], 30, options=ExportOptions(into=Path("m.glb"))
        )


def test_a_place_that_cannot_be_written_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="cannot be written"):
        export_motion(tmp_path / "no" / "such" / "out.csv", [distinct_pose()], 30)


def test_resampling_keeps_audio_time() -> None:
    # jawOpen follows the clock: at every output time it must be the time itself.
    def ramp() -> Iterator[MotionFrame]:
        for k in range(41):
            expression = np.zeros(52, np.float32)
            expression[17] = k / 40
            yield MotionFrame(k * 25_000_000, k, expression=expression)

    frames = list(resampled(ramp(), Fraction(30)))
    assert [f.pts_nanos for f in frames] == [k * 1_000_000_000 // 30 for k in range(31)]
    for frame in frames:
        assert frame.expression[17] == pytest.approx(frame.pts_nanos / 1e9, abs=1e-6)


def test_a_late_start_is_held_back_to_time_zero() -> None:
    first = distinct_pose(100_000_000)
    frames = list(resampled([first, distinct_pose(200_000_000, 1, 0.0)], Fraction(20)))
    assert [f.pts_nanos for f in frames] == [0, 50_000_000, 100_000_000, 150_000_000, 200_000_000]
    np.testing.assert_array_equal(frames[0].expression, first.expression)
    np.testing.assert_allclose(frames[3].expression, first.expression / 2, atol=1e-6)


def test_the_same_rate_keeps_every_frame() -> None:
    rate = Fraction(30000, 1001)
    sent = [distinct_pose(k * 1_000_000_000 * 1001 // 30000, k, 1 / (k + 1)) for k in range(50)]
    for before, after in zip(sent, resampled(sent, rate), strict=True):
        assert before.pts_nanos == after.pts_nanos
        np.testing.assert_array_equal(after.expression, before.expression)


def test_checking_names_the_frame() -> None:
    with pytest.raises(AvatarError, match="motion frame 1: gaze holds NaN"):
        list(checked(broken("nan")))
