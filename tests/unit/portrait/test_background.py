import numpy as np
import pytest

from avatar_service.portrait.background import repair_background
from avatar_service.portrait.patch_fill import fill_by_patches

pytestmark = pytest.mark.unit


def stripes(size: int = 256) -> np.ndarray:
    """Vertical stripes 16 px wide, (size, size, 3) uint8."""
    columns = np.where(np.arange(size) // 16 % 2 == 0, 60, 190)
    return np.repeat(np.tile(columns, (size, 1))[..., None], 3, 2).astype(np.uint8)


def blob(size: int = 256, radius: int = 45) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    return (np.hypot(x, y) < radius).astype(np.float32)


def test_stripes_go_on_behind_the_person():
    picture, alpha = stripes(), blob()
    with_person = picture.copy()
    with_person[alpha > 0] = [200, 30, 30]
    repaired = repair_background(with_person, alpha).astype(float)
    y, x = np.mgrid[:256, :256] - 128
    ring = (np.hypot(x, y) > 38) & (np.hypot(x, y) < 45)
    error = np.abs(repaired - picture).mean(-1)[ring]
    # A smooth fill is wrong by 65 everywhere; continued stripes are right almost everywhere.
    assert np.median(error) < 15
    assert repaired[ring][:, 0].mean() - repaired[ring][:, 2].mean() < 10


def test_visible_room_is_untouched():
    picture, alpha = stripes(), blob()
    repaired = repair_background(picture, alpha)
    far = blob(radius=70) == 0
    assert np.array_equal(repaired[far], picture[far])


def test_same_photo_gives_the_same_fill():
    picture, alpha = stripes(), blob()
    a, b = repair_background(picture, alpha), repair_background(picture, alpha)
    assert np.array_equal(a, b)


def test_person_that_hides_everything_leaves_the_photo():
    picture = stripes()
    assert np.array_equal(repair_background(picture, np.ones((256, 256), np.float32)), picture)


def test_fill_reads_known_pixels_only():
    picture = stripes().astype(np.float32)
    known = blob() == 0
    wanted = ~known
    poisoned = picture.copy()
    poisoned[~known] = 1e4
    a = fill_by_patches(picture, known, wanted)
    b = fill_by_patches(poisoned, known, wanted)
    assert np.array_equal(a, b)
    assert a.max() < 256


def test_what_borders_on_the_person_goes_on_behind():
    # Grey beside the person, too narrow to copy patches from; red all around it.
    size, alpha = 256, blob()
    picture = np.full((size, size, 3), [170, 40, 40], np.uint8)
    picture[blob(radius=56) > 0] = [120, 120, 120]
    with_person = picture.copy()
    with_person[alpha > 0] = [40, 60, 200]
    repaired = repair_background(with_person, alpha).astype(float)
    ring = (blob(radius=40) > 0) & (blob(radius=32) == 0)
    assert np.abs(repaired[ring] - 120).mean() < 25


def test_a_scrap_that_the_person_cuts_is_not_drawn_out():
    # A white star on blue, half behind the person: it must not go on as a streak.
    size, alpha = 512, blob(512, 90)
    picture = np.full((size, size, 3), [30, 40, 110], np.uint8)
    picture[246:266, 150:180] = 235
    with_person = picture.copy()
    with_person[alpha > 0] = [40, 30, 20]
    repaired = repair_background(with_person, alpha).astype(float)
    assert repaired[256, 160].min() > 200
    assert np.abs(repaired[250:262, 182:195] - [30, 40, 110]).mean() < 30
