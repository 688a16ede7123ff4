"""Hands a session's items to its streams; pictures are encoded once, and only if someone wants."""

from __future__ import annotations

import threading

from avatar_service.session.encoders import FrameEncoder
from avatar_service.session.events import FrameAnnounced, StreamItem
from avatar_service.session.subscriber import Subscriber, Wanted
from avatar_service.signals import MotionFrame, UInt8Array


class Fanout:
    """The streams of one session."""

    def __init__(self, encoder: FrameEncoder) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()
        self._subscribers: tuple[Subscriber, ...] = ()
        self._dropped_by_gone = 0

    @property
    def num_waiting(self) -> int:
        """Items that wait for the streams to take them."""
        return sum(one.num_waiting for one in self._subscribers)

    @property
    def num_dropped(self) -> int:
        """Frames or latents that streams lost so far because they were read too slowly."""
        with self._lock:
            return self._dropped_by_gone + sum(one.num_dropped for one in self._subscribers)

    @property
    def must_wait(self) -> bool:
        """Whether a lossless reader has no room for another frame."""
        return any(one.is_lossless and one.is_full for one in self._subscribers)

    @property
    def wants_pixels(self) -> bool:
        """Whether a stream carries pictures."""
        return any(Wanted.FRAMES in one.wanted for one in self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Let a stream take part from now on."""
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Let a stream go."""
        with self._lock:
            if subscriber in self._subscribers:
                self._dropped_by_gone += subscriber.num_dropped
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)

    def tell(self, item: StreamItem) -> None:
        """Send an event, echo or latent to all who want it."""
        for subscriber in self._subscribers:
            subscriber.put(item)

    def send_frame(self, motion: MotionFrame, pixels: UInt8Array) -> None:
        """Send a picture (height, width, 4) to all who want it; `pixels` is free afterwards."""
        takers = [s for s in self._subscribers if Wanted.FRAMES in s.wanted]
        if takers:
            needs_keyframe = any(taker.needs_keyframe for taker in takers)
            for frame in self._encoder.encode(motion, pixels, force_keyframe=needs_keyframe):
                for taker in takers:
                    taker.put(frame)
        self.tell(FrameAnnounced(motion.pts_nanos, motion.seq, motion.epoch))

    def close(self) -> None:
        """End all streams behind what waits for them."""
        with self._lock:
            subscribers, self._subscribers = self._subscribers, ()
            self._dropped_by_gone += sum(one.num_dropped for one in subscribers)
        for subscriber in subscribers:
            subscriber.close()
        self._encoder.close()
