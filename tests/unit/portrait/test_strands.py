import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.portrait import topology
from avatar_service.portrait.strands import MOST, NUM_KINDS

pytestmark = pytest.mark.unit


def test_tips_swing_and_roots_face_and_clothes_do_not():
    geometry = astronaut().geometry
    amounts, unit = geometry.strand_amount, geometry.unit_px
    places = (geometry.uv - 0.5) / 2
    oval = places[list(topology.FACE_OVAL)]
    above = (np.abs(places[:, 0] - oval[:, 0].mean()) < 0.5 * unit) & (
        places[:, 1] < oval[:, 1].min()
    )
    roots = above & (places[:, 1] > oval[:, 1].min() - 0.12 * unit)
    assert amounts[roots].max() < 0.1 * MOST
    assert amounts[above].max() > 0.6 * MOST
    assert not amounts[: geometry.num_face].any()
    assert not amounts[geometry.skin_weight < 0.5].any()


def test_strands_are_of_many_kinds():
    geometry = astronaut().geometry
    kinds = geometry.strand_kind[geometry.strand_amount > 0.2 * MOST]
    counts = np.histogram(kinds, NUM_KINDS - 1, (0, NUM_KINDS - 1))[0]
    assert len(kinds) > 40
    assert (counts > 0).sum() >= NUM_KINDS - 3
    assert kinds.std() > 1
    assert kinds.max() < NUM_KINDS - 1
