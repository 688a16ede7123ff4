"""Where pictures are drawn: `cpu`, or `cuda:N`; one renderer per session either way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_service.render.cuda.batch import BatchRenderer
    from avatar_service.render.renderer import Renderer
    from avatar_service.render.scaled_portrait import ScaledPortrait

AUTO: Final = "auto"
CPU: Final = "cpu"


class RenderDevice(Protocol):
    """Makes renderers that draw in one place. Thread-safe."""

    @property
    def name(self) -> str:
        """`cpu` or `cuda:N`."""
        ...

    def make_renderer(self, scaled: ScaledPortrait, *, neutralize: float = 1.0) -> Renderer:
        """Make a renderer, see CpuRenderer. Raises CAPACITY_EXHAUSTED where memory is short."""
        ...


class CpuDevice:
    """This process's own cores."""

    name = CPU

    def make_renderer(self, scaled: ScaledPortrait, *, neutralize: float = 1.0) -> Renderer:
        """Make a renderer that draws on the calling thread."""
        # Late: a command looks at its device before it loads what draws.
        from avatar_service.render.cpu import CpuRenderer

        return CpuRenderer.of(scaled, neutralize=neutralize)


class CudaDevice:
    """A GPU; all its sessions share one batch renderer."""

    def __init__(self, batch: BatchRenderer) -> None:
        self.name = batch.device.name
        self.batch = batch

    def make_renderer(self, scaled: ScaledPortrait, *, neutralize: float = 1.0) -> Renderer:
        """Make a renderer that draws alone or in a batch."""
        from avatar_service.render.cuda.renderer import CudaRenderer

        return CudaRenderer(self.batch, scaled, neutralize=neutralize)


def parse_device(device: str) -> int | None:
    """Return N of cuda:N, None for the CPU. Raises INVALID_FIELD.

    `auto` is the CPU: a GPU is used where it is named.
    """
    if device in (AUTO, CPU):
        return None
    found = re.fullmatch(r"cuda(?::(\d{1,3}))?", device)
    if found is None:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"device {device!r}: auto, cpu or cuda:N is allowed",
            field="device",
        )
    return int(found[1] or 0)


def open_render_device(device: str) -> RenderDevice:
    """Open what --device names; a GPU compiles its kernels now (seconds on the first start).

    Raises:
        AvatarError: INVALID_FIELD, or DEVICE_NOT_AVAILABLE with what is missing.
    """
    index = parse_device(device)
    if index is None:
        return CpuDevice()
    # CuPy is an extra, and nothing of it is loaded where it is not asked for.
    from avatar_service.render.cuda.batch import BatchRenderer
    from avatar_service.render.cuda.cupy_device import open_cuda

    return CudaDevice(BatchRenderer(open_cuda(index)))
