"""What of a texture reaches the raster."""

import numpy as np
import pytest

from avatar_service.render.person_texture import _calm

pytestmark = pytest.mark.unit

SIDE = 96


def flat(grey: int) -> np.ndarray:
    texture = np.full((SIDE, SIDE, 4), 255, np.uint8)
    texture[..., :3] = grey
    return texture


def test_detail_finer_than_a_pixel_is_taken_away_and_other_detail_is_not():
    columns = np.arange(SIDE)
    hairs, soft = flat(120), flat(120)
    hairs[..., :3] += (60 * (columns % 2)).astype(np.uint8)[None, :, None]
    soft[..., :3] += np.rint(60 * np.sin(columns / 3.5) ** 2).astype(np.uint8)[None, :, None]
    inner = slice(12, -12)
    assert np.ptp(_calm(hairs)[inner, inner, 0]) <= 4
    kept = _calm(soft)[inner, inner, 0].astype(int)
    assert np.abs(kept - soft[inner, inner, 0]).max() <= 6


def test_colours_stay_premultiplied():
    rng = np.random.default_rng(3)
    texture = rng.integers(0, 256, (SIDE, SIDE, 4)).astype(np.uint8)
    texture[..., :3] = np.minimum(texture[..., :3], texture[..., 3:])
    calm = _calm(texture).astype(int)
    assert (calm[..., :3] <= calm[..., 3:] + 1).all()
