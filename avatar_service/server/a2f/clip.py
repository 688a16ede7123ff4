"""One clip: their messages in, their messages out, synchronous, on any motion source."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final, Protocol

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import PASCAL_NAMES
from avatar_service.server.a2f.audio import (
    BYTES_PER_SAMPLE,
    LINE_RATE_HZ,
    ClipIngest,
    check_header,
)
from avatar_service.server.a2f.emotions import EmotionMapper, shown_emotions
from avatar_service.server.a2f.gen.nvidia_ace.a2f.v1 import a2f_pb2
from avatar_service.server.a2f.gen.nvidia_ace.animation_data.v1 import animation_data_pb2
from avatar_service.server.a2f.gen.nvidia_ace.controller.v1 import controller_pb2
from avatar_service.server.a2f.gen.nvidia_ace.emotion_aggregate.v1 import emotion_aggregate_pb2
from avatar_service.server.a2f.gen.nvidia_ace.emotion_with_timecode.v1 import (
    emotion_with_timecode_pb2,
)
from avatar_service.server.a2f.gen.nvidia_ace.status.v1 import status_pb2
from avatar_service.server.a2f.parameters import FaceShaper, parse_settings
from avatar_service.signals import AudioChunk, Controls, Float32Array, MotionFrame

FRAME_RATE: Final = Fraction(30)
"""Audio2Face-3D's rate; its clients expect it."""
MAX_CLIP_SECS: Final = 300
MAX_EMOTIONS: Final = int(MAX_CLIP_SECS * FRAME_RATE)
"""Of one clip, one a frame: they are kept until their time comes, and a stream that brings no audio
would bring them for ever."""
_TAIL_SECS: Final = 2.0
"""Silence after the clip, at most, until the last frame's look-ahead is complete."""
_TAIL_STEP: Final = 640
_NANOS: Final = 1_000_000_000
_LINE_NANOS: Final = _NANOS // LINE_RATE_HZ

Message = controller_pb2.AnimationDataStream


class MotionSource(Protocol):
    """What a clip needs of the motion stage."""

    def push(self, chunk: AudioChunk) -> None:
        """Take the next stretch of the audio line."""
        ...

    def pull(self) -> Iterator[MotionFrame]:
        """Yield the frames that can be told now."""
        ...

    def set_controls(self, controls: Controls, effective_pts_nanos: int = 0, /) -> int:
        """Put controls in force from a time on."""
        ...


MakeMotion = Callable[[Fraction, Controls], MotionSource]
"""Frame rate and first controls to a motion source that starts at time 0."""


