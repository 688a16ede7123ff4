"""The torso's layer: where it lies, and that it is laid under the person."""

import numpy as np
import pytest

from avatar_service.render.projection import make_projection
from avatar_service.render.torso import NUM_PLACE, draw_under, place_torso

pytestmark = pytest.mark.unit

FRAME, FOCAL = 512, 1200.0
LAYER = np.array([80.0, 2.0, 128.5, 128.5 - 600], np.float32)
"""Two texels per px, a margin of 64 px, rows from 600 on."""


def placed(shift=(0.0, 0.0, 0.0, 0.0), out_px=FRAME):
    place = np.zeros(NUM_PLACE, np.float32)
    projection = make_projection(FRAME, FOCAL, out_px)
    layer = LAYER.copy()
    if out_px != FRAME:
        layer[1:] = [1.0, 64.0, 64.0 - 300]
    place_torso(np.array(shift, np.float32), projection, layer, place)
    return place


def test_at_rest_the_layer_lies_on_the_photo() -> None:
    assert np.allclose(placed(), [2, 128.5, 2, 128.5 - 600], atol=1e-3)


@pytest.mark.parametrize("out_px", [256, 512])
def test_it_moves_as_a_point_of_the_torso_does(out_px: int) -> None:
    shift = (9.0, -5.0, -150.0, 0.01)
    scale, center = out_px / FRAME, (FRAME - 1) / 2
    for point in ((100.0, 420.0), (400.0, 500.0)):
        rest = (np.array(point) - center) * (1 + LAYER[0] / FOCAL)
        posed = rest * [1 + shift[3], 1] + shift[:2]
        k = FOCAL / (FOCAL + LAYER[0] + shift[2])
        x, y = (k * posed + center + 0.5) * scale - 0.5
        place, still = placed(shift, out_px), placed(out_px=out_px)
        at_rest = (np.array(point) + 0.5) * scale - 0.5
        assert place[0] * x + place[1] == pytest.approx(still[0] * at_rest[0] + still[1], abs=0.01)
        assert place[2] * y + place[3] == pytest.approx(still[2] * at_rest[1] + still[3], abs=0.01)


def test_what_is_opaque_stays_and_what_is_not_shows_the_layer() -> None:
    rng = np.random.default_rng(3)
    size, rows, columns = 8, 10, 20
    texels = rng.integers(0, 256, (rows, columns, 4), np.uint8)
    texels[..., 3] = 255
    person = np.zeros((size, size, 4), np.uint8)
    person[2:6, 2:6] = (10, 20, 30, 255)
    person[6, 3] = (40, 40, 40, 128)
    words = person.reshape(-1).view(np.uint32)
    place = np.array([2.0, 1.0, 1.0, -2.0], np.float32)  # two rows are above the layer
    draw_under(
        words, np.ascontiguousarray(texels).reshape(-1).view(np.uint32), columns, place, size
    )
    assert not person[:2].any()
    assert (person[2:6, 2:6] == (10, 20, 30, 255)).all()
    assert (person[4, 7] == texels[2, 15]).all()
    expected = 40 + texels[4, 7, :3] * (127 / 255)
    assert np.abs(person[6, 3, :3] - expected).max() <= 2
    assert person[6, 3, 3] >= 253
