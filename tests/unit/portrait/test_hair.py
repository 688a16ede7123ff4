import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.portrait import topology

pytestmark = pytest.mark.unit


def test_hair_hangs_loosely_and_the_face_and_torso_not():
    geometry = astronaut().geometry
    sway = geometry.sway
    assert not sway[: geometry.num_face].any()
    assert not sway[geometry.skin_weight == 0].any()
    assert 0.05 < sway.max() <= 0.7
    places = (geometry.uv - 0.5) / 2
    oval = places[list(topology.FACE_OVAL)]
    above = (places[:, 1] < oval[:, 1].min() - 10) & (np.abs(places[:, 0] - oval[0, 0]) < 60)
    chin = oval[:, 1].max()
    throat = (places[:, 1] > chin + 8) & (np.abs(places[:, 0] - oval[0, 0]) < 30)
    assert sway[above].max() > 0.05
    assert sway[throat].max() < 0.05


def test_a_high_collar_stays_with_the_shoulders():
    # The ring of the space suit stands beside the chin; hair at that height would follow the head.
    geometry = astronaut().geometry
    places = (geometry.uv - 0.5) / 2
    oval = places[list(topology.FACE_OVAL)]
    chin, middle, unit = oval[:, 1].max(), oval[0, 0], geometry.unit_px
    outer = np.arange(len(places)) >= geometry.num_face
    beside = np.abs(np.abs(places[:, 0] - middle) / unit - 0.95) < 0.15
    collar = (
        outer & beside & (places[:, 1] > chin - 0.05 * unit) & (places[:, 1] < chin + 0.3 * unit)
    )
    hair = outer & beside & (places[:, 1] < chin - 1.0 * unit)
    assert np.median(geometry.skin_weight[collar]) < 0.1
    assert geometry.skin_weight[hair].min() > 0.9
