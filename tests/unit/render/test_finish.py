import numpy as np
import pytest

from avatar_service.errors import AvatarError
from avatar_service.render import watermark
from avatar_service.render.finish import Finish

pytestmark = pytest.mark.unit
PATTERN = (np.random.default_rng(0).standard_normal((128, 128)).clip(-3.9, 3.9) * 32).astype(
    np.int8
)


def frame(level: int = 128, alpha: int = 255, size: int = 256) -> np.ndarray:
    out = np.full((size, size, 4), level, np.uint8)
    out[..., 3] = alpha
    return out


def marked(out: np.ndarray) -> np.ndarray:
    finish = Finish(out.shape[0])
    finish.set_mark(PATTERN)
    copy = out.copy()
    finish.apply(copy)
    return copy


def by_definition(out: np.ndarray) -> np.ndarray:
    """The kernel's rule in plain NumPy."""
    green = out[..., 1].astype(int)
    size = len(out)
    right = np.abs(np.diff(green, axis=1, append=green[:, -1:]))
    below = np.abs(np.diff(green, axis=0, append=green[-1:]))
    blocks = (right + below).reshape(size // 8, 8, size // 8, 8)[:, :7, :, :7].sum((1, 3))
    lines = [first + blocks * rise // 49 for first, rise in (watermark.FLAT, watermark.TEXTURED)]
    strength = np.minimum(np.minimum(*lines), watermark.STRONGEST)
    strength = np.repeat(np.repeat(strength, 8, 0), 8, 1)
    times = size // 128
    share = np.tile(PATTERN, (times, times)).astype(int) * strength
    change = (share + np.tile(watermark.dither_table(), (times, times))) >> 11
    result = out.copy()
    result[..., :3] = np.clip(out[..., :3] + change[..., None], 0, 255)
    result[out[..., 3] == 0] = out[out[..., 3] == 0]
    return result


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_the_kernel_does_what_its_rule_says(size: int) -> None:
    draw = np.random.default_rng(1)
    out = draw.integers(0, 256, (size, size, 4)).astype(np.uint8)
    out[: size // 2] = 200 + out[: size // 2] // 64
    out[::5, :, 3] = 0
    assert np.array_equal(marked(out), by_definition(out))


def test_luma_moves_and_colour_and_alpha_stay() -> None:
    out = frame()
    out[..., 0] = 90
    change = marked(out).astype(int) - out
    assert change[..., 3].any() == False  # noqa: E712
    assert np.array_equal(change[..., 0], change[..., 1])
    assert np.array_equal(change[..., 1], change[..., 2])
    assert 0.3 < change[..., 0].std() < 1.0
    assert abs(change[..., 0].mean()) < 0.05


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_do_not_wrap_around(level: int) -> None:
    assert np.abs(marked(frame(level)).astype(int)[..., :3] - level).max() <= 4


def test_a_transparent_frame_stays_empty() -> None:
    out = frame(0, alpha=0)
    assert np.array_equal(marked(out), out)


def test_nothing_is_laid_over_until_it_is_set() -> None:
    out = frame()
    before = out.copy()
    Finish(256).apply(out)
    assert np.array_equal(out, before)


def test_a_pattern_of_another_kind_is_refused() -> None:
    with pytest.raises(AvatarError):
        Finish(256).set_mark(PATTERN.astype(np.int16))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [256, 512, 1024])
@pytest.mark.parametrize("alpha", [255, 0])
def test_the_badge_stands_in_the_corner_and_is_opaque_where_it_says_something(
    size: int, alpha: int
) -> None:
    out = frame(128 if alpha else 0, alpha, size)
    before = out.copy()
    finish = Finish(size)
    finish.set_badge(True)
    finish.apply(out)
    changed = np.argwhere((out != before).any(2))
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert top > 0.9 * size
    assert bottom < 0.99 * size
    assert left < 0.05 * size
    assert 0.15 * size < right < 0.4 * size
    assert out[top : bottom + 1, left : right + 1, 0].max() > 230
    assert out[top : bottom + 1, left : right + 1, 3].max() == 255
    finish.set_badge(False)
    again = before.copy()
    finish.apply(again)
    assert np.array_equal(again, before)
