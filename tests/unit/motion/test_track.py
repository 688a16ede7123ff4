import pickle
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

RATE = Fraction(30_000, 1001)


def make_track(num_frames: int = 12) -> MotionTrack:
    rng = np.random.default_rng(0)

    def array(*shape: int) -> np.ndarray:
        return rng.uniform(0, 1, shape).astype(np.float32)

    frames = [
        MotionFrame(
            pts_nanos=k * 10**9 * RATE.denominator // RATE.numerator,
            expression=array(52),
            head_rotation=array(3),
            head_translation=array(3),
            gaze=array(2, 2),
            emotion=array(8),
            speech=float(rng.uniform()),
        )
        for k in range(num_frames)
    ]
    return MotionTrack.from_frames(frames, RATE)


def assert_same(first: MotionTrack, second: MotionTrack) -> None:
    for name in MotionTrack.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def stored(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_file_holds_the_documented_arrays(tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    make_track().save(path)
    arrays = stored(path)
    shapes = {name: (array.dtype.kind, array.shape) for name, array in arrays.items()}
    assert shapes["pts_nanos"] == ("i", (12,))
    assert arrays["pts_nanos"].dtype == np.int64
    assert shapes["expression"] == ("f", (12, 52))
    assert arrays["expression"].dtype == np.float32
    assert arrays["expression_names"].tolist() == list(EXPRESSION_NAMES)
    assert shapes["head_rotation"] == shapes["head_translation"] == ("f", (12, 3))
    assert shapes["gaze"] == ("f", (12, 2, 2))
    assert shapes["speech"] == ("f", (12,))
    assert shapes["emotion"] == ("f", (12, 8))
    assert float(arrays["fps"]) == pytest.approx(30_000 / 1001)


@pytest.mark.parametrize("num_frames", [0, 1, 12])
def test_round_trip(tmp_path: Path, num_frames: int) -> None:
    track = make_track(num_frames)
    track.save(tmp_path / "motion.npz")
    again = MotionTrack.load(tmp_path / "motion.npz")
    assert_same(track, again)
    assert again.frame_rate == RATE
    assert_same(track, MotionTrack.from_frames(again.frames(), RATE))


def test_coefficients_are_mapped_by_name(tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    track = make_track()
    track.save(path)
    arrays = stored(path)
    order = np.random.default_rng(1).permutation(52)
    arrays["expression"] = arrays["expression"][:, order]
    arrays["expression_names"] = arrays["expression_names"][order]
    np.savez(path, **arrays)
    assert_same(track, MotionTrack.load(path))


def test_nothing_is_left_beside_the_file_nor_after_a_failure(tmp_path: Path) -> None:
    make_track().save(tmp_path / "motion.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["motion.npz"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(AvatarError) as caught:
        make_track().save(tmp_path / "folder")
    assert caught.value.reason is Reason.INVALID_FILE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "motion.npz"]
    with pytest.raises(AvatarError) as caught:
        make_track().save(tmp_path / "nowhere" / "motion.npz")
    assert caught.value.reason is Reason.INVALID_FILE


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploded"),))


CHANGES = {
    "missing array": lambda a: a.pop("gaze"),
    "wrong shape": lambda a: a.update(expression=a["expression"][:, :51]),
    "other length": lambda a: a.update(speech=a["speech"][:-1]),
    "NaN": lambda a: a["head_rotation"].__setitem__((0, 0), np.nan),
    "infinite": lambda a: a.update(head_translation=np.full((12, 3), 1e300)),
    "falling time": lambda a: a.update(pts_nanos=a["pts_nanos"][::-1].copy()),
    "float time": lambda a: a.update(pts_nanos=a["pts_nanos"].astype(np.float64)),
    "negative time": lambda a: a.update(pts_nanos=a["pts_nanos"] - 1),
    "unknown names": lambda a: a.update(expression_names=np.array(["x"] * 52)),
    "text": lambda a: a.update(gaze=np.full((12, 2, 2), "left")),
    "no rate": lambda a: (a.pop("fps_fraction"), a.update(fps=np.float64("nan"))),
    "zero rate": lambda a: a.update(fps_fraction=np.array([0, 1])),
    "scalar time": lambda a: a.update(pts_nanos=np.int64(3)),
    "complex": lambda a: a.update(speech=a["speech"] * 1j),
}


@pytest.mark.parametrize("name", CHANGES)
def test_files_that_are_no_motion_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "motion.npz"
    make_track().save(path)
    arrays = stored(path)
    CHANGES[name](arrays)
    np.savez(path, **arrays)
    assert_refused(path)


def assert_refused(path: Path) -> None:
    with pytest.raises(AvatarError) as caught:
        MotionTrack.load(path)
    assert caught.value.reason is Reason.INVALID_FILE
    assert "\n" not in caught.value.message


def test_pickles_are_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "motion.npz"
    make_track().save(path)
    arrays = stored(path)
    np.savez(path, **{**arrays, "speech": np.array([_Bomb()], object)})
    assert_refused(path)
    path.write_bytes(pickle.dumps(_Bomb()))
    assert_refused(path)
    assert not (tmp_path / "exploded").exists()


def load_or_reason(path: Path) -> tuple[Reason | None, MotionTrack | None]:
    try:
        return None, MotionTrack.load(path)
    except AvatarError as error:
        return error.reason, None


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    make_track().save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(data)
        for position in rng.integers(0, len(data), 12):
            broken[position] = int(rng.integers(256))
        path.write_bytes(bytes(broken))
        reason, track = load_or_reason(path)
        assert reason in (None, Reason.INVALID_FILE)
        assert track is None or np.isfinite(track.expression).all()
    for content in (b"", b"text\n" * 50, data[: len(data) // 2], b"PK\x03\x04" + bytes(100)):
        path.write_bytes(content)
        assert_refused(path)
    assert_refused(tmp_path / "missing.npz")
    assert_refused(tmp_path)


def test_a_file_that_unpacks_to_too_much_is_refused_before_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    make_track().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            if name != "speech.npy":
                archive.writestr(name, content)
        with archive.open("speech.npy", "w", force_zip64=True) as out:
            for _ in range(66):
                out.write(bytes(1 << 24))
    assert_refused(path)
