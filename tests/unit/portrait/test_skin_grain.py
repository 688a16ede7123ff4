from dataclasses import replace

import numpy as np
import pytest
from fakes import synthetic_face as face

from avatar_service.portrait.skin_grain import quilt_skin

pytestmark = pytest.mark.unit


def test_a_quilt_is_as_strong_a_pattern_as_the_skin_without_its_tone():
    fit = face.make_fit()
    noise = np.random.default_rng(1).normal(0, 4, fit.image2x.shape)
    image = np.clip(fit.image2x + noise, 0, 255).astype(np.float32)
    quilt = quilt_skin(image, replace(fit, image2x=image.astype(np.uint8)), (90, 140))
    assert quilt.shape == (90, 140, 3)
    assert 0.8 < quilt.std() / noise.std() < 1.2
    assert np.abs(quilt.mean((0, 1))).max() < 0.5
    assert np.array_equal(quilt, quilt_skin(image, fit, (90, 140)))
