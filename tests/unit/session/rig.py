"""A session on a manual clock with fakes around it, and what its streams received."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from fakes import FakeMotionStage, FakeRenderer, ManualClock, read_number

from avatar_service.session.encoders import make_encoder
from avatar_service.session.events import StreamItem
from avatar_service.session.fanout import Fanout
from avatar_service.session.scheduler import Scheduler
from avatar_service.session.session import Session
from avatar_service.session.settings import SessionSettings
from avatar_service.session.speech import Pcm
from avatar_service.session.subscriber import Subscriber, Wanted
from avatar_service.signals import Controls, MotionFrame

EVERYTHING = Wanted.MOTION | Wanted.FRAMES | Wanted.AUDIO | Wanted.ANNOUNCEMENTS


class RecordingOutlet:
    def __init__(self, size_px: int, clock: ManualClock) -> None:
        self.place = np.zeros((size_px, size_px, 4), np.uint8)
        self.motions: list[MotionFrame] = []
        self.numbers: list[int] = []
        self.published_at: list[int] = []
        self.is_closed = False
        self._clock = clock

    def acquire(self) -> np.ndarray | None:
        return self.place

    def publish(self, motion: MotionFrame, pixels: np.ndarray | None) -> None:
        self.motions.append(motion)
        self.published_at.append(self._clock.now_nanos())
        if pixels is not None:
            self.numbers.append(read_number(pixels))

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Rig:
    settings: SessionSettings = field(default_factory=lambda: SessionSettings(size_px=64))
    controls: Controls = field(default_factory=Controls)
    renderer: FakeRenderer | None = field(default_factory=FakeRenderer)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.start = self.clock.now_nanos()
        self.motion = FakeMotionStage(
            self.settings.rate, self.controls, lookahead_nanos=self.settings.lookahead_nanos
        )
        self.outlet = RecordingOutlet(self.settings.size_px, self.clock)
        self.fanout = Fanout(make_encoder(self.settings.encoding, self.settings.rate))
        self.session = Session(
            "test",
            self.settings,
            self.controls,
            clock=self.clock,
            motion=self.motion,
            renderer=self.renderer,
            publishers=(self.outlet,),
            fanout=self.fanout,
        )
        self.faults: list[Exception] = []
        self.scheduler = Scheduler(
            self.clock, num_workers=2, on_fault=lambda _, fault: self.faults.append(fault)
        )
        self.scheduler.add(self.session)

    def subscribe(self, wanted: Wanted = Wanted.NONE, max_frames: int = 100_000) -> Subscriber:
        subscriber = Subscriber(wanted=wanted, max_frames=max_frames)
        self.fanout.add(subscriber)
        return subscriber

    def run(self, millis: float) -> None:
        """Let time pass as the scheduler's thread would: sleep to the next due time, tick."""
        end = self.clock.now_nanos() + round(millis * 1e6)
        while True:
            due = self.scheduler.tick()
            if due is None or due > end:
                self.clock.advance_to(end)
                return
            self.clock.advance_to(max(due, self.clock.now_nanos()))

    def drain(self) -> None:
        """Run a BURST session until nothing is due."""
        while self.scheduler.tick() is not None:
            pass


def tone(millis: float, *, rate: int = 16_000, level: float = 0.5) -> bytes:
    """A square wave: every sample has the same level."""
    num = round(rate * millis / 1000)
    return (np.sign(np.sin(np.arange(num) + 0.5)) * level * 32767).astype("<i2").tobytes()


def speech(millis: float, **fields: object) -> Pcm:
    return replace(Pcm(tone(millis), 16_000), **fields)


def received(subscriber: Subscriber, kind: type | None = None) -> list[StreamItem]:
    items = []
    while (item := subscriber.take_nowait()) is not None:
        if kind is None or isinstance(item, kind):
            items.append(item)
    return items
