"""One lane of a device with the memory of a chunk of frames: queue it, wait for it, hand it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.render.cuda.device import Device, Lane, Memory
from avatar_service.render.cuda.layout import BATCH, FRAME, RASTER_LANES, TRACE
from avatar_service.render.cuda.pose import PoseBatch
from avatar_service.render.watermark import BLOCK_PX, dither_table
from avatar_service.signals import MotionFrame, UInt8Array

if TYPE_CHECKING:
    from avatar_service.render.cuda.renderer import CudaRenderer

_BLOCK: Final = 128
_TRACE_BLOCK: Final = 32
_PX_BYTES: Final = 4
OF_MARKS: Final = ("measure_detail", "mark_pixels")
"""Kernels that run only where a frame of the chunk is marked."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame to draw.

    Attributes:
        renderer: of the session.
        motion: its latent.
        out: (size_px, size_px, 4) uint8, filled when `draw` returns.
    """

    renderer: CudaRenderer
    motion: MotionFrame
    out: UInt8Array


class LaneBuffers:
    """A lane and the memory of one chunk on it."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._lane: Lane = device.make_lane()
        self._memory: dict[str, Memory] = {}
        table = dither_table().reshape(-1).view(np.uint8)
        self._dither = device.allocate(len(table))
        device.upload(self._dither, table)
        self._size_px = 0
        self._max_vertices = 0
        self._capacity = 0
        self._pending: list[tuple[int, Shot, UInt8Array | None]] = []
        self._pictures: list[UInt8Array] = []
        self.frames: NDArray[Any] = np.zeros(0, FRAME)
        self.poses = PoseBatch(0)

    @property
    def device_bytes(self) -> int:
        """Memory of the device."""
        return sum(one.num_bytes for one in self._memory.values())

    def reserve(self, num_frames: int, size_px: int, max_vertices: int) -> None:
        """Have room for a chunk."""
        num_px = size_px * size_px
        self._size_px = size_px
        if num_frames > self._capacity or max_vertices > self._max_vertices:
            self._capacity = max(num_frames, self._capacity)
            self._max_vertices = max(max_vertices, self._max_vertices)
            count = self._capacity
            # Frames and the batch's record lie together: one copy brings both.
            self._staged = self._device.allocate_pinned(BATCH.itemsize + count * FRAME.itemsize)
            self._batch = self._staged[: BATCH.itemsize].view(BATCH)
            self.frames = self._staged[BATCH.itemsize :].view(FRAME)
            self._faults = self._device.allocate_pinned(4 * count)
            self.poses = PoseBatch(count)
            vertices = count * self._max_vertices
            for name, num_bytes in (
                ("input", len(self._staged)),
                ("vertices", 12 * vertices),
                ("camera", 12 * vertices),
                ("shading", 4 * vertices),
                ("traces", count * TRACE.itemsize),
                ("faults", 4 * count),
            ):
                self._need(name, num_bytes)
        self._need("visibility", 8 * num_frames * num_px)
        self._need("out", _PX_BYTES * num_frames * num_px)
        self._need("strength", 4 * num_frames * num_px // BLOCK_PX**2)

    def begin(
        self,
        avatars: int,
        num_vertices: int,
        num_triangles: int,
        places: list[int],
        shots: Sequence[Shot],
    ) -> None:
        """Queue a chunk whose `frames` are filled; returns before it is drawn."""
        lane, memory, count = self._lane, self._memory, len(shots)
        num_px = self._size_px**2
        has_marks = bool(self.frames["mark"][:count].any())
        batch = self._batch[0]
        batch["avatars"] = avatars
        batch["frames"] = memory["input"].address + BATCH.itemsize
        batch["dither"] = self._dither.address
        for name, used in memory.items():
            if name != "input":
                batch[name] = used.address
        batch["num_frames"], batch["size_px"] = count, self._size_px
        batch["max_vertices"] = self._max_vertices
        lane.write(memory["input"].address, self._staged[: BATCH.itemsize + count * FRAME.itemsize])
        lane.fill(memory["faults"].address, 4 * count, 0)
        lane.fill(memory["visibility"].address, 8 * count * num_px, 0xFF)
        at = memory["input"].address
        for kernel, grid, block in (
            ("pose_vertices", (_blocks(num_vertices, _BLOCK), count), _BLOCK),
            ("shade_vertices", (_blocks(num_vertices, _BLOCK), count), _BLOCK),
            ("trace_features", (4, _blocks(count, _TRACE_BLOCK)), _TRACE_BLOCK),
            ("raster_triangles", (_blocks(num_triangles * RASTER_LANES, _BLOCK), count), _BLOCK),
            ("draw_pixels", (_blocks(num_px, _BLOCK), count), _BLOCK),
            ("measure_detail", (_blocks(num_px // BLOCK_PX**2, _BLOCK), count), _BLOCK),
            ("mark_pixels", (_blocks(num_px, _BLOCK), count), _BLOCK),
        ):
            if kernel in OF_MARKS and not has_marks:
                continue
            lane.launch(kernel, grid, block, at)
        for n, (place, shot) in enumerate(zip(places, shots, strict=True)):
            flat = shot.out.reshape(-1)
            staged: UInt8Array | None = None
            if not shot.renderer.is_pinned(shot.out):
                staged = self._staging(n, num_px * _PX_BYTES)
            lane.read(
                flat if staged is None else staged, memory["out"].address + n * num_px * _PX_BYTES
            )
            self._pending.append((place, shot, staged))
        lane.read(self._faults[: 4 * count], memory["faults"].address)

    def abandon(self) -> None:
        """Forget the chunk that was begun: the device has failed."""
        self._pending.clear()

    def finish(self, outcomes: list[AvatarError | None]) -> None:
        """Wait for the chunk that was begun and hand its pictures out."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        self._lane.wait()
        faults = self._faults.view(np.int32)
        for n, (place, shot, staged) in enumerate(pending):
            if faults[n]:
                outcomes[place] = AvatarError(
                    Reason.BUG, "The mesh left its bounds; the frame is not drawn."
                )
            elif staged is not None:
                shot.out.reshape(-1)[:] = staged

    def _staging(self, n: int, num_bytes: int) -> UInt8Array:
        """Return pinned memory for the n-th picture of the chunk."""
        if n >= len(self._pictures) or len(self._pictures[n]) < num_bytes:
            fresh = self._device.allocate_pinned(num_bytes)
            self._pictures[n : n + 1] = [fresh]
        return self._pictures[n][:num_bytes]

    def _need(self, name: str, num_bytes: int) -> None:
        found = self._memory.get(name)
        if found is None or found.num_bytes < num_bytes:
            self._memory.pop(name, None)
            self._memory[name] = self._device.allocate(num_bytes)


def _blocks(count: int, block: int) -> int:
    return -(-count // block)
