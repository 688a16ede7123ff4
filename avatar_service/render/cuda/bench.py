"""How many frames a device draws into host memory, against the copy that bounds it."""

from __future__ import annotations

import dataclasses
import mmap
import time
from typing import Final

import numpy as np

from avatar_service.portrait.portrait import Portrait
from avatar_service.render.bench import moving_frame
from avatar_service.render.cuda.batch import BatchRenderer
from avatar_service.render.cuda.lane_buffers import Shot
from avatar_service.render.cuda.renderer import CudaRenderer
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.signals import UInt8Array

_PX_BYTES: Final = 4
_WARM_TICKS: Final = 3


def bench_batch(
    batch: BatchRenderer, portrait: Portrait, *, avatars: int, ticks: int, size_px: int
) -> dict[str, float]:
    """Draw `avatars` different people at every tick, as many ticks as asked for.

    Every avatar has a portrait of its own on the device (copies of the one given) and a place of
    its own in host memory, mapped like a slot of a ring.

    Returns:
        tick_ms_p50, tick_ms_p99: wall time until all pictures lie in host memory.
        frames_per_second, avatars_at_40_fps: from the median.
        cpu_ms_per_frame: of the calling thread.
        copied_gb_per_second: pictures alone; floor_gb_per_second: the same bytes copied without
        drawing; share_of_floor: the one by the other.
        avatar_mb, scratch_mb: memory of the device, per avatar and for all together.
        is_pinned: 1 where the device copies straight into the places.
    """
    places = [_map_place(size_px) for _ in range(avatars)]
    scaled = ScaledPortrait.of(portrait, size_px)
    copies = [
        dataclasses.replace(scaled, content_hash=f"{scaled.content_hash}-{k}")
        for k in range(avatars)
    ]
    renderers = [CudaRenderer(batch, copy) for copy in copies]
    try:
        walls = np.zeros(ticks)
        cpu_secs = 0.0
        for tick in range(-_WARM_TICKS, ticks):
            shots = [
                Shot(one, moving_frame(tick + 7 * k), place)
                for k, (one, place) in enumerate(zip(renderers, places, strict=True))
            ]
            started, cpu_started = time.perf_counter(), time.thread_time()
            for error in batch.draw(shots):
                if error is not None:
                    raise error
            if tick >= 0:
                walls[tick] = time.perf_counter() - started
                cpu_secs += time.thread_time() - cpu_started
        floor_secs = _copy_secs(batch, places)
        num_bytes = avatars * size_px * size_px * _PX_BYTES
        median = float(np.median(walls))
        return {
            "avatars": avatars,
            "tick_ms_p50": median * 1e3,
            "tick_ms_p99": float(np.percentile(walls, 99)) * 1e3,
            "frames_per_second": avatars / median,
            "avatars_at_40_fps": avatars / median / 40,
            "cpu_ms_per_frame": cpu_secs / (ticks * avatars) * 1e3,
            "copied_gb_per_second": num_bytes / median / 1e9,
            "floor_gb_per_second": num_bytes / floor_secs / 1e9,
            "share_of_floor": floor_secs / median,
            "avatar_mb": batch.avatar_bytes / batch.num_avatars / 1e6,
            "scratch_mb": batch.scratch_bytes / 1e6,
            "is_pinned": float(all(r.is_pinned(p) for r, p in zip(renderers, places, strict=True))),
        }
    finally:
        for one in renderers:
            one.close()


def _map_place(size_px: int) -> UInt8Array:
    memory = mmap.mmap(-1, size_px * size_px * _PX_BYTES)
    return np.frombuffer(memory, np.uint8).reshape(size_px, size_px, _PX_BYTES)


def _copy_secs(batch: BatchRenderer, places: list[UInt8Array], times: int = 10) -> float:
    """Return the median time of copying a picture into every place, pinned as they are."""
    device = batch.device
    device.use()
    lane, memory = device.make_lane(), device.allocate(places[0].nbytes)
    found = []
    for _ in range(times):
        started = time.perf_counter()
        for place in places:
            lane.read(place.reshape(-1), memory.address)
        lane.wait()
        found.append(time.perf_counter() - started)
    return float(np.median(found))
