"""The bounded queue between a session and one reader of its stream.

The session puts from its worker thread and never waits; the reader takes on its own event loop.
Policy: latents and frames beyond the limit are dropped, oldest first, and counted; events and
echoed audio are never dropped: a reader that lets thousands pile up is disconnected instead.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable
from enum import Flag, auto
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.events import (
    DROPPABLE,
    AudioEcho,
    EncodedFrame,
    FrameAnnounced,
    ReaderBehind,
    StreamItem,
)
from avatar_service.signals import MotionFrame

MAX_WAITING_EVENTS: Final = 4096
MAX_WAITING_AUDIO_BYTES: Final = 32 << 20
"""Echoed audio that may wait: almost three minutes of 48 kHz stereo."""


class Wanted(Flag):
    """Kinds of stream items a reader asks for (events always come)."""

    NONE = 0
    MOTION = auto()
    FRAMES = auto()
    AUDIO = auto()
    ANNOUNCEMENTS = auto()


class Subscriber:
    """One reader's queue.

    Args:
        wanted: kinds of items the reader asked for.
        max_frames: items of each droppable kind that may wait.
        is_lossless: the session waits for this reader instead of dropping (BURST).
        loop: event loop of the reader; None where only `take_nowait` is called.
        on_room: called after items were taken, from the reader's thread.
    """

    def __init__(
        self,
        *,
        wanted: Wanted,
        max_frames: int,
        is_lossless: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        on_room: Callable[[], None] | None = None,
    ) -> None:
        self.wanted = wanted
        self.is_lossless = is_lossless
        self.num_dropped = 0
        self._max_frames = max_frames
        self._loop = loop
        self._on_room = on_room
        self._arrived = asyncio.Event()
        self._lock = threading.Lock()
        self._items: deque[StreamItem] = deque()
        self._waiting: Counter[type] = Counter()
        self._audio_bytes = 0
        self._unreported = 0
        self._needs_keyframe = Wanted.FRAMES in wanted
        # A frame lost with its latent is one loss.
        self._counted: type = MotionFrame
        if Wanted.FRAMES in wanted:
            self._counted = EncodedFrame
        elif Wanted.ANNOUNCEMENTS in wanted:
            self._counted = FrameAnnounced
        self._is_closed = False
        self._fault: AvatarError | None = None

    @property
    def needs_keyframe(self) -> bool:
        """Whether the reader cannot decode before the next key frame."""
        return self._needs_keyframe

    @property
    def num_waiting(self) -> int:
        """Items that wait for the reader."""
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether the next frame or latent would push an older one out."""
        with self._lock:
            return any(self._waiting[kind] >= self._max_frames for kind in DROPPABLE)

    def wants(self, item: StreamItem) -> bool:
        """Whether the reader asked for this kind of item."""
        if isinstance(item, EncodedFrame):
            return Wanted.FRAMES in self.wanted
        if isinstance(item, MotionFrame):
            return Wanted.MOTION in self.wanted
        if isinstance(item, AudioEcho):
            return Wanted.AUDIO in self.wanted
        if isinstance(item, FrameAnnounced):
            return Wanted.ANNOUNCEMENTS in self.wanted
        return True

    def put(self, item: StreamItem) -> None:
        """Queue an item, from any thread, without waiting."""
        with self._lock:
            if self._is_closed or not self.wants(item):
                return
            if isinstance(item, DROPPABLE):
                if not self.is_lossless and self._waiting[type(item)] >= self._max_frames:
                    self._drop_for(item)
                if isinstance(item, EncodedFrame):
                    if self._needs_keyframe and not item.is_keyframe:
                        self._count_dropped(EncodedFrame, 1)
                        return
                    self._needs_keyframe = False
            elif self._is_overrun_by(item):
                self._give_up()
                return
            self._append(item)

    def close(self) -> None:
        """End the stream behind what waits; idempotent."""
        with self._lock:
            self._is_closed = True
            self._wake()

    def take_nowait(self) -> StreamItem | None:
        """Return the next item, None if there is none now."""
        with self._lock:
            item = self._take()
        if item is not None and self._on_room is not None:
            self._on_room()
        return item

    async def take(self) -> StreamItem | None:
        """Wait for the next item; None at the end. Raises QUOTA_EXCEEDED to a stalled reader."""
        while True:
            item = self.take_nowait()
            if item is not None:
                return item
            with self._lock:
                if self._fault is not None:
                    raise self._fault
                if self._items:
                    continue
                if self._is_closed:
                    return None
                self._arrived.clear()
            await self._arrived.wait()

    def _is_overrun_by(self, item: StreamItem) -> bool:
        if isinstance(item, AudioEcho):
            self._audio_bytes += len(item.pcm)
        num_events = len(self._items) - sum(self._waiting.values())
        return num_events >= MAX_WAITING_EVENTS or self._audio_bytes > MAX_WAITING_AUDIO_BYTES

    def _append(self, item: StreamItem) -> None:
        self._items.append(item)
        if isinstance(item, DROPPABLE):
            self._waiting[type(item)] += 1
        self._wake()

    def _take(self) -> StreamItem | None:
        if self._unreported:
            behind, self._unreported = ReaderBehind(self._unreported), 0
            return behind
        if not self._items:
            return None
        item = self._items.popleft()
        if isinstance(item, DROPPABLE):
            self._waiting[type(item)] -= 1
        elif isinstance(item, AudioEcho):
            self._audio_bytes -= len(item.pcm)
        return item

    def _drop_for(self, newest: StreamItem) -> None:
        """Drop the oldest of a kind; of pictures with references all, up to a key frame."""
        kind = type(newest)
        same = [item for item in self._items if type(item) is kind]
        has_references = any(
            isinstance(item, EncodedFrame) and not item.is_keyframe for item in (*same, newest)
        )
        dropped = same if has_references else same[:1]
        self._needs_keyframe |= has_references
        gone = set(map(id, dropped))
        self._items = deque(item for item in self._items if id(item) not in gone)
        self._waiting[kind] -= len(dropped)
        self._count_dropped(kind, len(dropped))

    def _count_dropped(self, kind: type, count: int) -> None:
        if kind is self._counted:
            self.num_dropped += count
            self._unreported += count

    def _give_up(self) -> None:
        self._fault = AvatarError(
            Reason.QUOTA_EXCEEDED,
            "this reader let too many events or too much audio wait; read the stream faster",
        )
        self._is_closed = True
        self._items.clear()
        self._waiting.clear()
        self._wake()

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)
