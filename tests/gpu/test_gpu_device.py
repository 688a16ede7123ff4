"""The same checks as on the host, on a real device; skipped, and said so, where there is none.

Throughput is measured by `avatar bench render --device cuda:0`, never judged here.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from fakes.cuda_scenes import Scene, compare, portrait, portraits, scenes

from avatar_service.errors import AvatarError
from avatar_service.render.bench import moving_frame
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.cuda.batch import BatchRenderer
from avatar_service.render.cuda.bench import bench_batch
from avatar_service.render.cuda.cupy_device import open_cuda
from avatar_service.render.cuda.renderer import CudaRenderer
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.transports.ring import RingGeometry, RingWriter

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def batch() -> BatchRenderer:
    try:
        return BatchRenderer(open_cuda(0))
    except AvatarError as error:
        pytest.skip(f"NOT RUN, no GPU was compared with the CPU: {error}")


@pytest.mark.parametrize("name", portraits())
@pytest.mark.parametrize("scene", scenes(), ids=str)
def test_the_device_draws_what_the_cpu_draws(batch: BatchRenderer, name: str, scene: Scene) -> None:
    compare(batch, name, scene)


def test_the_device_copies_straight_into_the_slots_of_a_ring(batch: BatchRenderer) -> None:
    size = 256
    ring = RingWriter(RingGeometry(size, size), Fraction(40))
    cuda = CudaRenderer(batch, ScaledPortrait.of(portrait("astronaut"), size))
    cpu = CpuRenderer(portrait("astronaut"), size)
    expected = np.zeros((size, size, 4), np.uint8)
    pinned = []
    try:
        for k in range(20):  # more frames than slots
            slot = ring.acquire()
            assert slot is not None
            cuda.render(moving_frame(k), slot)
            cpu.render(moving_frame(k), expected)
            pinned.append(cuda.is_pinned(slot))
            difference = np.abs(slot.astype(np.int16) - expected).max(2)
            assert (difference > 2).mean() <= 1e-3
            ring.publish(moving_frame(k), slot)
            del slot
    finally:
        cuda.close()
        ring.close()
    assert len(set(pinned)) == 1, "some slots are pinned and others are not"


def test_a_large_batch_gives_the_pictures_of_a_small_one(batch: BatchRenderer) -> None:
    person, size, count = portrait("astronaut"), 256, 96
    renderers = [CudaRenderer(batch, ScaledPortrait.of(person, size)) for _ in range(count)]
    places = [np.zeros((size, size, 4), np.uint8) for _ in range(count)]
    shots = [one.shot(moving_frame(3), out) for one, out in zip(renderers, places, strict=True)]
    assert batch.draw(shots) == [None] * count
    assert all((place == places[0]).all() for place in places)
    for one in renderers:
        one.close()


def test_the_benchmark_runs(batch: BatchRenderer) -> None:
    figures = bench_batch(batch, portrait("astronaut"), avatars=4, ticks=5, size_px=256)
    assert figures["frames_per_second"] > 0
    assert batch.num_avatars == 0
