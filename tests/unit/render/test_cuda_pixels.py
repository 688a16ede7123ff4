"""The CUDA kernels draw what the CPU renderer draws, pixel by pixel.

This is the test that fails when the CPU renderer's picture changes and the kernels do not follow.
The kernels run as plain C++ here; tests/gpu compares the same frames on a device.
"""

from __future__ import annotations

import pytest
from fakes.cuda_scenes import Scene, compare, portraits, scenes
from fakes.host_device import HostDevice

from avatar_service.render.cuda.batch import BatchRenderer

pytestmark = pytest.mark.unit


def pairs() -> list[tuple[Scene, str]]:
    """Every scene on the first portrait, and every other one in turn on each of the others.

    A scene draws what it draws on any portrait; a portrait brings spectacles, a beard, no torso.
    tests/gpu takes all of both.
    """
    return [
        (scene, name)
        for k, scene in enumerate(scenes())
        for n, name in enumerate(portraits())
        if n == 0 or (k + n) % 2 == 0
    ]


@pytest.mark.parametrize(("scene", "name"), pairs(), ids=str)
def test_kernels_draw_what_the_cpu_draws(scene: Scene, name: str) -> None:
    compare(BatchRenderer(HostDevice()), name, scene)
