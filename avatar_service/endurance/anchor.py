"""The client of a soak that stays from the beginning to the end, and watches sound and picture.

It says the same clip again and again, so that any two of its segments can be compared: the jaw's
curve against the segment's own start (have the latents moved against their audio?), and the time at
which frames arrive (has the picture moved against real time?). It acknowledges playback as a sound
device does whose crystal is off by DEVICE_DRIFT.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from avatar_service.signals import Float32Array

RATE_HZ: Final = 16_000
CHUNK_MILLIS: Final = 20
AHEAD_SECS: Final = 0.2
"""Speech is pushed this long before it is due, so that a busy machine leaves no gaps in it."""
PAUSE_SECS: Final = 1.5
DEVICE_DRIFT: Final = 50e-6
"""A sound device's crystal is specified to some tens of parts per million."""
ACKNOWLEDGE_SECS: Final = 0.25
GRID_SECS: Final = 0.005
MAX_SHIFT_STEPS: Final = 40
"""Shifts of the jaw's curve up to 200 ms are looked for."""
WAIT_SECS: Final = 30.0


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """What one saying of the clip showed.

    Attributes:
        at_secs: since the anchor began.
        arrival_ms: arrival minus the moment at which session time reached the frame's pts, as the
            anchor reckons it from the segment's start; the 5th percentile, which a busy machine
            hardly moves and a drifting clock does.
        jaw: (num_steps,) jaw opening every GRID_SECS from the segment's first sample.
        clock_drift_ms: the service's own figure: session clock against acknowledged playback.
        num_missed: frames overwritten before they were read, since the start.
    """

    at_secs: float
    arrival_ms: float
    jaw: Float32Array
    clock_drift_ms: float
    num_missed: int


@dataclass(slots=True)
class AnchorReport:
    """What the anchor saw.

    Attributes:
        segments: all that were said to their end.
        faults: reasons for which its session ended early; it opened another one then.
    """

    segments: list[SpokenSegment] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def run_anchor(pipe: Any, address: str, avatar_id: str, size_px: int, clip: Float32Array) -> None:
    """Open a session, say so, speak until told to stop, and send an AnchorReport.

    Args:
        pipe: to the soak.
        address: of the service.
        avatar_id: whom to show; "" for latents alone.
        size_px: of the frames.
        clip: (num_samples,) float32 at 16 kHz.
    """
    from avatar_client import AvatarClientError, connect

    report, began = AnchorReport(), time.monotonic()
    pipe.send(None)
    while not pipe.poll():
        anchor = None
        try:
            with (
                connect(address) as client,
                client.open_session(avatar_id, size_px=size_px, transport="shm") as session,
            ):
                anchor = _Anchor(session, clip)
                while not pipe.poll():
                    report.segments.append(anchor.speak(time.monotonic() - began))
        except AvatarClientError as error:
            report.faults.append(error.reason)
            time.sleep(1.0)
        finally:
            if anchor is not None:
                anchor.stop()
    pipe.send(report)
    pipe.close()


def jaw_shifts_ms(segments: list[SpokenSegment], num_reference: int = 5) -> list[float]:
    """Return how far each segment's jaw lies behind the mean of the first ones, milliseconds.

    The peak of the cross-correlation, refined by a parabola through its neighbours.
    """
    reference = np.mean([one.jaw for one in segments[:num_reference]], axis=0)
    return [_shift_steps(reference, one.jaw) * GRID_SECS * 1e3 for one in segments]


def _shift_steps(reference: Float32Array, curve: Float32Array) -> float:
    middle = slice(MAX_SHIFT_STEPS, len(reference) - MAX_SHIFT_STEPS)
    base = reference[middle] - reference[middle].mean()
    scores = np.array(
        [
            float(base @ curve[middle.start + lag : middle.stop + lag])
            for lag in range(-MAX_SHIFT_STEPS, MAX_SHIFT_STEPS + 1)
        ]
    )
    best = int(np.clip(scores.argmax(), 1, len(scores) - 2))
    left, top, right = scores[best - 1 : best + 2]
    bend = left - 2 * top + right
    return best - MAX_SHIFT_STEPS + (0.5 * (left - right) / bend if bend else 0.0)


class _Anchor:
    def __init__(self, session: Any, clip: Float32Array) -> None:
        self._session = session
        self._clip = clip
        self._jaw = session.motion_names.expression_names.index("jawOpen")
        self._num_said = 0
        self._is_stopping = threading.Event()
        self._device = threading.Thread(target=self._play, daemon=True)
        self._device.start()

    def speak(self, at_secs: float) -> SpokenSegment:
        """Say the clip once and watch it. Raises what the session meets."""
        from avatar_client import TimeoutExceededError

        self._num_said += 1
        name = f"clip-{self._num_said}"
        pushed_at = time.monotonic()
        pushing = threading.Thread(target=self._push, args=(name, pushed_at))
        pushing.start()
        started = self._session.wait_segment_started(name, WAIT_SECS)
        began = self._session.clock.pts_nanos() - int((time.monotonic() - pushed_at) * 1e9)
        end = started.pts_nanos + int((len(self._clip) / RATE_HZ + PAUSE_SECS) * 1e9)
        pts, jaws, late = [], [], []
        while True:
            frame = self._session.next_frame(WAIT_SECS)
            if frame is None or frame.pts_nanos > end:
                break
            arrived = time.monotonic()
            if frame.pts_nanos < started.pts_nanos:
                continue
            pts.append((frame.pts_nanos - started.pts_nanos) / 1e9)
            jaws.append(float(frame.motion.expression[self._jaw]))
            late.append((arrived - pushed_at) * 1e3 - (frame.pts_nanos - began) / 1e6)
        pushing.join()
        if len(pts) < 2:
            raise TimeoutExceededError("TIMEOUT", "the frames of the clip did not come")
        grid = np.arange(0, len(self._clip) / RATE_HZ, GRID_SECS)
        statistics = self._session.statistics()
        server = statistics.server
        return SpokenSegment(
            at_secs,
            float(np.percentile(late, 5)),
            np.interp(grid, pts, jaws).astype(np.float32),
            server.playback_drift_millis if server is not None else 0.0,
            statistics.counters.num_missed,
        )

    def stop(self) -> None:
        """Stop the sound device."""
        self._is_stopping.set()
        self._device.join()

    def _push(self, name: str, began: float) -> None:
        from avatar_client import AvatarClientError

        with contextlib.suppress(AvatarClientError):  # whoever reads the frames meets it too
            self._push_clip(name, began)

    def _push_clip(self, name: str, began: float) -> None:
        samples = RATE_HZ * CHUNK_MILLIS // 1000
        for start in range(0, len(self._clip), samples):
            due = began + start / RATE_HZ - AHEAD_SECS
            time.sleep(max(0.0, due - time.monotonic()))
            chunk = self._clip[start : start + samples]
            self._session.push_audio(chunk, sample_rate_hz=RATE_HZ, segment_id=name)
        self._session.end_segment()

    def _play(self) -> None:
        """Acknowledge as a device that plays the session's line at its own speed."""
        from avatar_client import AvatarClientError

        began, first = time.monotonic(), self._session.clock.pts_nanos()
        while not self._is_stopping.wait(ACKNOWLEDGE_SECS):
            played = (time.monotonic() - began) * (1 + DEVICE_DRIFT)
            heard = first + int(played * 1e9) - self._session.info.playout_delay_millis * 10**6
            if heard > 0 and self._session.is_open:
                with contextlib.suppress(AvatarClientError):
                    self._session.acknowledge(heard)
