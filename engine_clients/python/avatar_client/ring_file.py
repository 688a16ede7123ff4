"""Opening a ring: the file is mapped read-only and nothing in it is believed unchecked."""

from __future__ import annotations

import mmap
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_client import ring_layout as layout
from avatar_client.errors import RingError
from avatar_client.frames import UInt8Array, no_pixels
from avatar_client.gen.avatar.v1 import endpoint_pb2
from avatar_client.motion import Float32Array
from avatar_client.process_sync import WriterWatch

PIXEL_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Slot:
    """Views of one slot.

    Attributes:
        pixels: (height, width, 4) uint8; (0, 0, 4) in a latent-only ring.
    """

    lock: NDArray[np.uint64]
    record: Any
    motion: Float32Array
    pixels: UInt8Array


@dataclass(frozen=True, slots=True)
class RingViews:
    """Read-only views of the mapped file; it stays mapped until the last one is gone."""

    header: Any
    head: NDArray[np.uint64]
    publications: NDArray[np.uint32]
    publications_address: int
    slots: tuple[Slot, ...]
    owner: WriterWatch


def open_ring(descriptor: endpoint_pb2.RingDescriptor) -> RingViews:
    """Map the ring that a session described.

    Raises:
        RingError: missing, unreadable, of another version, damaged, or another ring of this name.
    """
    mapped, owner = _open(Path(descriptor.path))
    header: Any = np.frombuffer(mapped, layout.HEADER_DTYPE, 1)[0]
    _check_header(header, descriptor, len(mapped))
    fields = layout.HEADER_DTYPE.fields
    if fields is None:
        raise TypeError("the header's record type has no fields")
    publications = np.frombuffer(mapped, np.uint32, 1, fields["publications"][1])
    return RingViews(
        header=header,
        head=np.frombuffer(mapped, np.uint64, 1, fields["head"][1]),
        publications=publications,
        publications_address=publications.ctypes.data,
        slots=tuple(_map_slot(mapped, header, i) for i in range(int(header["slot_count"]))),
        owner=owner,
    )


def _open(path: Path) -> tuple[mmap.mmap, WriterWatch]:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags)
    except OSError as error:
        raise RingError("BAD_RING", f"ring {path}: {error.strerror}") from error
    try:
        if os.fstat(fd).st_size < layout.HEADER_BYTES:
            raise RingError("BAD_RING", f"ring {path}: too short for a header")
        return _map(fd), WriterWatch(fd)
    except (OSError, ValueError) as error:
        raise RingError("BAD_RING", f"ring {path} cannot be mapped: {error}") from error
    finally:
        os.close(fd)


def _map(fd: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    # All pages at once: else each first look at one is a fault, and the first frames come late.
    flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
    return mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ)


def _check_header(header: Any, descriptor: endpoint_pb2.RingDescriptor, mapped_bytes: int) -> None:
    """Believe nothing in the file that could lead a read out of its bounds."""
    if int(header["magic"]) != layout.MAGIC:
        raise RingError("BAD_RING", f"ring {descriptor.path}: no ring (magic)")
    if int(header["version"]) != layout.VERSION:
        raise RingError(
            "BAD_RING",
            f"ring {descriptor.path}: version {int(header['version'])}, {layout.VERSION} is known",
        )
    if header["ring_id"].tobytes() != descriptor.ring_id:
        raise RingError("BAD_RING", f"ring {descriptor.path}: belongs to another session or host")
    width, height = int(header["width_px"]), int(header["height_px"])
    count, stride = int(header["slot_count"]), int(header["slot_stride"])
    motion, pixels = int(header["motion_offset"]), int(header["pixels_offset"])
    picture_bytes = width * height * PIXEL_BYTES
    facts = {
        "file_bytes": int(header["file_bytes"]) == mapped_bytes == descriptor.file_bytes,
        "header_bytes": int(header["header_bytes"]) == layout.HEADER_BYTES,
        "slot_count": layout.MIN_SLOT_COUNT <= count <= layout.MAX_SLOT_COUNT,
        "slot_stride": stride % 8 == 0 and layout.HEADER_BYTES + count * stride == mapped_bytes,
        "width_px": width <= layout.MAX_FRAME_PX and width == descriptor.width_px,
        "height_px": height <= layout.MAX_FRAME_PX and height == descriptor.height_px,
        "row_stride": int(header["row_stride"]) == width * PIXEL_BYTES,
        "motion_floats": int(header["motion_floats"]) == layout.MOTION_FLOATS,
        "motion_offset": motion >= layout.SLOT_BYTES
        and motion % 4 == 0
        and motion + layout.MOTION_BYTES <= stride,
        "pixels_offset": not picture_bytes
        or (motion + layout.MOTION_BYTES <= pixels and pixels + picture_bytes <= stride),
    }
    for name, is_sound in facts.items():
        if not is_sound:
            raise RingError("BAD_RING", f"ring {descriptor.path}: {name} is {header[name]}")


def _map_slot(mapped: mmap.mmap, header: Any, index: int) -> Slot:
    start = layout.HEADER_BYTES + index * int(header["slot_stride"])
    shape = (int(header["height_px"]), int(header["width_px"]), PIXEL_BYTES)
    num_bytes = shape[0] * shape[1] * PIXEL_BYTES
    pixels = no_pixels()
    if num_bytes:
        at = start + int(header["pixels_offset"])
        pixels = np.frombuffer(mapped, np.uint8, num_bytes, at).reshape(shape)
    motion_at = start + int(header["motion_offset"])
    return Slot(
        lock=np.frombuffer(mapped, np.uint64, 1, start),
        record=np.frombuffer(mapped, layout.SLOT_DTYPE, 1, start)[0],
        motion=np.frombuffer(mapped, np.float32, layout.MOTION_FLOATS, motion_at),
        pixels=pixels,
    )
