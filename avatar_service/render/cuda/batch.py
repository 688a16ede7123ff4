"""Frames of many sessions in one go: in chunks on two lanes, one copies while the other draws."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.render.badge import draw_badge
from avatar_service.render.cuda.avatar_arrays import AvatarArrays
from avatar_service.render.cuda.device import Device, Memory
from avatar_service.render.cuda.lane_buffers import LaneBuffers, Shot
from avatar_service.render.cuda.layout import AVATAR
from avatar_service.render.cuda.pose import PoseTable
from avatar_service.render.renderer import check_motion
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.signals import UInt8Array

CHUNK_PX: Final = 16 * 512 * 512
"""Pixels per chunk: 16 pictures of 512 x 512 keep their visibility buffer (32 MiB) and pictures
within the level-2 cache of a large GPU, and are long enough a copy (16 MiB) to hide the drawing."""
MAX_CHUNK_FRAMES: Final = 64


class _Resident:
    """A portrait on the device, shared by its sessions."""

    def __init__(self, device: Device, arrays: AvatarArrays, slot: int) -> None:
        self.memory = device.allocate(len(arrays.data))
        device.upload(self.memory, arrays.data)
        self.record = arrays.placed_at(self.memory.address)
        self.num_vertices = int(self.record["num_vertices"][0])
        self.num_triangles = int(self.record["num_triangles"][0])
        self.slot = slot
        self.num_users = 0


class BatchRenderer:
    """Draws on one device. Thread-safe; one batch at a time.

    Args:
        device: where.
        chunk_px: see CHUNK_PX.
    """

    def __init__(self, device: Device, *, chunk_px: int = CHUNK_PX) -> None:
        self.device = device
        self.poses = PoseTable()
        self._chunk_px = chunk_px
        self._lock = threading.RLock()
        self._residents: dict[tuple[str, int], _Resident] = {}
        self._badges: dict[int, tuple[Memory, int, int]] = {}
        self._table: Memory | None = None
        self._num_slots = 0
        self._free_slots: list[int] = []
        device.use()
        self._lanes = [LaneBuffers(device), LaneBuffers(device)]

    @property
    def num_avatars(self) -> int:
        """Portraits on the device, each size by itself."""
        return len(self._residents)

    @property
    def avatar_bytes(self) -> int:
        """Memory of the device that portraits take."""
        with self._lock:
            return sum(one.memory.num_bytes for one in self._residents.values())

    @property
    def scratch_bytes(self) -> int:
        """Memory of the device that does not depend on the number of sessions."""
        return sum(lane.device_bytes for lane in self._lanes)

    def add(self, scaled: ScaledPortrait, neutralize: float) -> int:
        """Bring a portrait to the device, unless it is there; return the session's pose row."""
        with self._lock:
            self.device.use()
            resident = self._residents.get(scaled.key)
            if resident is None:
                arrays = AvatarArrays.of(scaled)
                slot = self._free_slots.pop() if self._free_slots else self._num_slots
                resident = _Resident(self.device, arrays, slot)
                self._num_slots = max(self._num_slots, slot + 1)
                self._residents[scaled.key] = resident
                self._upload_table()
            resident.num_users += 1
            return self.poses.add(scaled, neutralize)

    def upload(self, data: UInt8Array) -> Memory:
        """Bring an array to the device; it stays as long as what is returned."""
        with self._lock:
            self.device.use()
            memory = self.device.allocate(data.nbytes)
            self.device.upload(memory, data.reshape(-1))
            return memory

    def badge_of(self, size_px: int) -> tuple[Memory, int, int]:
        """Return the visible badge of frames of a size: its memory, rows and columns."""
        with self._lock:
            if size_px not in self._badges:
                picture = draw_badge(size_px)
                self._badges[size_px] = (self.upload(picture), *picture.shape[:2])
            return self._badges[size_px]

    def remove(self, key: tuple[str, int], pose_row: int) -> None:
        """Let go of a session of ScaledPortrait.key; the last one takes the portrait with it."""
        with self._lock:
            self.poses.remove(pose_row)
            resident = self._residents[key]
            resident.num_users -= 1
            if resident.num_users == 0:
                self.device.use()
                del self._residents[key]
                self._free_slots.append(resident.slot)

    def draw(self, shots: Sequence[Shot]) -> list[AvatarError | None]:
        """Draw frames; those of one session in their order.

        Returns:
            What kept a shot from being drawn, None for those that were: a faulty latent does not
            touch the others.

        Raises:
            AvatarError: DEVICE_FAILED; nothing is known of any picture then.
        """
        outcomes: list[AvatarError | None] = [None] * len(shots)
        by_size: dict[int, list[int]] = {}
        for k, shot in enumerate(shots):
            try:
                check_motion(shot.motion)
                _check_place(shot)
            except AvatarError as error:
                outcomes[k] = error
            else:
                by_size.setdefault(shot.renderer.size_px, []).append(k)
        with self._lock:
            self.device.use()
            try:
                self._draw_groups(by_size, shots, outcomes)
            except BaseException:
                for lane in self._lanes:
                    lane.abandon()
                raise
        return outcomes

    def _draw_groups(
        self,
        by_size: dict[int, list[int]],
        shots: Sequence[Shot],
        outcomes: list[AvatarError | None],
    ) -> None:
        turn = 0
        for size_px, group in by_size.items():
            per_chunk = min(MAX_CHUNK_FRAMES, max(1, self._chunk_px // size_px**2))
            for start in range(0, len(group), per_chunk):
                lane = self._lanes[turn % len(self._lanes)]
                turn += 1
                lane.finish(outcomes)
                self._begin(lane, size_px, group[start : start + per_chunk], shots)
        for lane in self._lanes:
            lane.finish(outcomes)

    def _begin(
        self, lane: LaneBuffers, size_px: int, chunk: list[int], shots: Sequence[Shot]
    ) -> None:
        assert self._table is not None
        used = [self._residents[shots[k].renderer.resident_key] for k in chunk]
        lane.reserve(
            max(len(chunk), 1), size_px, max(one.num_vertices for one in self._residents.values())
        )
        frames = lane.frames[: len(chunk)]
        lane.poses.fill(
            self.poses,
            [shots[k].renderer.pose_row for k in chunk],
            [shots[k].motion for k in chunk],
            frames,
        )
        frames["avatar"] = [one.slot for one in used]
        frames["background"] = [shots[k].renderer.background_code for k in chunk]
        frames["color"] = [shots[k].renderer.color for k in chunk]
        for n, k in enumerate(chunk):
            shots[k].renderer.put_finish(frames[n])
        lane.begin(
            self._table.address,
            max(one.num_vertices for one in used),
            max(one.num_triangles for one in used),
            chunk,
            [shots[k] for k in chunk],
        )

    def _upload_table(self) -> None:
        """Tell the device where all portraits lie; nothing runs meanwhile."""
        records = np.zeros(max(self._num_slots, 1), AVATAR)
        for resident in self._residents.values():
            records[resident.slot] = resident.record[0]
        data = records.view(np.uint8).reshape(-1)
        if self._table is None or self._table.num_bytes < len(data):
            self._table = self.device.allocate(2 * len(data))
        self.device.upload(self._table, data)


def _check_place(shot: Shot) -> None:
    size, out = shot.renderer.size_px, shot.out
    if out.shape != (size, size, 4) or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"The frame buffer must be a contiguous ({size}, {size}, 4) array of uint8.",
        )
