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


@pytest.mark.parametrize("name", portraits())
@pytest.mark.parametrize("scene", scenes(), ids=str)
def test_kernels_draw_what_the_cpu_draws(name: str, scene: Scene) -> None:
    compare(BatchRenderer(HostDevice()), name, scene)
