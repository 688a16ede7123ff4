"""Writer of the shared-memory ring `avatar.ring.v1`; protos/ring/v1/frame_ring.toml specifies it.

The renderer draws straight into the next slot: `acquire`, draw, `publish`. Readers map the file
read-only; none of them can block or slow the writer.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array, MotionFrame, UInt8Array
from avatar_service.transports import motion_codec, motion_schema
from avatar_service.transports import ring_layout as layout
from avatar_service.transports.heartbeat import HEART
from avatar_service.transports.process_sync import Fence, FutexWaker, process_start_ticks
from avatar_service.transports.shared_memory import SharedFile

PAGE_BYTES: Final = 4096
CACHE_LINE_BYTES: Final = 64
PIXEL_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class RingGeometry:
    """Sizes of a ring.

    Attributes:
        width_px: width of the pictures; 0 (with height_px) for a latent-only ring.
        slot_count: 3 to 64; at 40 fps 8 slots leave a reader 150 ms.
    """

    width_px: int
    height_px: int
    slot_count: int = layout.DEFAULT_SLOT_COUNT

    def __post_init__(self) -> None:
        """Check the ranges; INVALID_FIELD."""
        if not layout.MIN_SLOT_COUNT <= self.slot_count <= layout.MAX_SLOT_COUNT:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"ring_slot_count is {self.slot_count}; {layout.MIN_SLOT_COUNT} to "
                f"{layout.MAX_SLOT_COUNT} is allowed",
                field="ring_slot_count",
            )
        sizes = (self.width_px, self.height_px)
        if sizes != (0, 0) and not all(1 <= size <= layout.MAX_FRAME_PX for size in sizes):
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"frame size is {self.width_px}x{self.height_px}; 1 to {layout.MAX_FRAME_PX} is "
                "allowed, 0x0 for latents alone",
                field="width_px",
            )

    @property
    def has_pixels(self) -> bool:
        """Whether slots hold pictures."""
        return self.width_px > 0

    @property
    def motion_offset(self) -> int:
        """Offset of the latent in a slot."""
        return layout.SLOT_BYTES

    @property
    def pixels_offset(self) -> int:
        """Offset of the pixels in a slot: a page, so that a GPU can copy straight into it."""
        return PAGE_BYTES if self.has_pixels else self.slot_stride

    @property
    def slot_stride(self) -> int:
        """From one slot to the next, bytes."""
        if self.has_pixels:
            pixels = self.width_px * self.height_px * PIXEL_BYTES
            return _round_up(PAGE_BYTES + pixels, PAGE_BYTES)
        return _round_up(layout.SLOT_BYTES + layout.MOTION_BYTES, CACHE_LINE_BYTES)

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return layout.HEADER_BYTES + self.slot_count * self.slot_stride


@dataclass(frozen=True, slots=True)
class _Slot:
    """Views of one slot."""

    lock: NDArray[np.uint64]
    record: Any
    motion: Float32Array
    pixels: UInt8Array | None


@dataclass(frozen=True, slots=True)
class _Views:
    """Views of the mapped file; it stays mapped until the last one is gone."""

    header: Any
    head: NDArray[np.uint64]
    publications: NDArray[np.uint32]
    publications_address: int
    slots: tuple[_Slot, ...]


class RingWriter:
    """The one writer of a ring; a Publisher. Not thread-safe, but for `beat`.

    Args:
        geometry: sizes.
        rate: frames per second, told to readers.
        folder: where; None: the platform's shared memory.
        group: group that may read, else this user alone.

    Raises:
        AvatarError: STORAGE_EXHAUSTED, INVALID_FIELD.
    """

    def __init__(
        self,
        geometry: RingGeometry,
        rate: Fraction,
        *,
        folder: Path | None = None,
        group: str | None = None,
    ) -> None:
        self.geometry = geometry
        self.ring_id = secrets.token_bytes(16)
        self._fence = Fence()
        self._wake = FutexWaker()
        self._head = 0
        self._loan: UInt8Array | None = None
        self._file = SharedFile(folder, geometry.file_bytes, group=group)
        try:
            self._views: _Views | None = _map_views(self._file, geometry)
            self._write_header(self._views.header, rate)
            self._file.show()
        except BaseException:
            self._file.close()
            raise
        HEART.add(self)

    @property
    def path(self) -> Path:
        """The file that readers map."""
        return self._file.path

    @property
    def num_published(self) -> int:
        """Pictures published so far."""
        return self._head

    def acquire(self) -> UInt8Array | None:
        """Lend the pixels of the next slot; see Publisher."""
        if self._views is None or not self.geometry.has_pixels:
            return None
        if self._loan is None:
            self._loan = self._begin(self._views).pixels
        return self._loan

    def publish(self, motion: MotionFrame, pixels: UInt8Array | None) -> None:
        """Complete the next slot and wake the readers; see Publisher.

        Raises:
            ValueError: the picture has another size than the ring, or the latent holds a value
                that is not finite; nothing is published then.
        """
        views = self._views
        if views is None:
            return
        self._check_picture(pixels)
        floats = motion_codec.to_floats(motion)
        slot = self._begin(views)
        if pixels is not None and slot.pixels is not None and pixels is not self._loan:
            slot.pixels[...] = pixels
        slot.motion[:] = floats
        slot.record["seq"] = motion.seq
        slot.record["pts_nanos"] = motion.pts_nanos
        slot.record["epoch"] = motion.epoch & 0xFFFFFFFF
        slot.record["flags"] = 0 if pixels is None else layout.FLAG_PIXELS
        now = time.monotonic_ns()
        slot.record["published_nanos"] = now
        self._loan = None
        self._head += 1
        self._fence()
        slot.lock[0] = 2 * self._head
        self._fence()
        views.head[0] = self._head
        views.header["epoch"] = motion.epoch & 0xFFFFFFFF
        views.header["heartbeat_nanos"] = now
        self._announce(views)

    def beat(self) -> None:
        """Show that the writer lives while nothing is published; from any thread."""
        views = self._views
        if views is not None:
            views.header["heartbeat_nanos"] = time.monotonic_ns()

    def close(self) -> None:
        """Tell readers that nothing more comes and remove the file; idempotent."""
        views, self._views = self._views, None
        if views is None:
            return
        HEART.remove(self)
        views.header["state"] = layout.STATE_CLOSED
        self._announce(views)
        self._loan = None
        del views
        self._file.close()

    def _begin(self, views: _Views) -> _Slot:
        """Mark the next slot as being written."""
        slot = views.slots[self._head % self.geometry.slot_count]
        slot.lock[0] = 2 * self._head + 1
        self._fence()
        return slot

    def _check_picture(self, pixels: UInt8Array | None) -> None:
        if pixels is None or pixels is self._loan:
            return
        expected = (self.geometry.height_px, self.geometry.width_px, PIXEL_BYTES)
        if not self.geometry.has_pixels or pixels.shape != expected or pixels.dtype != np.uint8:
            raise ValueError(
                f"ring: picture {pixels.shape} {pixels.dtype}, {expected} uint8 is expected"
            )

    def _announce(self, views: _Views) -> None:
        self._fence()
        views.publications[0] = (int(views.publications[0]) + 1) & 0xFFFFFFFF
        self._wake(views.publications_address)

    def _write_header(self, header: Any, rate: Fraction) -> None:
        geometry = self.geometry
        has_pixels = geometry.has_pixels
        header["version"] = layout.VERSION
        header["header_bytes"] = layout.HEADER_BYTES
        header["slot_count"] = geometry.slot_count
        header["pixel_format"] = (
            layout.PIXEL_FORMAT_RGBA8 if has_pixels else layout.PIXEL_FORMAT_NONE
        )
        header["slot_stride"] = geometry.slot_stride
        header["file_bytes"] = geometry.file_bytes
        header["width_px"], header["height_px"] = geometry.width_px, geometry.height_px
        header["row_stride"] = geometry.width_px * PIXEL_BYTES
        header["motion_offset"] = geometry.motion_offset
        header["pixels_offset"] = geometry.pixels_offset
        header["motion_floats"] = layout.MOTION_FLOATS
        header["schema_hash"] = motion_schema.schema_hash()
        header["fps_num"], header["fps_den"] = rate.numerator, rate.denominator
        header["ring_id"] = np.frombuffer(self.ring_id, np.uint8)
        header["writer_pid"] = os.getpid()
        header["writer_start_ticks"] = process_start_ticks()
        header["heartbeat_nanos"] = time.monotonic_ns()
        header["state"] = layout.STATE_LIVE
        header["magic"] = layout.MAGIC


def _map_views(file: SharedFile, geometry: RingGeometry) -> _Views:
    fields = layout.HEADER_DTYPE.fields
    if fields is None:
        raise TypeError("the header's record type has no fields")
    publications = np.frombuffer(file.map, np.uint32, 1, fields["publications"][1])
    return _Views(
        header=np.frombuffer(file.map, layout.HEADER_DTYPE, 1)[0],
        head=np.frombuffer(file.map, np.uint64, 1, fields["head"][1]),
        publications=publications,
        publications_address=publications.ctypes.data,
        slots=tuple(_map_slot(file, geometry, i) for i in range(geometry.slot_count)),
    )


def _map_slot(file: SharedFile, geometry: RingGeometry, index: int) -> _Slot:
    start = layout.HEADER_BYTES + index * geometry.slot_stride
    pixels: UInt8Array | None = None
    if geometry.has_pixels:
        shape = (geometry.height_px, geometry.width_px, PIXEL_BYTES)
        num_bytes = geometry.height_px * geometry.width_px * PIXEL_BYTES
        flat = np.frombuffer(file.map, np.uint8, num_bytes, start + geometry.pixels_offset)
        pixels = flat.reshape(shape)
    motion_start = start + geometry.motion_offset
    return _Slot(
        lock=np.frombuffer(file.map, np.uint64, 1, start),
        record=np.frombuffer(file.map, layout.SLOT_DTYPE, 1, start)[0],
        motion=np.frombuffer(file.map, np.float32, layout.MOTION_FLOATS, motion_start),
        pixels=pixels,
    )


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
