"""One session: the only place that knows the order audio -> motion -> render -> transports.

Two threads meet here. The server's pushes audio, controls and interrupts (short, under the lock).
The scheduler's call `take_in`, `produce_motion` and `deliver`, one after the other.

REALTIME: a frame is made when session time reaches the end of the audio that the motion stage
needs for it, plus the input margin, with whatever audio has arrived by then; silence stands in for
what is missing, and late audio continues behind the gap. BURST: time is the samples consumed; no
reader is outrun.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.clock import Clock, FrameGrid, PlaybackClock
from avatar_service.session.control_queue import ControlQueue, set_look
from avatar_service.session.delivery import Delivery, Timing
from avatar_service.session.events import (
    AudioClipped,
    AudioLate,
    Interrupted,
    PhonesIgnored,
    SegmentEnded,
    SegmentStarted,
    SessionEnded,
    SessionEnding,
    StreamItem,
)
from avatar_service.session.fanout import Fanout
from avatar_service.session.phones import KnownPhones, PhoneQueue
from avatar_service.session.settings import Pacing, SessionSettings
from avatar_service.session.speech import Pcm, SpeechInput
from avatar_service.session.stages import FrameRenderer, MotionSource, PictureBatch
from avatar_service.session.stats import SessionStats
from avatar_service.session.timeline import SAMPLE_NANOS, Starvation, sample_from
from avatar_service.session.ways_out import WaysOut
from avatar_service.signals import AudioChunk, AudioRole, Controls, MotionFrame, SegmentEnd
from avatar_service.transports.publisher import Publisher

POLL_SAMPLES: Final = 80
"""A frame that the motion stage holds back although it has what it said to need is asked for
again with every 5 ms of audio."""
MAX_STEP_FRAMES: Final = 4
"""Frames of one session in one tick, so that a session that lags does not starve the others."""


class Session:
    """A running face. See the module for its threads and its timing."""

    def __init__(
        self,
        session_id: str,
        settings: SessionSettings,
        controls: Controls,
        *,
        clock: Clock,
        motion: MotionSource,
        renderer: FrameRenderer | None,
        publishers: tuple[Publisher, ...],
        fanout: Fanout,
    ) -> None:
        self.session_id = session_id
        self.settings = settings
        self.fanout = fanout
        self.stats = SessionStats(float(settings.rate))
        self.is_closed = False
        self.end_message = ""
        self.end_reason: Reason | None = None
        self._clock = clock
        self._motion: MotionSource | None = motion
        self._delivery = Delivery(
            renderer,
            WaysOut(publishers, settings.size_px),
            fanout,
            self.stats,
            Timing(self._is_late, self._lag_nanos, clock.now_nanos),
            self._set_look,
        )
        self._grid = FrameGrid(settings.rate)
        self._playback = PlaybackClock(clock.now_nanos())
        self._speech = SpeechInput(settings.audio_ahead_secs)
        self._phones = PhoneQueue()
        self._lock = threading.RLock()
        self._controls = ControlQueue(controls, has_pictures=renderer is not None)
        self._pending_ends: deque[SegmentEnd] = deque()
        self._must_reset = False
        self._is_ticking = False
        self._num_made = 0
        self._last_pts = -1
        self._end_pts = 0
        self._retry_at = 0
        self._needed_until = motion.needed_until_nanos
        if renderer is not None:
            set_look(renderer, controls)

    # What the server calls.

    @property
    def epoch(self) -> int:
        """Number of interrupts so far."""
        return self._speech.epoch

    @property
    def controls(self) -> Controls:
        """The controls in effect or on their way."""
        with self._lock:
            return self._controls.newest

    @property
    def pts_nanos(self) -> int:
        """Session time now."""
        with self._lock:
            if self.is_closed:
                return self._end_pts
            if self.settings.pacing is Pacing.BURST:
                return self._speech.speak.front * SAMPLE_NANOS
            return self._playback.pts_at(self._clock.now_nanos())

    @property
    def audio_ahead_nanos(self) -> int:
        """Speech that lies pushed but not yet used."""
        with self._lock:
            return self._speech.ahead_nanos

    @property
    def gap_nanos_total(self) -> int:
        """Silence that had to stand in for late audio so far."""
        return self._speech.gap_nanos_total

    @property
    def drift_nanos(self) -> int:
        """Session clock against playback; positive: the session is ahead."""
        with self._lock:
            return self._playback.drift_nanos

    @property
    def has_work(self) -> bool:
        """Whether speech waits or is on its way out."""
        with self._lock:
            return self._is_ticking or self._has_speech

    @property
    def is_speaking(self) -> bool:
        """Whether a sentence is being said: speech is on its way, or its segment is open."""
        with self._lock:
            return self.has_work or self._speech.speak.open_segment_id is not None

    def push_audio(self, pcm: Pcm) -> None:
        """Lay speech on the line. Raises INVALID_AUDIO, AUDIO_TOO_FAR_AHEAD, SESSION_CLOSED."""
        with self._lock:
            self._check_open()
            for item in self._speech.push(pcm, self._earliest()):
                if isinstance(item, SegmentStarted) and item.role is AudioRole.SPEAK:
                    self._phones.place(item.segment_id, item.pts_nanos)
                elif isinstance(item, AudioClipped):
                    self.stats.clipped += item.num_samples
                self._tell(item)

    def end_segment(self, role: AudioRole, segment_id: str = "") -> None:
        """End the open segment of a role; ignored where there is none."""
        with self._lock:
            self._check_open()
            self._speech.end_segment(role, segment_id)

    def end_all_segments(self) -> None:
        """End what is open, as when the controller goes."""
        with self._lock:
            self._speech.end_all()

    def interrupt(self) -> int:
        """Drop the speech that is not yet out (barge-in); return the new epoch."""
        with self._lock:
            self._check_open()
            epoch = self._speech.epoch + 1
            at = max(self._last_pts, 0)
            cut = self._speech.interrupt(epoch)
            self._phones.clear()
            ending = [end.segment_id for end in self._pending_ends]
            self._pending_ends.clear()
            self._must_reset = True
            for segment_id in [*ending, *cut]:
                self._tell(SegmentEnded(segment_id, at, epoch - 1, is_cut_short=True))
            current = (ending + cut)[0] if ending or cut else ""
            self._tell(Interrupted(epoch, at, current))
            return epoch

    def set_controls(self, controls: Controls, effective_pts: int = 0, change_id: int = 0) -> None:
        """Change the controls at `effective_pts`, 0 for as early as possible."""
        with self._lock:
            self._check_open()
            self._controls.add(controls, effective_pts, change_id)

    def acknowledge(self, played_pts_nanos: int) -> None:
        """Take note that the client hears `played_pts_nanos` now."""
        with self._lock:
            self._playback.acknowledge(played_pts_nanos, self._clock.now_nanos())

    def push_phones(self, known: KnownPhones) -> None:
        """Let known phones steer the lips of their segment. Raises QUOTA_EXCEEDED."""
        with self._lock:
            self._check_open()
            self._phones.add(known, self._speech.open_place)
            if known.num_ignored:
                self.stats.phones_ignored += known.num_ignored
                self._tell(PhonesIgnored(self.pts_nanos, known.num_ignored))

    # What the scheduler calls.

    def due_at(self) -> int | None:
        """Return the monotonic time of the next work; None: when something is pushed."""
        with self._lock:
            if self.is_closed:
                return None
            if self.settings.pacing is Pacing.BURST:
                waits = self.fanout.must_wait or not (
                    self._has_speech or self._controls.has_waiting
                )
                return None if waits else 0
            needed = self._needed_until + self.settings.input_margin_nanos
            return max(self._playback.mono_at(needed), self._retry_at)

    @property
    def delivery(self) -> Delivery:
        """The way out, for pictures that several sessions draw together."""
        return self._delivery

    @property
    def batch(self) -> PictureBatch | None:
        """What draws this session's pictures together with others'; None: it draws alone."""
        return self._delivery.batch

    @property
    def motion(self) -> MotionSource | None:
        """The motion stage, for work that several sessions do together; None once closed."""
        return self._motion

    def take_in(self) -> None:
        """Feed the motion stage up to now."""
        with self._lock:
            stage = self._motion
            if stage is None:
                return
            self._is_ticking = True
            self._apply_changes(stage)
            chunks = self._read_line()
        for chunk in chunks:
            stage.push(chunk)

    def produce_motion(self) -> None:
        """Collect the latents that come out of what was taken in."""
        stage = self._motion
        if stage is None:
            return
        num_before = self._num_made
        for motion in stage.pull():
            self._collect(motion)
        with self._lock:
            self._release_ends()
            self._needed_until = stage.needed_until_nanos
            if self._num_made == num_before:
                step = self._speech.speak.front // POLL_SAMPLES + 1
                at = step * POLL_SAMPLES * SAMPLE_NANOS + self.settings.input_margin_nanos
                self._retry_at = self._playback.mono_at(at)

    def deliver(self) -> None:
        """Render and publish what `produce_motion` has collected, in order."""
        for picture in iter(self._delivery.next_picture, None):
            self._delivery.draw(picture)
            self._delivery.show(picture)
        self.end_tick()

    def end_tick(self) -> None:
        """Take note that all is delivered."""
        with self._lock:
            self._is_ticking = False

    def close(self, message: str = "the session was closed", reason: Reason | None = None) -> None:
        """End the session, its streams and transports; idempotent. Not during a tick.

        What remains is light: figures, controls and the last session time. All is ended even where
        a part of it raises, as a device that failed does when it is given back.
        """
        with self._lock:
            if self.is_closed:
                return
            self._end_pts = self.pts_nanos
            self.is_closed = True
            self.end_message, self.end_reason = message, reason
            stage, self._motion = self._motion, None
            self._speech.clear()
        self._tell(SessionEnding(message, reason))
        try:
            self._delivery.close()  # before the streams say that everything is out
        finally:
            self._tell(SessionEnded(self._end_pts, self._delivery.last_seq))
            self.fanout.close()
            if stage is not None:
                stage.close()

    @property
    def _has_speech(self) -> bool:
        return self._speech.speak.has_queued or bool(self._pending_ends)

    def _check_open(self) -> None:
        if self.is_closed:
            raise AvatarError(Reason.SESSION_CLOSED, f"session {self.session_id} is closed")

    def _tell(self, item: StreamItem) -> None:
        self.fanout.tell(item)

    def _earliest(self) -> int:
        if self.settings.pacing is Pacing.BURST:
            return self._speech.speak.end
        return sample_from(self._playback.pts_at(self._clock.now_nanos()))

    def _read_limit(self) -> int:
        """Return the sample up to which audio is handed to the motion stage now."""
        line = self._speech.speak
        if self.settings.pacing is Pacing.REALTIME:
            now_pts = self._playback.pts_at(self._clock.now_nanos())
            newest = sample_from(now_pts - self.settings.input_margin_nanos)
            # A session that fell behind catches up in steps.
            step = sample_from(self._grid.pts_of(MAX_STEP_FRAMES))
            return max(line.front, min(newest, line.front + step))
        step = sample_from(self._grid.pts_of(1))
        if self._pending_ends and not line.has_queued:
            return line.front + step  # silence that carries the last frames through
        return min(line.front + step, line.end)

    def _read_line(self) -> list[AudioChunk]:
        chunks: list[AudioChunk] = []
        for item in self._speech.read(self._read_limit()):
            if isinstance(item, AudioChunk):
                chunks.append(item)
                self.stats.speech_secs += len(item.samples) / 16_000 if item.is_speech else 0.0
            elif isinstance(item, SegmentEnd):
                self._pending_ends.append(item)
            elif isinstance(item, Starvation):
                self.stats.audio_gaps += 1
                self._tell(AudioLate(item.segment_id, item.pts_nanos, 0, self.epoch))
        return chunks

    def _apply_changes(self, stage: MotionSource) -> None:
        if self._must_reset:
            self._must_reset = False
            stage.reset(self.epoch)
        for placed in self._phones.take():
            known = placed.known
            stage.push_phones(known.phones, known.alphabet, placed.pts_nanos)
        for applied in self._controls.apply_to(stage):
            self._tell(applied)

    def _collect(self, motion: MotionFrame) -> None:
        pts = self._grid.pts_of(self._num_made)
        if motion.pts_nanos != pts:
            raise RuntimeError(f"frame {self._num_made} has pts {motion.pts_nanos}, not {pts}")
        with self._lock:
            self._num_made += 1
            self._last_pts = pts
            epoch = self.epoch
        motion = replace(motion, seq=self._num_made, epoch=epoch)
        renderer = self._delivery.renderer
        if renderer is not None:
            motion = renderer.limit_motion(motion)
        self._delivery.ready.append(motion)
        self.stats.frames += 1
        with self._lock:
            self._release_ends()

    def _release_ends(self) -> None:
        """Send the segment ends on their way that have all their frames before them."""
        next_pts = self._grid.pts_of(self._num_made)
        while self._pending_ends and self._pending_ends[0].pts_nanos <= next_pts:
            self._delivery.ready.append(self._pending_ends.popleft())

    def _is_late(self, pts_nanos: int) -> bool:
        if self.settings.pacing is Pacing.BURST:
            return False
        with self._lock:
            deadline = self._playback.mono_at(pts_nanos + self.settings.playout_delay_nanos)
        return self._clock.now_nanos() > deadline

    def _lag_nanos(self, pts_nanos: int) -> int | None:
        if self.settings.pacing is Pacing.BURST:
            return None
        with self._lock:
            return self._playback.pts_at(self._clock.now_nanos()) - pts_nanos

    def _set_look(self, renderer: FrameRenderer, pts_nanos: int) -> None:
        with self._lock:
            self._controls.set_look(renderer, pts_nanos)
