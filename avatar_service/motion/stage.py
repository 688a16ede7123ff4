"""The motion stage: lips from the articulation net, life from prosody, one frame per grid time."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from avatar_service.audio.prosody import HOP_SAMPLES, Prosody, ProsodyHop
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.articulation import ArticulationStage, run_batched
from avatar_service.motion.articulation_parameters import load_weights
from avatar_service.motion.articulation_step import ArticulationStepper
from avatar_service.motion.control_checks import check_controls
from avatar_service.motion.life import Life
from avatar_service.motion.life_stream import LifeModel, LifeStream, draw_together
from avatar_service.motion.lips import STEP_NANOS, LipTrack, compose
from avatar_service.motion.model import LipSource, MotionModel
from avatar_service.motion.phones import TimedPhone
from avatar_service.signals import AudioChunk, AudioRole, Controls, Float32Array, MotionFrame

SAMPLE_NANOS: Final = 62_500
"""One sample of 16 kHz, exactly."""
TICK_NANOS: Final = 40_000_000
HOP_NANOS: Final = HOP_SAMPLES * SAMPLE_NANOS
DEFAULT_LOOKAHEAD_NANOS: Final = 40_000_000
LIFE_HEARS_AHEAD_NANOS: Final = 20_000_000
"""How far beyond its tick's end life hears the voice. A frame waits for the lips' next 20 ms step
and their look-ahead; so much of a look-ahead of 40 ms always lies beyond the tick's end too, and
costs no wait of its own."""
MIN_FRAME_RATE: Final = 1
MAX_FRAME_RATE: Final = 120


class MotionStage(MotionModel):
    """Streaming generator of MotionFrames (a MotionModel).

    Two clocks run inside: lips every 20 ms, life every 40 ms, both read at the frame's time by
    cubic curves. A frame at p comes out when the lips are known up to p (audio up to the next
    20 ms step plus look-ahead) and the line up to 20 ms beyond the end of p's tick.

    Not thread-safe; several stages may run in several threads.
    """

    def __init__(
        self,
        frame_rate: Fraction = Fraction(40),
        controls: Controls | None = None,
        *,
        seed: int = 0,
        lookahead_nanos: int = DEFAULT_LOOKAHEAD_NANOS,
        lips: LipSource | None = None,
        life_model: LifeModel | None = None,
    ) -> None:
        """Start at session time 0.

        Args:
            frame_rate: frames per second, 1 to 120.
            controls: in force from the start.
            seed: of everything drawn at random, joined with controls.seed.
            lookahead_nanos: audio the lips wait for, one the articulation net has a head for.
            lips: another source of lips.
            life_model: another life transformer than the package's.

        Raises:
            AvatarError: INVALID_FIELD for a frame rate, look-ahead or control out of range;
                MODELS_NOT_AVAILABLE where weights cannot be read.
        """
        if not MIN_FRAME_RATE <= frame_rate <= MAX_FRAME_RATE:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"frame rate {float(frame_rate):g} is not supported; "
                f"allowed: {MIN_FRAME_RATE} to {MAX_FRAME_RATE}",
                field="frame_rate",
            )
        self.frame_rate = frame_rate
        self._life = Life(controls or Controls(), seed, life_model)
        self.lips: LipSource = lips if lips is not None else _articulation(lookahead_nanos)
        self._track = LipTrack()
        self._voice = _Hops()
        self._heard = _Hops()
        self._line_end = 0
        self._ticks_end = 0  # of the ticks begun
        self._is_sensed = False  # the newest of them is begun, not ended
        self._next_frame = 0
        self._lookahead_nanos = lookahead_nanos
        spare = lookahead_nanos - STEP_NANOS
        self._hears_ahead = min(LIFE_HEARS_AHEAD_NANOS, max(0, spare))
        self._epoch = 0
        self._is_closed = False

    @property
    def needed_until_nanos(self) -> int:
        """End of the line from which `pull` yields the next frame; see MotionModel."""
        pts = self._pts_of(self._next_frame)
        step = self._track.step_from(pts)
        needed = _tick_end(pts) + self._hears_ahead
        if step > self._track.end_pts_nanos:
            needed = max(needed, step + self._lookahead_nanos)
        return needed

    def push(self, chunk: AudioChunk) -> None:
        """Take the next stretch of the line, or of the partner's voice; see MotionModel.push."""
        if self._is_closed:
            raise AvatarError(Reason.SESSION_CLOSED, "the motion stage is closed")
        if not np.isfinite(chunk.samples).all():
            raise AvatarError(Reason.INVALID_AUDIO, "the audio holds NaN or infinite samples")
        if chunk.role is AudioRole.LISTEN:
            self._heard.push(chunk.samples, chunk.pts_nanos)
            return
        if abs(chunk.pts_nanos - self._line_end) >= SAMPLE_NANOS:
            raise AvatarError(
                Reason.INVALID_AUDIO,
                f"audio at {chunk.pts_nanos} ns does not continue the line, "
                f"which ends at {self._line_end} ns",
            )
        self._feed(chunk.samples)
        self._line_end += len(chunk.samples) * SAMPLE_NANOS

    def push_phones(self, phones: Sequence[TimedPhone], alphabet: str, pts_nanos: int) -> None:
        """Make phones known before their audio; see MotionModel.push_phones."""
        self.lips.push_phones(phones, alphabet, pts_nanos)

    def pull(self) -> Iterator[MotionFrame]:
        """Yield the frames that can be told now; see MotionModel.pull."""
        self.take_lips()
        while self._has_frame():
            pts = self._pts_of(self._next_frame)
            while self._is_sensed or self._ticks_end < _tick_end(pts):
                self._tick()
            self._next_frame += 1
            yield self._frame(pts)

    def take_lips(self) -> None:
        """Take over the lip steps that can be told now."""
        for step in self.lips.pull():
            self._track.append(step.expression)

    def set_controls(self, controls: Controls, effective_pts_nanos: int = 0) -> int:
        """Put controls in force from a tick on; see MotionModel.set_controls.

        A frame shows the ticks up to its time: the tick is the first one that no frame shows which
        was made already, or lies before the time asked for.
        """
        check_controls(controls)
        before = self._first_frame_after(effective_pts_nanos - 1) - 1
        asked = _tick_end(self._pts_of(before)) if before >= 0 else 0
        tick = max(asked, self._ticks_end)
        self._life.controls.schedule(controls, tick)
        return self._pts_of(self._first_frame_after(tick))

    def reset(self, epoch: int) -> None:
        """Barge-in: what was pushed beyond the newest frame becomes silence."""
        self._epoch = epoch
        newest = self._pts_of(self._next_frame - 1) if self._next_frame else 0
        cut = -(-newest // SAMPLE_NANOS) * SAMPLE_NANOS
        self._track.release(newest, cut)
        self.lips.reset(cut)
        self._life.cut_speech()
        self._voice = _Hops(cut)
        self._feed(np.zeros(max(0, self._line_end - cut) // SAMPLE_NANOS, np.float32))

    def close(self) -> None:
        """Refuse further audio."""
        self._is_closed = True

    def _feed(self, samples: Float32Array) -> None:
        self._voice.push(samples, None)
        self.lips.push(samples)

    def _has_frame(self) -> bool:
        pts = self._pts_of(self._next_frame)
        return pts <= self._track.end_pts_nanos and (
            _tick_end(pts) + self._hears_ahead <= self._line_end
        )

    def _sense(self) -> None:
        """Begin the next tick, if that is not done yet."""
        if self._is_sensed:
            return
        self._is_sensed = True
        start, self._ticks_end = self._ticks_end, self._ticks_end + TICK_NANOS
        voice = self._voice.take(self._ticks_end + self._hears_ahead)
        heard = self._heard.take(self._ticks_end)
        self._life.sense(start, voice, heard)

    def _tick(self) -> None:
        self._sense()
        self._is_sensed = False
        self._life.act()

    def _sense_due(self) -> LifeStream | None:
        """Begin the tick that the next pull needs; its stream, where a block of it is due."""
        stream = self._life.stream
        if stream is None or self._is_sensed or not self._has_frame():
            return None
        if self._ticks_end < _tick_end(self._pts_of(self._next_frame)):
            self._sense()
        return stream if stream.is_due else None

    def _frame(self, pts: int) -> MotionFrame:
        fraction = 1 - (self._ticks_end - pts) / TICK_NANOS
        life = self._life.at(fraction)
        head = life.head.astype(np.float32)
        return MotionFrame(
            pts_nanos=pts,
            seq=self._next_frame & 0xFFFFFFFF,
            epoch=self._epoch,
            expression=compose(self._track.at(pts), life),
            head_rotation=head[:3],
            head_translation=head[3:],
            gaze=life.gaze,
            emotion=np.clip(life.emotion, 0.0, 1.0).astype(np.float32),
            speech=min(1.0, max(0.0, life.speech)),
        )

    def _first_frame_after(self, pts: int) -> int:
        """Index of the first frame later than a time."""
        rate = self.frame_rate
        index = max(0, pts * rate.numerator // (1_000_000_000 * rate.denominator))
        while self._pts_of(index) <= pts:
            index += 1
        return index

    def _pts_of(self, index: int) -> int:
        return index * 1_000_000_000 * self.frame_rate.denominator // self.frame_rate.numerator


def compute_together(stages: Sequence[MotionStage]) -> None:
    """Run the networks of many stages as batches: the lips', then the lives'.

    What each stage's `pull` then yields is what it yields alone, within rounding.
    """
    run_batched([one.lips for one in stages if isinstance(one.lips, ArticulationStage)])
    for one in stages:
        one.take_lips()
    due = [stream for one in stages if (stream := one._sense_due()) is not None]
    draw_together(due)


def _tick_end(pts_nanos: int) -> int:
    """End of the tick that a time lies in; a time on the grid belongs to the tick it ends."""
    return -(-pts_nanos // TICK_NANOS) * TICK_NANOS


class _Hops:
    """Prosody of one voice, waiting for the ticks that take it."""

    def __init__(self, start_pts_nanos: int = 0) -> None:
        self._begin(start_pts_nanos)

    def _begin(self, pts_nanos: int) -> None:
        self._prosody = Prosody()
        self._end = pts_nanos  # of the samples pushed
        self._first_end = pts_nanos + HOP_NANOS  # of the first waiting hop
        self._waiting: deque[ProsodyHop] = deque()

    def push(self, samples: Float32Array, pts_nanos: int | None) -> None:
        """Analyse the next samples; a pts that does not continue the voice begins it anew."""
        if pts_nanos is not None and abs(pts_nanos - self._end) >= SAMPLE_NANOS:
            self._begin(pts_nanos)
        self._end += len(samples) * SAMPLE_NANOS
        self._waiting.extend(self._prosody.push_hops(samples))

    def take(self, until_pts_nanos: int) -> list[ProsodyHop]:
        """Hops that end at or before a time, each once."""
        taken: list[ProsodyHop] = []
        while self._waiting and self._first_end <= until_pts_nanos:
            taken.append(self._waiting.popleft())
            self._first_end += HOP_NANOS
        return taken


def _articulation(lookahead_nanos: int) -> LipSource:
    return ArticulationStage(_shared_net(), look_ahead_millis=lookahead_nanos // 1_000_000)


@functools.cache
def _shared_net() -> ArticulationStepper:
    """One network for all stages of the process; a step changes nothing in it."""
    return ArticulationStepper(load_weights())
