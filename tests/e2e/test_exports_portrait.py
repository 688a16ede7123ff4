"""A photo's own head in a model file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avatar_service.cli.portrait_head import head_from_portrait
from avatar_service.cli.portraits import load_portrait
from avatar_service.errors import AvatarError
from avatar_service.export import gltf
from avatar_service.export.head_mesh import HeadMesh
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import MotionFrame

sys.path.insert(0, str(Path(__file__).parents[1] / "unit/export"))
from export_peers import khronos_report

pytestmark = pytest.mark.e2e

UPPER_LIP, LOWER_LIP, CHIN = 13, 14, 152


@pytest.fixture(scope="module")
def head() -> Iterator[HeadMesh]:
    pytest.importorskip("skimage", reason="the default portrait comes with scikit-image")
    try:
        yield head_from_portrait(load_portrait(None))
    except AvatarError as error:
        pytest.skip(error.message)


def test_its_file_validates(head: HeadMesh, tmp_path: Path) -> None:
    path = tmp_path / "portrait.glb"
    gltf.write(path, [MotionFrame(0), MotionFrame(33_333_333, 1)], Fraction(30), head=head)
    issues = khronos_report(path)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_lips_rest_together_and_the_jaw_opens_them(head: HeadMesh) -> None:
    def gap(points: np.ndarray) -> float:
        return float(points[UPPER_LIP, 1] - points[LOWER_LIP, 1])

    opened = head.vertices + head.deltas[EXPRESSION_INDEX["jawOpen"]]
    assert abs(gap(head.vertices)) < 0.02  # the photo smiles with parted lips
    assert gap(opened) > 0.2
    # The photo's own jaw is a little open already, so this is less than a whole opening.
    assert opened[CHIN, 1] < head.vertices[CHIN, 1] - 0.05


def test_axes_are_the_schemas(head: HeadMesh) -> None:
    left, right = head.vertices[263], head.vertices[33]  # outer eye corners of the subject
    assert left[0] - right[0] == pytest.approx(1, abs=0.02)
    assert head.vertices[CHIN, 1] < -0.8
    nose = head.vertices[1]
    assert nose[2] > left[2]
    for side, sign in (("Left", 1), ("Right", -1)):
        moved = np.linalg.norm(head.deltas[EXPRESSION_INDEX[f"eyeBlink{side}"]], axis=1)
        assert sign * (moved * head.vertices[:, 0]).sum() > 0
    assert head.normals[1, 2] > 0.5


def test_shoulders_stay(head: HeadMesh) -> None:
    assert head.head_weight is not None
    assert head.head_weight[1] == pytest.approx(1)
    # The torso's picture reaches lowest: its two lower corners.
    lowest = np.argsort(head.vertices[:, 1])[:2]
    assert not head.head_weight[lowest].any()
    assert np.ptp(head.vertices[lowest, 0]) > 3
