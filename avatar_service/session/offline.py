"""A file's worth of frames, as fast as the machine goes, through the same session code (BURST)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np

from avatar_service.audio.ingest import SampleFormat
from avatar_service.errors import AvatarError, Reason
from avatar_service.export.frames import checked, resampled
from avatar_service.motion.stage import MotionStage
from avatar_service.portrait.portrait import Portrait
from avatar_service.provenance.watermark import Mark
from avatar_service.render.devices import RenderDevice
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.session.clock import MonotonicClock
from avatar_service.session.compilation import MOTION, compile_ahead
from avatar_service.session.control_queue import set_look
from avatar_service.session.encoders import RawEncoder
from avatar_service.session.fanout import Fanout
from avatar_service.session.session import Session
from avatar_service.session.settings import Pacing, SessionSettings
from avatar_service.session.speech import Pcm
from avatar_service.session.stage_factory import PortraitRenderer
from avatar_service.session.stages import FrameRenderer, MotionSource
from avatar_service.session.timeline import SAMPLE_NANOS, SAMPLE_RATE_HZ
from avatar_service.signals import (
    AudioRole,
    Controls,
    Float32Array,
    MotionFrame,
    UInt8Array,
    VideoFrame,
)

PIECE_SAMPLES: Final = SAMPLE_RATE_HZ // 2
"""Audio goes in by half seconds, so that memory does not grow with the length of the file."""


@dataclass(frozen=True, slots=True)
class OfflineSettings:
    """How a file is animated.

    Attributes:
        size_px: side of the frames, 256, 512 or 1024.
        lookahead_nanos: 80 ms gives better lips than the live 40 ms, and a file does not wait.
    """

    rate: Fraction = Fraction(40)
    size_px: int = 512
    controls: Controls = field(default_factory=Controls)
    lookahead_nanos: int = 80_000_000


class _Collector:
    """A Publisher that keeps what one step has published, in buffers that are used again."""

    def __init__(self, size_px: int) -> None:
        self._size_px = size_px
        self._buffers: list[UInt8Array] = []
        self._frames: list[VideoFrame] = []

    def acquire(self) -> UInt8Array | None:
        """Lend a buffer that no collected frame uses."""
        if len(self._buffers) == len(self._frames):
            self._buffers.append(np.zeros((self._size_px, self._size_px, 4), np.uint8))
        return self._buffers[len(self._frames)]

    def publish(self, motion: MotionFrame, pixels: UInt8Array | None) -> None:
        """Keep a frame until the next `take`."""
        if pixels is not None:
            self._frames.append(VideoFrame(pixels, motion))

    def take(self) -> list[VideoFrame]:
        """Hand out what was kept; its buffers are used again by the next step."""
        frames, self._frames = self._frames, []
        return frames

    def close(self) -> None:
        """Nothing to give back."""


def animate(
    portrait: Portrait,
    audio: Iterable[Float32Array],
    settings: OfflineSettings,
    mark: Mark,
    *,
    device: RenderDevice | None = None,
) -> Iterator[VideoFrame]:
    """Yield the frames whose pts lies within the audio.

    Args:
        portrait: the person.
        audio: pieces of any length of (num_samples,) float32 in [-1, 1], mono, 16 kHz.
        settings: rate, size and controls; the same audio, settings, portrait and mark give the
            same frames.
        mark: the watermark that every frame bears.
        device: where the pictures are drawn; None: on this thread.

    Yields:
        Frames in order. `pixels` is valid until the next one is asked for: copy to keep it.

    Raises:
        AvatarError: INVALID_AUDIO for audio without samples or with NaN; INVALID_FIELD.
    """
    compile_ahead(MOTION)
    motion = MotionStage(settings.rate, settings.controls, lookahead_nanos=settings.lookahead_nanos)
    renderer = PortraitRenderer(ScaledPortrait.of(portrait, settings.size_px), mark, device=device)
    yield from animate_with(motion, renderer, audio, settings)


def animate_with(
    motion: MotionSource,
    renderer: FrameRenderer,
    audio: Iterable[Float32Array],
    settings: OfflineSettings,
) -> Iterator[VideoFrame]:
    """Do what `animate` does with stages of the caller's choice."""
    collector = _Collector(settings.size_px)
    session = Session(
        "offline",
        SessionSettings(
            rate=settings.rate,
            size_px=settings.size_px,
            pacing=Pacing.BURST,
            lookahead_nanos=settings.lookahead_nanos,
        ),
        settings.controls,
        clock=MonotonicClock(),
        motion=motion,
        renderer=renderer,
        publishers=(collector,),
        fanout=Fanout(RawEncoder()),
    )
    try:
        num_samples = 0
        for piece in _pieces(audio):
            data = np.ascontiguousarray(piece, "<f4").tobytes()
            num_samples += len(piece)
            session.push_audio(Pcm(data, SAMPLE_RATE_HZ, sample_format=SampleFormat.FLOAT32))
            yield from _frames_until_idle(session, collector)
        if not num_samples:
            raise AvatarError(Reason.INVALID_AUDIO, "the audio has no samples")
        session.end_segment(AudioRole.SPEAK)
        end_pts = num_samples * SAMPLE_NANOS
        for frame in _frames_until_idle(session, collector):
            if frame.motion.pts_nanos < end_pts:
                yield frame
    finally:
        session.close()


def replay(
    portrait: Portrait,
    frames: Iterable[MotionFrame],
    settings: OfflineSettings,
    mark: Mark,
    *,
    device: RenderDevice | None = None,
) -> Iterator[VideoFrame]:
    """Yield the pictures of motion that exists already, at the settings' rate from time 0.

    Args:
        portrait: the person; what it cannot show is limited, as in a session.
        frames: motion of any rate in time order; time 0 is the first audio sample.
        settings: rate, size and background; the other controls do not apply.
        mark: the watermark that every frame bears.
        device: where the pictures are drawn; None: on this thread.

    Yields:
        Frames in order. `pixels` is valid until the next one is asked for: copy to keep it.

    Raises:
        AvatarError: INVALID_FIELD for motion without frames, or with values that are not finite.
    """
    renderer = PortraitRenderer(ScaledPortrait.of(portrait, settings.size_px), mark, device=device)
    set_look(renderer, settings.controls)
    pixels = np.zeros((settings.size_px, settings.size_px, 4), np.uint8)
    num_frames = 0
    for given in resampled(checked(frames), settings.rate):
        motion = renderer.limit_motion(given)
        renderer.render(motion, pixels)
        num_frames += 1
        yield VideoFrame(pixels, motion)
    if not num_frames:
        raise AvatarError(Reason.INVALID_FIELD, "the motion holds no frames", field="motion")


def _pieces(audio: Iterable[Float32Array]) -> Iterator[Float32Array]:
    for block in audio:
        for start in range(0, len(block), PIECE_SAMPLES):
            yield block[start : start + PIECE_SAMPLES]


def _frames_until_idle(session: Session, collector: _Collector) -> Iterator[VideoFrame]:
    while session.due_at() is not None:
        session.take_in()
        session.produce_motion()
        session.deliver()
        yield from collector.take()
