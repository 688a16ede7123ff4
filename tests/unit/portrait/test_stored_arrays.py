"""Stored portraits that are damaged, or made by hand, are refused in one line."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes.portraits import astronaut
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import archive
from avatar_service.portrait.portrait import FORMAT_VERSION, Portrait
from avatar_service.portrait.stored_arrays import SHAPES, check_stored

pytestmark = pytest.mark.unit
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return archive._flatten(astronaut(), "")


def test_every_array_of_a_portrait_has_its_shape(arrays: Arrays) -> None:
    named = {name for shapes in SHAPES.values() for name in shapes}
    stored = {name for name, values in arrays.items() if values.ndim and name != "notices"}
    assert named == stored
    check_stored(arrays)


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        filled = values.copy()
        filled.flat[-1] = value
        return filled

    return change


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("geometry.uv", with_value(np.nan), "not finite"),
        ("shapes.delta", with_value(np.inf), "not finite"),
        ("geometry.source_yaw", lambda _: np.array(np.nan), "not finite"),
        ("geometry.rest", lambda a: a[:-1], "does not fit"),
        ("geometry.sway", lambda a: a[:-1], "does not fit"),
        ("texture", lambda a: a[:-2], "does not fit"),
        ("torso.texture", lambda a: a[..., :3], "does not fit"),
        ("eyes.glint", lambda a: a[:, 1:], "does not fit"),
        ("eyes.sclera", lambda a: a[:, :0], "does not fit"),
        ("mouth.arch_lower", lambda a: a[:, 1:], "does not fit"),
        ("mouth.teeth_upper", lambda a: a[0], "2 axes, not 3"),
        ("geometry.triangles", lambda a: a.astype(np.int64), "int64, not int32"),
        ("geometry.rest", lambda a: a.astype(np.float64), "float64, not float32"),
        ("geometry.triangles", with_value(99_999), "points beyond"),
        ("shapes.vertex", with_value(-1), "points beyond"),
        ("mouth.lip_ids", with_value(468), "points beyond"),
        ("shapes.start", with_value(3), "does not divide"),
        ("geometry.num_face", lambda _: np.array(3), "does not fit the mesh"),
        ("geometry.unit_px", lambda _: np.array(0.0), "not positive"),
        ("size_px", lambda _: np.array(511), "does not fit"),
        ("size_px", lambda _: np.array([512, 512]), "size"),
        ("folds", lambda a: np.full_like(a, 200), "groups"),
        ("geometry.strand_kind", with_value(7.0), "out of range"),
        ("photo", lambda _: np.array("a text"), "not uint8"),
    ],
)
def test_what_is_wrong_is_told_by_its_name(
    tmp_path: Path, arrays: Arrays, name: str, change: Callable[..., np.ndarray], told: str
) -> None:
    spoilt = arrays | {name: change(arrays[name])}
    path = tmp_path / "a.npz"
    np.savez(path, kind=np.array("avatar.portrait"), version=np.array(FORMAT_VERSION), **spoilt)
    with pytest.raises(AvatarError, match=told) as refused:
        Portrait.load(path)
    assert refused.value.reason is Reason.INVALID_FILE
    assert "\n" not in refused.value.message


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("stored") / "a.npz"
    astronaut().save(path)
    return path.read_bytes()


def loaded_or_none(path: Path) -> Portrait | None:
    """The portrait; None where it was refused as a file. Whatever else is raised is a fault."""
    try:
        return Portrait.load(path)
    except AvatarError as refused:
        if refused.reason is not Reason.INVALID_FILE:
            raise
        return None


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_damage_goes_further_than_one_line(
    stored: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    spoilt = bytearray(stored)
    # The directory at the end and the arrays' headers decide more than pixels do.
    ends = [*range(600), *range(len(stored) - 8000, len(stored))]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(ends) | st.integers(0, len(stored) - 1))
        spoilt[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del spoilt[data.draw(st.integers(0, len(spoilt) - 1)) :]
    path = tmp_path_factory.getbasetemp() / "spoilt.npz"
    path.write_bytes(spoilt)
    loaded = loaded_or_none(path)
    if loaded is not None:
        check_stored(archive._flatten(loaded, ""))
    os.unlink(path)


def test_other_files_are_no_portraits(tmp_path: Path) -> None:
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    for content in (b"", b"PK\x03\x04", plain.getvalue(), b"\x93NUMPY\x01\x00\xff\xff{"):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(AvatarError, match="no stored portrait"):
            Portrait.load(tmp_path / "a.npz")
