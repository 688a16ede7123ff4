"""The way out of a session: what is drawn, published and told, in order.

Every picture goes through three steps, `next_picture`, drawing and `show`, so that the pictures of
several sessions can be drawn as one batch where a device does that (`deliver_together`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from avatar_service.session.events import FramesLate, FramesSkipped, SegmentEnded, StreamItem
from avatar_service.session.fanout import Fanout
from avatar_service.session.settings import MILLI
from avatar_service.session.stages import FrameRenderer, PictureBatch
from avatar_service.session.stats import SessionStats
from avatar_service.session.ways_out import WaysOut
from avatar_service.signals import MotionFrame, SegmentEnd, UInt8Array


@dataclass(frozen=True, slots=True)
class Timing:
    """What a session's clock says of frames.

    Attributes:
        is_late: whether a frame of this pts misses its deadline now.
        lag_nanos: session time now less a pts; None where there is no real time.
        now_nanos: monotonic.
    """

    is_late: Callable[[int], bool]
    lag_nanos: Callable[[int], int | None]
    now_nanos: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Picture:
    """A latent to be shown and the place of its picture; None: the latent alone."""

    motion: MotionFrame
    pixels: UInt8Array | None


class Delivery:
    """Of one session; one thread at a time.

    Args:
        set_look: brings background and badge that a pts asks for to the renderer.
    """

    def __init__(
        self,
        renderer: FrameRenderer | None,
        ways_out: WaysOut,
        fanout: Fanout,
        stats: SessionStats,
        timing: Timing,
        set_look: Callable[[FrameRenderer, int], None],
    ) -> None:
        self.renderer = renderer
        self.ready: deque[MotionFrame | SegmentEnd] = deque()
        self.last_seq = 0
        self._ways_out = ways_out
        self._fanout = fanout
        self._stats = stats
        self._timing = timing
        self._set_look = set_look

    @property
    def batch(self) -> PictureBatch | None:
        """What draws this session's pictures together with others'."""
        return None if self.renderer is None else self.renderer.batch

    def next_picture(self) -> Picture | None:
        """Take the next latent that is shown; what comes before it is told. None: no more."""
        while self.ready:
            item = self.ready.popleft()
            if isinstance(item, SegmentEnd):
                self._tell(
                    SegmentEnded(item.segment_id, item.pts_nanos, item.epoch, role=item.role)
                )
                continue
            newer_waits = any(isinstance(other, MotionFrame) for other in self.ready)
            if newer_waits and self._timing.is_late(item.pts_nanos):
                # The picture is left out: it is late already and a newer one waits.
                self._stats.skipped_tally.add()
                self._tell(item)
                continue
            if self.renderer is None:
                return Picture(item, None)
            self._set_look(self.renderer, item.pts_nanos)
            return Picture(item, self._ways_out.canvas())
        return None

    def draw(self, picture: Picture) -> None:
        """Draw on this thread."""
        if self.renderer is None or picture.pixels is None:
            return
        cpu_started, started = time.thread_time(), time.perf_counter()
        self.renderer.render(picture.motion, picture.pixels)
        self.note_drawn(time.perf_counter() - started, time.thread_time() - cpu_started)

    def note_drawn(self, wall_secs: float, cpu_secs: float) -> None:
        """Count a picture that was drawn."""
        self._stats.render_ms.add(wall_secs * 1e3)
        self._stats.render_cpu_ms.add(cpu_secs * 1e3)

    def show(self, picture: Picture) -> None:
        """Publish a picture that is drawn."""
        motion, pixels, stats = picture.motion, picture.pixels, self._stats
        self._ways_out.publish(motion, pixels)
        self.last_seq = motion.seq
        self._tell(motion)
        if pixels is not None:
            self._fanout.send_frame(motion, pixels)
        now = self._timing.now_nanos()
        stats.note_published(now)
        lag = self._timing.lag_nanos(motion.pts_nanos)
        if lag is None:
            return
        stats.publish_ms.add(lag / MILLI)
        if self._timing.is_late(motion.pts_nanos):
            stats.late_tally.add()
        if count := stats.late_tally.take_due(now):
            self._tell(FramesLate(motion.pts_nanos, count))
        if count := stats.skipped_tally.take_due(now):
            self._tell(FramesSkipped(motion.pts_nanos, count))

    def close(self) -> None:
        """Give the renderer and the ways out back."""
        renderer, self.renderer = self.renderer, None
        try:
            if renderer is not None:
                renderer.close()  # first: it may hold on to the ring's memory
        finally:
            self._ways_out.close()

    def _tell(self, item: StreamItem) -> None:
        self._fanout.tell(item)


def deliver_together(deliveries: Sequence[Delivery]) -> list[Exception | None]:
    """Draw and publish what is ready in several sessions of one device, batch by batch.

    Returns:
        What kept a session from being delivered; the others are not touched by it.
    """
    outcomes: list[Exception | None] = [None] * len(deliveries)
    going = list(range(len(deliveries)))
    while going:
        waiting: list[tuple[int, Picture]] = []
        for k in going:
            try:
                picture = deliveries[k].next_picture()
            except Exception as fault:  # the scheduler takes this session out and tells of it
                outcomes[k] = fault
                continue
            if picture is not None:
                waiting.append((k, picture))
        faults = _draw([deliveries[k] for k, _ in waiting], [one for _, one in waiting])
        going = []
        for (k, picture), failure in zip(waiting, faults, strict=True):
            try:
                if failure is not None:
                    raise failure
                deliveries[k].show(picture)
            except Exception as found:
                outcomes[k] = found
            else:
                going.append(k)
    return outcomes


def _draw(deliveries: Sequence[Delivery], pictures: Sequence[Picture]) -> list[Exception | None]:
    """Draw one picture per session; where the batch fails as a whole, one by one."""
    if not pictures:
        return []
    cpu_started, started = time.thread_time(), time.perf_counter()
    batch = deliveries[0].batch
    if batch is not None:
        try:
            shots = [
                renderer.shot(picture.motion, picture.pixels)
                for delivery, picture in zip(deliveries, pictures, strict=True)
                if (renderer := delivery.renderer) is not None and picture.pixels is not None
            ]
            outcomes = list(batch.draw(shots))
        except Exception:  # whoever fails again is told apart below
            pass
        else:
            wall = time.perf_counter() - started
            cpu = (time.thread_time() - cpu_started) / len(pictures)
            for delivery in deliveries:
                delivery.note_drawn(wall, cpu)
            return outcomes
    found: list[Exception | None] = []
    for delivery, picture in zip(deliveries, pictures, strict=True):
        try:
            delivery.draw(picture)
        except Exception as fault:
            found.append(fault)
        else:
            found.append(None)
    return found
