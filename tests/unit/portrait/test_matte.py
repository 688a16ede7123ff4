import numpy as np
import pytest

from avatar_service.portrait.matte import include_strands

pytestmark = pytest.mark.unit

SIZE = 256


def scene(room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of a round person with a strand that the matte does not know."""
    y, x = np.mgrid[:SIZE, :SIZE]
    person = np.hypot(x - 128, y - 128) < 50
    picture = room.copy()
    picture[person] = [90, 60, 50]
    picture[126:132, 170:184] = [90, 60, 50]
    picture[40:46, 40:46] = [90, 60, 50]  # something in the room
    return picture, person.astype(np.float32)


def noise(strength: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    room = 190 + strength * rng.standard_normal((SIZE, SIZE, 3))
    return np.clip(room, 0, 255).astype(np.uint8)


def test_a_strand_before_a_plain_room_belongs_to_the_person():
    picture, alpha = scene(noise(3))
    found = include_strands(picture, alpha)
    assert found[128:130, 179:182].min() > 0.8
    assert found[43, 43] == 0
    y, x = np.mgrid[:SIZE, :120]
    away = np.hypot(x - 128, y - 128) > 53
    assert found[:, :120][away].max() < 0.1


def test_a_busy_room_tells_nothing():
    room = noise(3)
    room[:, SIZE // 2 + 58 :] //= 3
    room[::9] //= 2
    picture, alpha = scene(room)
    assert np.array_equal(include_strands(picture, alpha), alpha)
