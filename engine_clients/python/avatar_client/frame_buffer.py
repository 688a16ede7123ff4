"""Frames that arrived over a connection, for the sources that have no ring."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from typing import Final

import numpy as np

from avatar_client.frames import EpochGate, Frame, SourceCounters, UInt8Array
from avatar_client.motion import Motion

DEFAULT_CAPACITY: Final = 16


class FrameBuffer:
    """The last frames that arrived, in order; one thread puts, another takes.

    Args:
        capacity: frames kept. When full, the oldest is dropped; where `next` is used, one
            that it has not handed out yet counts as missed.
        is_lossless: `put` waits instead until `next` has made room (BURST over gRPC: the
            connection's flow control then holds the server).
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY, *, is_lossless: bool = False) -> None:
        self._capacity = capacity
        self._is_lossless = is_lossless
        self._frames: list[Frame] = []
        self._num_taken = 0
        self._is_read_in_order = False
        self._gate = EpochGate()
        self._changed = threading.Condition()
        self._is_closed = False
        self.counters = SourceCounters()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed

    def put(self, frame: Frame) -> None:
        """Add a frame; one that an interrupt has made void is dropped."""
        with self._changed:
            while self._is_lossless and self._num_waiting >= self._capacity:
                if self._is_closed:
                    return
                self._changed.wait()
            if self._is_closed or not self._gate.admits(frame.epoch, frame.pts_nanos):
                return
            # After a reconnect the server may repeat what is here already.
            if self._frames and frame.seq <= self._frames[-1].seq:
                return
            self._frames.append(frame)
            while len(self._frames) > self._capacity:
                del self._frames[0]
                if self._num_taken:
                    self._num_taken -= 1
                elif self._is_read_in_order:
                    self.counters.num_missed += 1
            self._changed.notify_all()

    def due(self, pts_nanos: int, *, out: UInt8Array | None = None) -> Frame | None:
        """See FrameSource."""
        with self._changed:
            frame = self._find_due(pts_nanos)
            if frame is None:
                return None
            self.counters.num_frames += 1
        if out is None or not frame.has_pixels:
            return frame
        np.copyto(out, frame.pixels)
        return Frame(
            pts_nanos=frame.pts_nanos,
            seq=frame.seq,
            epoch=frame.epoch,
            motion=frame.motion,
            pixels=out,
            published_nanos=frame.published_nanos,
        )

    def motion_due(self, pts_nanos: int) -> Motion | None:
        """See FrameSource."""
        with self._changed:
            frame = self._find_due(pts_nanos)
            return None if frame is None else frame.motion

    def next(self, timeout_secs: float) -> Frame | None:
        """See FrameSource."""
        deadline = time.monotonic() + timeout_secs
        with self._changed:
            self._is_read_in_order = True
            while not self._num_waiting:
                left = deadline - time.monotonic()
                if self._is_closed or left <= 0:
                    return None
                self._changed.wait(left)
            frame = self._frames[self._num_taken]
            self._num_taken += 1
            self.counters.num_frames += 1
            self._changed.notify_all()
            return frame

    def raise_epoch(self, epoch: int, valid_through_nanos: int) -> None:
        """See FrameSource."""
        with self._changed:
            self._gate.raise_to(epoch, valid_through_nanos)
            taken, waiting = self._frames[: self._num_taken], self._frames[self._num_taken :]
            taken = [f for f in taken if self._gate.admits(f.epoch, f.pts_nanos)]
            waiting = [f for f in waiting if self._gate.admits(f.epoch, f.pts_nanos)]
            self._frames, self._num_taken = taken + waiting, len(taken)
            self._changed.notify_all()

    def note_missed(self, num_frames: int) -> None:
        """Count frames that never arrived."""
        self.counters.num_missed += num_frames

    def close(self) -> None:
        """Nothing more comes; what has arrived can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def _num_waiting(self) -> int:
        return len(self._frames) - self._num_taken

    def _find_due(self, pts_nanos: int) -> Frame | None:
        index = bisect_right(self._frames, pts_nanos, key=lambda frame: frame.pts_nanos)
        return self._frames[index - 1] if index else None
