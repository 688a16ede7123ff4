"""Reader of the shared-memory ring `avatar.ring.v1`; the layout is ring_layout.py.

The file is mapped read-only: nothing a reader does can slow or harm the writer. Every read is
checked against the slot's lock and repeated where the writer came by in between.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_client import ring_layout as layout
from avatar_client.errors import TornFrameError
from avatar_client.frames import EpochGate, Frame, SourceCounters, UInt8Array, no_pixels
from avatar_client.gen.avatar.v1 import endpoint_pb2
from avatar_client.motion import Motion
from avatar_client.process_sync import Fence, WordWaiter
from avatar_client.ring_file import Slot, open_ring

MAX_WAIT_SECS: Final = layout.LOOK_NANOS / 1e9
"""A wait is cut into pieces of this length, to notice a writer that was killed."""

MAX_TRIES: Final = 16
"""A reader that was overtaken this often in a row is too slow for this ring; it gets nothing."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands in front of a picture; `number` counts publications from 1."""

    number: int
    seq: int
    epoch: int
    pts_nanos: int
    published_nanos: int
    has_pixels: bool


class RingReader:
    """A FrameSource over shared memory.

    Args:
        descriptor: where the ring is, from Session.ring.

    Raises:
        RingError: missing, unreadable, of another version, damaged, or not the ring described
            (another host's file of the same name).
    """

    def __init__(self, descriptor: endpoint_pb2.RingDescriptor) -> None:
        self._counters = SourceCounters()
        self._gate = EpochGate()
        self._fence = Fence()
        self._waiter = WordWaiter()
        self._views = open_ring(descriptor)
        self._is_closed = False
        # What was published before this reader came is not "next" for it.
        self._next_number = int(self._views.head[0]) + 1

    @property
    def name(self) -> str:
        """See FrameSource."""
        return "shm"

    @property
    def counters(self) -> SourceCounters:
        """See FrameSource."""
        return self._counters

    @property
    def is_alive(self) -> bool:
        """Whether the writer lives, by the rule of protos/ring/v1/frame_ring.toml."""
        header = self._views.header
        if self._is_closed or int(header["state"]) != layout.STATE_LIVE:
            return False
        silence = time.monotonic_ns() - int(header["heartbeat_nanos"])
        if abs(silence) >= layout.HEARTBEAT_TIMEOUT_NANOS:
            return False
        return silence < layout.LOOK_NANOS or not self._views.owner.has_died

    def due(self, pts_nanos: int, *, out: UInt8Array | None = None) -> Frame | None:
        """See FrameSource."""
        for _ in range(MAX_TRIES):
            head = self._find_due(pts_nanos)
            if head is None:
                return None
            if (frame := self._copy(head, out)) is not None:
                self._counters.num_frames += 1
                return frame
        return None

    def motion_due(self, pts_nanos: int) -> Motion | None:
        """See FrameSource."""
        for _ in range(MAX_TRIES):
            head = self._find_due(pts_nanos)
            if head is None:
                return None
            values = self._slot(head.number).motion.copy()
            if self._is_intact(head):
                return Motion(head.pts_nanos, head.seq, head.epoch, values)
        return None

    def borrow(self, pts_nanos: int) -> BorrowedFrame | None:
        """Return the frame that is due without copying it; see BorrowedFrame."""
        head = self._find_due(pts_nanos)
        if head is None:
            return None
        slot = self._slot(head.number)
        pixels = slot.pixels if head.has_pixels else no_pixels()
        motion = Motion(head.pts_nanos, head.seq, head.epoch, slot.motion)
        frame = Frame(
            pts_nanos=head.pts_nanos,
            seq=head.seq,
            epoch=head.epoch,
            motion=motion,
            pixels=pixels,
            published_nanos=head.published_nanos,
        )
        return BorrowedFrame(frame, self, head)

    def next(self, timeout_secs: float, *, out: UInt8Array | None = None) -> Frame | None:
        """See FrameSource."""
        deadline = time.monotonic() + timeout_secs
        while not self._is_closed:
            seen = int(self._views.publications[0])
            if (frame := self._take_next(out)) is not None:
                self._counters.num_frames += 1
                return frame
            left = deadline - time.monotonic()
            if left <= 0 or not self.is_alive:
                return None
            self._waiter.wait(self._views.publications_address, seen, min(left, MAX_WAIT_SECS))
        return None

    def raise_epoch(self, epoch: int, valid_through_nanos: int) -> None:
        """See FrameSource."""
        self._gate.raise_to(epoch, valid_through_nanos)

    def close(self) -> None:
        """End reading; the file stays mapped until this reader and its last picture are gone."""
        self._is_closed = True

    def _slot(self, number: int) -> Slot:
        slots = self._views.slots
        return slots[(number - 1) % len(slots)]

    def _read_head(self, number: int) -> _Head | None:
        """Read what stands in front of picture `number`; None: overwritten or being written."""
        slot = self._slot(number)
        if int(slot.lock[0]) != 2 * number:
            return None
        self._fence()
        record = slot.record
        head = _Head(
            number=number,
            seq=int(record["seq"]),
            epoch=int(record["epoch"]),
            pts_nanos=int(record["pts_nanos"]),
            published_nanos=int(record["published_nanos"]),
            has_pixels=bool(record["flags"] & layout.FLAG_PIXELS),
        )
        return head if self._is_intact(head) else None

    def _is_intact(self, head: _Head) -> bool:
        """Check after reading that the writer did not come by."""
        self._fence()
        is_intact = int(self._slot(head.number).lock[0]) == 2 * head.number
        self._counters.num_torn += not is_intact
        return is_intact

    def _find_due(self, pts_nanos: int) -> _Head | None:
        if self._is_closed:
            return None
        newest = int(self._views.head[0])
        self._fence()
        for number in range(newest, max(newest - len(self._views.slots), 0), -1):
            head = self._read_head(number)
            if (
                head is not None
                and head.pts_nanos <= pts_nanos
                and self._gate.admits(head.epoch, head.pts_nanos)
            ):
                return head
        return None

    def _take_next(self, out: UInt8Array | None) -> Frame | None:
        newest = int(self._views.head[0])
        self._fence()
        oldest = max(newest - len(self._views.slots) + 1, 1)
        if self._next_number < oldest:
            self._counters.num_missed += oldest - self._next_number
            self._next_number = oldest
        while self._next_number <= newest:
            head = self._read_head(self._next_number)
            self._next_number += 1
            frame = None
            if head is not None and not self._gate.admits(head.epoch, head.pts_nanos):
                continue
            if head is not None:
                frame = self._copy(head, out)
            if frame is not None:
                return frame
            self._counters.num_missed += 1
        return None

    def _copy(self, head: _Head, out: UInt8Array | None) -> Frame | None:
        """Copy a picture; None: the writer came by."""
        slot = self._slot(head.number)
        values = slot.motion.copy()
        pixels = no_pixels()
        if head.has_pixels:
            pixels = np.empty(slot.pixels.shape, np.uint8) if out is None else out
            np.copyto(pixels, slot.pixels)
        if not self._is_intact(head):
            return None
        return Frame(
            pts_nanos=head.pts_nanos,
            seq=head.seq,
            epoch=head.epoch,
            motion=Motion(head.pts_nanos, head.seq, head.epoch, values),
            pixels=pixels,
            published_nanos=head.published_nanos,
        )


class BorrowedFrame:
    """A picture in the ring itself: use it, then ask whether it stayed whole.

    With 8 slots at 40 fps there are about 150 ms until the writer comes by. As a context manager
    it raises TornFrameError on leaving where the picture was overwritten meanwhile.

    Attributes:
        frame: its pixels and latent are read-only views; do not keep them.
    """

    def __init__(self, frame: Frame, reader: RingReader, head: _Head) -> None:
        self.frame = frame
        self._reader = reader
        self._head = head

    def release(self) -> bool:
        """Give it back; False: it was overwritten, throw away what was made of it."""
        return self._reader._is_intact(self._head)

    def __enter__(self) -> Frame:
        return self.frame

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.release() and kind is None:
            raise TornFrameError(
                "TORN_FRAME", f"frame {self._head.seq} was overwritten while it was in use"
            )
