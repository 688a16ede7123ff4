"""Record a live session: push speech in real time, keep every frame, note every delay."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np
from avatar_client import Frame, Session

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.video import VideoWriter
from avatar_service.signals import Float32Array, MotionFrame, UInt8Array

CHUNK_SECS: Final = 0.02
LEAD_IN_SECS: Final = 0.5
TAIL_SECS: Final = 0.6
NANOS: Final = 1_000_000_000
_QUEUE_FRAMES: Final = 400
_CONTACT_FRAMES: Final = 24


@dataclass(slots=True)
class Recording:
    """What came out of the session.

    Attributes:
        motion: the latents of all frames, pts counted from the first one.
        latency_ms: per frame of speech, from pushing its sample to holding the frame.
        num_missing: frames that never arrived; the picture before stands in for them.
        num_torn: reads that had to be repeated.
        contact: a few pictures, evenly spread, with their times.
    """

    motion: list[MotionFrame] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    num_missing: int = 0
    num_torn: int = 0
    first_frame_ms: float = 0.0
    wall_secs: float = 0.0
    contact: list[tuple[float, UInt8Array]] = field(default_factory=list)


class _SpeechPusher(threading.Thread):
    """Pushes speech as a microphone would, and remembers when."""

    def __init__(self, session: Session, samples: Float32Array, rate_hz: int) -> None:
        super().__init__(daemon=True)
        self._session = session
        self._samples = samples
        self._rate_hz = rate_hz
        self.segment_id = "speech"
        self.pushed_at: list[int] = []

    def run(self) -> None:
        step = round(CHUNK_SECS * self._rate_hz)
        begin = time.monotonic_ns()
        for index, start in enumerate(range(0, len(self._samples), step)):
            due = begin + round(index * CHUNK_SECS * NANOS)
            time.sleep(max(0, due - time.monotonic_ns()) / NANOS)
            self.pushed_at.append(time.monotonic_ns())
            self._session.push_audio(
                self._samples[start : start + step],
                sample_rate_hz=self._rate_hz,
                segment_id=self.segment_id,
            )
        self._session.end_segment()

    def pushed_at_nanos(self, offset_nanos: int) -> int | None:
        """Return when the sample at this offset into the speech was pushed."""
        index = int(offset_nanos // round(CHUNK_SECS * NANOS))
        return self.pushed_at[index] if 0 <= index < len(self.pushed_at) else None


class _Encoder(threading.Thread):
    """Encodes beside the reading, so that reading never waits for it."""

    def __init__(self, writer: VideoWriter, rate: Fraction, sample_rate_hz: int) -> None:
        super().__init__(daemon=True)
        self.queue: queue.Queue[UInt8Array | None] = queue.Queue(_QUEUE_FRAMES)
        self.sound: Float32Array | None = None
        self.fault: BaseException | None = None
        self._writer = writer
        self._samples_per_frame = sample_rate_hz / rate
        self._num_frames = 0
        self._num_samples = 0

    def run(self) -> None:
        try:
            while (pixels := self.queue.get()) is not None:
                self._writer.write_frame(pixels)
                self._num_frames += 1
                self._write_sound(int(self._num_frames * self._samples_per_frame))
        except BaseException as fault:
            self.fault = fault
            while self.queue.get() is not None:
                pass

    def _write_sound(self, end: int) -> None:
        """Keep the sound beside the picture, once it is known where the speech begins."""
        # Pictures that stand in for missing ones may outlast the sound.
        end = min(end, len(self.sound)) if self.sound is not None else 0
        if self.sound is None or end <= self._num_samples:
            return
        self._writer.write_audio(self.sound[self._num_samples : end])
        self._num_samples = end

    def finish(self) -> None:
        """Wait until all is written; raises what went wrong."""
        self.queue.put(None)
        self.join()
        if self.fault is not None:
            raise self.fault


def record(
    session: Session,
    samples: Float32Array,
    rate_hz: int,
    writer: VideoWriter,
    *,
    opened_at_nanos: int,
) -> Recording:
    """Stream speech into an open session in real time and write what comes back.

    Args:
        session: of this host (its clock is compared with ours), frames of even size.
        samples: (num_samples,) float32 mono.
        rate_hz: of samples.
        writer: opened with sound at rate_hz.
        opened_at_nanos: monotonic time at which the session was asked for.
    """
    rate = Fraction(session.info.frame_rate.num, session.info.frame_rate.den)
    num_frames = round((LEAD_IN_SECS + len(samples) / rate_hz + TAIL_SECS) * rate)
    recording = Recording()
    pusher = _SpeechPusher(session, samples, rate_hz)
    encoder = _Encoder(writer, rate, rate_hz)
    encoder.start()
    first: Frame | None = None
    last_seq = began_at = 0
    speech_begins: int | None = None
    while len(recording.motion) < num_frames:
        frame = session.next_frame(timeout_secs=5.0)
        now = time.monotonic_ns()
        if frame is None:
            raise AvatarError(Reason.BUG, "the service stopped sending frames")
        if first is None:
            first, began_at, last_seq = frame, now, frame.seq - 1
            recording.first_frame_ms = (now - opened_at_nanos) / 1e6
        if pusher.ident is None and frame.pts_nanos >= first.pts_nanos + LEAD_IN_SECS * NANOS:
            pusher.start()
        if speech_begins is None and pusher.pushed_at:
            speech_begins = session.wait_segment_started(pusher.segment_id).pts_nanos
            silence = speech_begins - first.pts_nanos
            encoder.sound = _sound(samples, silence, rate_hz, round(num_frames / rate * rate_hz))
        if speech_begins is not None:
            pushed_at = pusher.pushed_at_nanos(frame.pts_nanos - speech_begins)
            if pushed_at is not None:
                recording.latency_ms.append((now - pushed_at) / 1e6)
        recording.num_missing += frame.seq - last_seq - 1
        for _ in range(frame.seq - last_seq):
            encoder.queue.put(frame.pixels)
            recording.motion.append(_motion(frame, len(recording.motion), rate))
        last_seq = frame.seq
        if len(recording.motion) * _CONTACT_FRAMES // num_frames > len(recording.contact):
            seconds = (frame.pts_nanos - first.pts_nanos) / NANOS
            recording.contact.append((seconds, frame.pixels))
    recording.wall_secs = (time.monotonic_ns() - began_at) / NANOS
    recording.num_torn = session.statistics().counters.num_torn
    encoder.finish()
    return recording


def _sound(
    samples: Float32Array, silence_nanos: int, rate_hz: int, num_samples: int
) -> Float32Array:
    """Put the speech behind the silence that the first frames showed."""
    sound = np.zeros(num_samples, np.float32)
    start = round(silence_nanos * rate_hz / NANOS)
    heard = samples[: len(sound) - start]
    sound[start : start + len(heard)] = heard
    return sound


def _motion(frame: Frame, index: int, rate: Fraction) -> MotionFrame:
    motion = frame.motion
    return MotionFrame(
        pts_nanos=int(index * NANOS // rate),
        seq=index + 1,
        expression=motion.expression.copy(),
        head_rotation=motion.head_rotation.copy(),
        head_translation=motion.head_translation.copy(),
        gaze=motion.gaze.copy(),
        emotion=motion.emotion.copy(),
        speech=motion.speech,
    )
