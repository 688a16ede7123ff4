"""A batch of different people and sizes; faults stay with their shot, memory comes back."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from fakes.cuda_scenes import portrait
from fakes.host_device import HostDevice

from avatar_service.errors import AvatarError, Reason
from avatar_service.render.bench import moving_frame
from avatar_service.render.cuda.batch import BatchRenderer
from avatar_service.render.cuda.bench import bench_batch
from avatar_service.render.cuda.lane_buffers import OF_MARKS
from avatar_service.render.cuda.program import KERNELS
from avatar_service.render.cuda.renderer import CudaRenderer
from avatar_service.render.devices import CpuDevice, open_render_device
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.signals import MARK_TILE_PX, Background, MotionFrame

pytestmark = pytest.mark.unit


def blank(size: int) -> np.ndarray:
    return np.zeros((size, size, 4), np.uint8)


def scaled(size: int) -> ScaledPortrait:
    return ScaledPortrait.of(portrait("astronaut"), size)


def alone(size: int, k: int) -> np.ndarray:
    out = blank(size)
    CudaRenderer(BatchRenderer(HostDevice()), scaled(size)).render(moving_frame(k), out)
    return out


def test_sizes_and_backgrounds_mix_in_one_batch_and_chunks_do_not_show() -> None:
    batch = BatchRenderer(HostDevice(), chunk_px=2 * 256 * 256)
    sizes = (256, 512, 256, 256)
    renderers = [CudaRenderer(batch, scaled(size)) for size in sizes]
    renderers[2].set_background(Background.COLOR, (1, 2, 3))
    places = [blank(size) for size in sizes]
    shots = [one.shot(moving_frame(5), out) for one, out in zip(renderers, places, strict=True)]
    assert batch.draw(shots) == [None] * 4
    assert (places[0] == places[3]).all()
    assert (places[0] == alone(256, 5)).all()
    assert (places[1] == alone(512, 5)).all()
    assert (places[2][0, 0] == (1, 2, 3, 255)).all()
    launched = batch.device.launches  # type: ignore[attr-defined]
    # Two chunks of 256 px and one of 512 px; nothing is marked.
    assert launched == 3 * [name for name in KERNELS if name not in OF_MARKS]
    assert batch.num_avatars == 2


def test_a_latent_that_is_not_finite_stays_with_its_shot() -> None:
    batch = BatchRenderer(HostDevice())
    good, bad = (CudaRenderer(batch, scaled(256)) for _ in range(2))
    broken = MotionFrame(pts_nanos=0, head_rotation=np.full(3, np.nan, np.float32))
    places = [blank(256), blank(256)]
    outcomes = batch.draw([bad.shot(broken, places[0]), good.shot(moving_frame(5), places[1])])
    assert outcomes[0] is not None
    assert outcomes[0].reason is Reason.INVALID_FIELD
    assert outcomes[1] is None
    assert not places[0].any()
    assert (places[1] == alone(256, 5)).all()
    with pytest.raises(AvatarError, match="not finite"):
        bad.render(broken, places[0])


def test_a_mesh_out_of_bounds_is_told_and_the_others_are_drawn() -> None:
    batch = BatchRenderer(HostDevice())
    person = portrait("astronaut")
    far = dataclasses.replace(person.geometry, rest=person.geometry.rest * np.float32(1e8))
    broken = dataclasses.replace(person, geometry=far, content_hash="broken")
    bad, good = (CudaRenderer(batch, ScaledPortrait.of(one, 256)) for one in (broken, person))
    places = [blank(256), blank(256)]
    outcomes = batch.draw(
        [bad.shot(moving_frame(5), places[0]), good.shot(moving_frame(5), places[1])]
    )
    assert outcomes[0] is not None
    assert outcomes[0].reason is Reason.BUG
    assert (places[1] == alone(256, 5)).all()


def test_marked_and_unmarked_frames_mix_in_one_chunk() -> None:
    batch = BatchRenderer(HostDevice())
    plain, marked = (CudaRenderer(batch, scaled(256)) for _ in range(2))
    marked.set_mark(np.full((MARK_TILE_PX, MARK_TILE_PX), 127, np.int8))
    places = [blank(256), blank(256)]
    shots = [
        one.shot(moving_frame(5), out) for one, out in zip((plain, marked), places, strict=True)
    ]
    assert batch.draw(shots) == [None, None]
    assert batch.device.launches == list(KERNELS)  # type: ignore[attr-defined]
    assert (places[0] == alone(256, 5)).all()
    brighter = places[1].astype(int) - places[0]
    assert brighter[..., :3].mean() > 1
    assert not brighter[..., 3].any()
    marked.set_mark(None)
    assert batch.draw(shots) == [None, None]
    assert (places[1] == places[0]).all()


def test_memory_that_cannot_be_pinned_is_staged() -> None:
    batch = BatchRenderer(HostDevice(can_pin=False))
    renderer = CudaRenderer(batch, scaled(256))
    out = blank(256)
    renderer.render(moving_frame(5), out)
    assert not renderer.is_pinned(out)
    assert (out == alone(256, 5)).all()


def test_a_place_of_another_shape_is_refused() -> None:
    renderer = CudaRenderer(BatchRenderer(HostDevice()), scaled(256))
    with pytest.raises(AvatarError, match=r"contiguous \(256, 256, 4\)"):
        renderer.render(moving_frame(0), blank(512))


def test_people_share_their_memory_and_take_it_with_them() -> None:
    batch = BatchRenderer(HostDevice())
    first = CudaRenderer(batch, scaled(256))
    alone_bytes = batch.avatar_bytes
    second = CudaRenderer(batch, scaled(256))
    assert (batch.num_avatars, batch.avatar_bytes) == (1, alone_bytes)
    second.render(moving_frame(0), blank(256))
    assert batch.device.pinned  # type: ignore[attr-defined]
    for _ in range(2):
        first.close()
    assert batch.num_avatars == 1
    second.close()
    assert (batch.num_avatars, batch.avatar_bytes) == (0, 0)
    assert not batch.device.pinned  # type: ignore[attr-defined]
    third = CudaRenderer(batch, scaled(256))
    out = blank(256)
    third.render(moving_frame(5), out)
    assert (out == alone(256, 5)).all()


def test_a_device_that_fails_says_so() -> None:
    device = HostDevice()
    batch = BatchRenderer(device)
    renderer = CudaRenderer(batch, scaled(256))
    device.fault = AvatarError(Reason.DEVICE_FAILED, "host:0 has failed")
    with pytest.raises(AvatarError, match="has failed"):
        renderer.render(moving_frame(0), blank(256))


def test_the_benchmark_reports_every_figure() -> None:
    batch = BatchRenderer(HostDevice())
    figures = bench_batch(batch, portrait("astronaut"), avatars=2, ticks=2, size_px=256)
    assert figures["frames_per_second"] > 0
    assert figures["is_pinned"] == 1
    assert batch.num_avatars == 0


def test_the_cpu_is_what_auto_means() -> None:
    assert isinstance(open_render_device("auto"), CpuDevice)
    assert open_render_device("cpu").name == "cpu"


def test_a_missing_cupy_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(AvatarError, match=r"cuda:1: CuPy is not installed: pip install") as raised:
        open_render_device("cuda:1")
    assert raised.value.reason is Reason.DEVICE_NOT_AVAILABLE
    assert "\n" not in raised.value.message