class Clip:
    """The state of one ProcessAudioStream call; not thread-safe.

    Usage: open(header), then push(audio) any number of times, then finish(); each yields the
    messages that are ready.
    """

    def __init__(self, make_motion: MakeMotion) -> None:
        self._make_motion = make_motion
        self._notes: list[str] = []
        self._inputs: deque[emotion_with_timecode_pb2.EmotionWithTimeCode] = deque()
        self._num_emotions = 0
        self._echo = bytearray()
        self._echo_start = 0  # in samples of the client's rate
        self._num_samples = 0
        self._line_end = 0  # in samples of 16 kHz
        self._num_frames = 0
        self._pending: deque[MotionFrame] = deque()

    def open(self, header: controller_pb2.AudioStreamHeader, now_secs: float) -> Message:
        """Take the header; returns the answer's header.

        Raises:
            AvatarError: INVALID_AUDIO, INVALID_FIELD.
        """
        check_header(header.audio_header)
        settings, self._notes = parse_settings(header)
        self._shaper = FaceShaper(settings, float(1 / FRAME_RATE))
        self._mapper = EmotionMapper(header.emotion_post_processing_params, self._notes)
        if header.emotion_params.HasField("live_transition_time"):
            self._notes.append("emotion parameters without effect here: live_transition_time")
        self._rate = header.audio_header.samples_per_second
        self._ingest = ClipIngest(self._rate)
        first = self._mapper.map(header.emotion_params.beginning_emotion, self._notes)
        self._motion = self._make_motion(FRAME_RATE, Controls(emotion=first))
        answer = Message()
        start = answer.animation_data_stream_header
        start.audio_header.CopyFrom(header.audio_header)
        start.skel_animation_header.blend_shapes.extend(PASCAL_NAMES)
        start.start_time_code_since_epoch = now_secs
        return answer

    def push(self, audio: a2f_pb2.AudioWithEmotion) -> Iterator[Message]:
        """Take audio; yields the frames that became ready, each with its stretch of audio.

        Raises:
            AvatarError: INVALID_AUDIO for half samples or a clip beyond the limit, INVALID_FIELD
                for a bad emotion.
        """
        data = audio.audio_buffer
        samples = self._ingest.push(data)
        self._num_samples += len(data) // BYTES_PER_SAMPLE
        if self._num_samples > MAX_CLIP_SECS * self._rate:
            raise AvatarError(
                Reason.INVALID_AUDIO, f"the clip is longer than {MAX_CLIP_SECS} seconds"
            )
        for emotion in audio.emotions:
            self._take_emotion(emotion)
        self._echo += data
        yield from self._animate(samples)

    def finish(self) -> Iterator[Message]:
        """End the clip: the remaining frames, the event, notes, and SUCCESS.

        Raises:
            AvatarError: INVALID_AUDIO if there was no audio.
        """
        if self._num_samples == 0:
            raise AvatarError(Reason.INVALID_AUDIO, "no audio was sent")
        yield from self._animate(self._ingest.flush())
        total = math.ceil(self._num_samples * FRAME_RATE / self._rate)
        for _ in range(math.ceil(_TAIL_SECS * LINE_RATE_HZ / _TAIL_STEP)):
            if self._num_frames + len(self._pending) >= total:
                break
            self._feed(np.zeros(_TAIL_STEP, np.float32), is_speech=False)
        while self._pending and self._num_frames < total:
            yield self._message(self._pending.popleft(), is_last=self._num_frames + 1 == total)
        if self._num_frames != total:
            raise RuntimeError(f"the motion source gave {self._num_frames} of {total} frames")
        event = Message()
        event.event.event_type = controller_pb2.END_OF_A2F_AUDIO_PROCESSING
        yield event
        for note in dict.fromkeys(self._notes):
            yield status_message(status_pb2.Status.INFO, note)
        yield status_message(status_pb2.Status.SUCCESS, "sent all data")

    def _take_emotion(self, given: emotion_with_timecode_pb2.EmotionWithTimeCode) -> None:
        if not (math.isfinite(given.time_code) and 0 <= given.time_code <= MAX_CLIP_SECS):
            raise AvatarError(
                Reason.INVALID_FIELD, f"emotion time code {given.time_code:g}: 0 to {MAX_CLIP_SECS}"
            )
        self._num_emotions += 1
        if self._num_emotions > MAX_EMOTIONS:
            raise AvatarError(
                Reason.INVALID_FIELD, f"the clip has more than {MAX_EMOTIONS} emotions"
            )
        ours = self._mapper.map(given.emotion, self._notes)
        self._motion.set_controls(Controls(emotion=ours), round(given.time_code * _NANOS))
        self._inputs.append(given)

    def _animate(self, samples: Float32Array) -> Iterator[Message]:
        self._feed(samples, is_speech=True)
        # A frame is sent once all its audio is here; the last one waits for the end.
        while self._pending and self._due_sample(self._num_frames + 1) <= self._num_samples:
            yield self._message(self._pending.popleft(), is_last=False)

    def _feed(self, samples: Float32Array, *, is_speech: bool) -> None:
        if len(samples):
            pts = self._line_end * _LINE_NANOS
            self._motion.push(AudioChunk(samples, pts, is_speech=is_speech))
            self._line_end += len(samples)
        self._pending.extend(self._motion.pull())

    def _due_sample(self, frame: int) -> int:
        return math.ceil(Fraction(frame * self._rate) / FRAME_RATE)

    def _message(self, frame: MotionFrame, *, is_last: bool) -> Message:
        message = Message()
        data = message.animation_data
        seconds = float(Fraction(self._num_frames) / FRAME_RATE)
        weights = data.skel_animation.blend_shape_weights.add()
        weights.time_code = seconds
        weights.values.extend(self._shaper.shape(frame.expression).tolist())
        self._num_frames += 1
        end = self._num_samples if is_last else self._due_sample(self._num_frames)
        size = (end - self._echo_start) * BYTES_PER_SAMPLE
        data.audio.time_code = self._echo_start / self._rate
        data.audio.audio_buffer = bytes(self._echo[:size])
        del self._echo[:size]
        self._echo_start = end
        self._add_emotions(data, frame, seconds)
        return message

    def _add_emotions(
        self, data: animation_data_pb2.AnimationData, frame: MotionFrame, seconds: float
    ) -> None:
        aggregate = emotion_aggregate_pb2.EmotionAggregate()
        while self._inputs and self._inputs[0].time_code <= seconds:
            aggregate.input_emotions.append(self._inputs.popleft())
        shown = aggregate.a2f_smoothed_output.add()
        shown.time_code = seconds
        shown.emotion.update(shown_emotions(frame.emotion))
        data.metadata["emotion_aggregate"].Pack(aggregate)


def status_message(code: status_pb2.Status.Code.ValueType, text: str) -> Message:
    """Wrap a status."""
    message = Message()
    message.status.code = code
    message.status.message = text
    return message
