"""What renderers of one person share, and what each has to itself."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.errors import AvatarError
from avatar_service.render.bench import moving_frame
from avatar_service.render.canvases import Canvases, canvases
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.signals import Background, UInt8Array

pytestmark = pytest.mark.unit
SIZE = 256


@pytest.fixture(scope="module")
def scaled() -> ScaledPortrait:
    return ScaledPortrait.of(astronaut(), SIZE)


def drawn(renderer: CpuRenderer, k: int) -> UInt8Array:
    out = np.zeros((renderer.size_px, renderer.size_px, 4), np.uint8)
    renderer.render(moving_frame(k), out)
    return out


def arrays_in(thing: Any, seen: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Arrays that an object of ours holds, by the identity of their memory."""
    if isinstance(thing, np.ndarray):
        while isinstance(thing.base, np.ndarray):
            thing = thing.base
        seen[id(thing)] = thing
    elif isinstance(thing, dict):
        for value in thing.values():
            arrays_in(value, seen)
    elif dataclasses.is_dataclass(thing):
        for item in dataclasses.fields(thing):
            arrays_in(getattr(thing, item.name), seen)
    elif type(thing).__module__.startswith("avatar_service"):
        arrays_in(getattr(thing, "__dict__", {}), seen)
    return seen


def test_renderers_that_share_draw_what_one_alone_draws(scaled: ScaledPortrait) -> None:
    alone = [drawn(CpuRenderer(astronaut(), SIZE), k) for k in (3, 11)]
    one, other = CpuRenderer.of(scaled), CpuRenderer.of(scaled)
    for _ in range(2):
        assert np.array_equal(drawn(one, 3), alone[0])
        assert np.array_equal(drawn(other, 11), alone[1])


def test_renderers_that_share_draw_at_once(scaled: ScaledPortrait) -> None:
    renderers = [CpuRenderer.of(scaled) for _ in range(4)]
    expected = [drawn(CpuRenderer.of(scaled), k) for k in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(10):
            for got, wanted in zip(threads.map(drawn, renderers, range(4)), expected, strict=True):
                assert np.array_equal(got, wanted)


def test_drawing_changes_nothing_that_is_shared(scaled: ScaledPortrait) -> None:
    before = {key: array.copy() for key, array in arrays_in(scaled, {}).items()}
    renderer = CpuRenderer.of(scaled)
    renderer.warm_up()
    for k, background in enumerate(Background):
        renderer.set_background(background)
        drawn(renderer, 5 * k)
    for key, array in arrays_in(scaled, {}).items():
        assert np.array_equal(array, before[key])


def test_a_renderer_owns_little() -> None:
    """A session's own share of the memory; docs/operations.md states it."""
    large = ScaledPortrait.of(astronaut(), 512)
    renderer = CpuRenderer.of(large)
    renderer.warm_up()
    shared = arrays_in(large, {})
    own = {key: a for key, a in arrays_in(renderer, {}).items() if key not in shared}
    assert sum(array.nbytes for array in shared.values()) > 10e6
    assert sum(array.nbytes for array in own.values()) < 0.5e6


def test_a_portrait_is_not_kept_by_what_was_made_of_it() -> None:
    portrait = dataclasses.replace(astronaut(), texture=astronaut().texture.copy())
    texture = weakref.ref(portrait.texture)
    renderer = CpuRenderer(portrait, SIZE)
    del portrait
    gc.collect()
    assert texture() is None
    drawn(renderer, 1)


def test_canvases_are_as_many_as_frames_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_service.render.canvases._MOST_KEPT", 2)
    mine = Canvases(64)
    with mine.lent() as first, mine.lent() as second, mine.lent() as third:
        assert len({id(first), id(second), id(third)}) == 3
    assert mine.num_free == 2  # no more than are drawn at once for long
    with mine.lent() as again:
        assert again is first or again is second


def test_a_canvas_comes_back_after_an_error() -> None:
    mine = Canvases(64)
    with pytest.raises(ValueError, match="broken"), mine.lent() as canvas:
        raise ValueError("broken")
    with mine.lent() as again:
        assert again is canvas


def test_canvases_go_with_the_last_renderer_of_their_size() -> None:
    held = canvases(16)
    assert canvases(16) is held
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None


def test_sizes_that_are_not_offered_are_refused() -> None:
    with pytest.raises(AvatarError, match="Size 300"):
        ScaledPortrait.of(astronaut(), 300)
