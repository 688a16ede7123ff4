"""Speech in: PCM of both voices, decoded and laid on the session's audio lines.

Called from the server's thread (push) and the scheduler's (read); guarded by the session's lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from avatar_service.audio.ingest import PcmIngest, SampleFormat
from avatar_service.errors import AvatarError, Reason
from avatar_service.session.events import (
    AudioClipped,
    AudioEcho,
    AudioLate,
    SegmentStarted,
    StreamItem,
)
from avatar_service.session.timeline import SAMPLE_NANOS, SAMPLE_RATE_HZ, AudioLine, LineItem, join
from avatar_service.signals import AudioRole


@dataclass(frozen=True, slots=True)
class Pcm:
    """A stretch of speech as a client sent it.

    Attributes:
        data: interleaved little-endian samples, whole sample frames.
        segment_id: "" continues the open segment or begins one that the session names.
    """

    data: bytes
    sample_rate_hz: int
    num_channels: int = 1
    sample_format: SampleFormat = SampleFormat.PCM_S16
    role: AudioRole = AudioRole.SPEAK
    segment_id: str = ""


@dataclass(slots=True)
class _Voice:
    """One role's line and the decoder of its open segment."""

    line: AudioLine
    ingest: PcmIngest | None = None
    start_pts: int = 0
    num_pushed: int = 0
    gap_nanos: int = 0


@dataclass(slots=True)
class SpeechInput:
    """Both voices of a session."""

    ahead_limit_secs: float
    epoch: int = 0
    gap_nanos_total: int = 0
    _voices: dict[AudioRole, _Voice] = field(init=False)
    _num_named: int = 0

    def __post_init__(self) -> None:
        """Make an empty line for each role."""
        self._voices = {
            role: _Voice(AudioLine(role=role, ahead_limit_secs=self.ahead_limit_secs))
            for role in AudioRole
        }

    @property
    def speak(self) -> AudioLine:
        """The avatar's own line, which says how far the session is."""
        return self._voices[AudioRole.SPEAK].line

    @property
    def ahead_nanos(self) -> int:
        """Speech that waits on the avatar's line."""
        return (self.speak.end - self.speak.front) * SAMPLE_NANOS

    @property
    def open_place(self) -> tuple[str, int] | None:
        """Id and pts of the avatar's open segment, once it has its place."""
        voice = self._voices[AudioRole.SPEAK]
        segment_id = voice.line.open_segment_id
        if segment_id is None or not voice.num_pushed:
            return None
        return segment_id, voice.start_pts

    def push(self, pcm: Pcm, earliest: int) -> list[StreamItem]:
        """Lay `pcm` down, not before sample `earliest`; return what there is to tell.

        Raises INVALID_AUDIO (and leaves all as it was) and AUDIO_TOO_FAR_AHEAD.
        """
        voice = self._voices[pcm.role]
        row_bytes = pcm.sample_format.num_bytes * pcm.num_channels
        is_new = voice.ingest is None or pcm.segment_id not in ("", voice.line.open_segment_id)
        ingest = (
            PcmIngest(
                sample_rate_hz=pcm.sample_rate_hz,
                num_channels=pcm.num_channels,
                sample_format=pcm.sample_format,
            )
            if is_new or voice.ingest is None
            else voice.ingest
        )
        _check_format(pcm, ingest, row_bytes)
        if not pcm.data:
            return []
        num_rows = len(pcm.data) // row_bytes
        voice.line.check_room(num_rows * SAMPLE_RATE_HZ // pcm.sample_rate_hz)
        samples = ingest.push(pcm.data)
        if is_new:
            self._end(voice)
            voice.line.begin(pcm.segment_id or self._next_name())
            voice.ingest, voice.num_pushed, voice.gap_nanos = ingest, 0, 0
        # What the resampler holds back is added, so that the jitter margin stays whole.
        placement = voice.line.append(samples, earliest + round(ingest.lag_secs * SAMPLE_RATE_HZ))
        segment_id = voice.line.open_segment_id or ""
        told: list[StreamItem] = []
        if placement.starts_segment:
            voice.start_pts = placement.pts_nanos
            told.append(SegmentStarted(segment_id, placement.pts_nanos, self.epoch, pcm.role))
        if placement.gap_nanos:
            voice.gap_nanos += placement.gap_nanos
            self.gap_nanos_total += placement.gap_nanos
            told.append(AudioLate(segment_id, placement.pts_nanos, placement.gap_nanos, self.epoch))
        at = voice.start_pts + voice.gap_nanos
        at += voice.num_pushed * 1_000_000_000 // pcm.sample_rate_hz
        voice.num_pushed += num_rows
        num_clipped = _count_clipped(pcm)
        if num_clipped:
            told.append(AudioClipped(at, num_clipped))
        told.append(
            AudioEcho(
                segment_id,
                at,
                self.epoch,
                pcm.data,
                pcm.sample_rate_hz,
                pcm.num_channels,
                pcm.sample_format,
                pcm.role,
            )
        )
        return told

    def end_segment(self, role: AudioRole, segment_id: str = "") -> None:
        """End the role's open segment (if it is the one named); ignored where none is open."""
        voice = self._voices[role]
        if voice.ingest is not None and segment_id in ("", voice.line.open_segment_id):
            self._end(voice)

    def end_all(self) -> None:
        """End what is open in both roles."""
        for voice in self._voices.values():
            self._end(voice)

    def interrupt(self, epoch: int) -> list[str]:
        """Drop the avatar's speech that is not yet out; return the segments cut short."""
        self.epoch = epoch
        voice = self._voices[AudioRole.SPEAK]
        voice.ingest = None
        self._voices[AudioRole.LISTEN].line.epoch = epoch
        return voice.line.clear(epoch)

    def clear(self) -> None:
        """Drop what waits of both voices."""
        for voice in self._voices.values():
            voice.ingest = None
            voice.line.clear(self.epoch)

    def read(self, until: int) -> list[LineItem]:
        """Hand out both voices up to sample `until`."""
        return join(self.speak.read(until), self._voices[AudioRole.LISTEN].line)

    def _next_name(self) -> str:
        self._num_named += 1
        return str(self._num_named)

    def _end(self, voice: _Voice) -> None:
        if voice.ingest is None:
            return
        rest = voice.ingest.flush()
        if len(rest):
            voice.line.append(rest, voice.line.front)
        voice.line.finish()
        voice.ingest = None


def _check_format(pcm: Pcm, ingest: PcmIngest, row_bytes: int) -> None:
    if (pcm.sample_rate_hz, pcm.num_channels, pcm.sample_format) != (
        ingest.sample_rate_hz,
        ingest.num_channels,
        ingest.sample_format,
    ):
        raise AvatarError(
            Reason.INVALID_AUDIO,
            "the format changes inside a segment; end the segment first",
            field="audio",
        )
    if len(pcm.data) % row_bytes:
        raise AvatarError(
            Reason.INVALID_AUDIO,
            f"{len(pcm.data)} bytes are no whole number of {row_bytes}-byte sample frames",
            field="audio.data",
        )


def _count_clipped(pcm: Pcm) -> int:
    if pcm.sample_format is not SampleFormat.FLOAT32:
        return 0
    return int(np.count_nonzero(np.abs(np.frombuffer(pcm.data, "<f4")) > 1.0))
