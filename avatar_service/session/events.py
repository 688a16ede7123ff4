"""What a session tells its controller and observers, beside frames and latents.

None of these is ever dropped for a slow reader; a reader that lets them pile up is sent away.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from avatar_service.audio.ingest import SampleFormat
from avatar_service.errors import Reason
from avatar_service.signals import AudioRole, Controls, MotionFrame


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    """The first sample of a segment has its place in session time."""

    segment_id: str
    pts_nanos: int
    epoch: int
    role: AudioRole = AudioRole.SPEAK


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """Every frame of the segment is out; `is_cut_short` after an interrupt."""

    segment_id: str
    pts_nanos: int
    epoch: int
    is_cut_short: bool = False
    role: AudioRole = AudioRole.SPEAK


@dataclass(frozen=True, slots=True)
class AudioLate:
    """An open segment starved; silence stands in for its samples.

    `gap_nanos` is 0 when the gap begins (at `pts_nanos`); when the segment goes on it is the
    length of the gap and `pts_nanos` is where its samples continue.
    """

    segment_id: str
    pts_nanos: int
    gap_nanos: int
    epoch: int


@dataclass(frozen=True, slots=True)
class AudioClipped:
    """Float samples beyond full scale were clipped."""

    pts_nanos: int
    num_samples: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Barge-in: items of older epochs are void beyond `valid_through_nanos`."""

    epoch: int
    valid_through_nanos: int
    segment_id: str


@dataclass(frozen=True, slots=True)
class ControlsApplied:
    """A control change shapes the frames from `pts_nanos` on; `controls` are all that then hold."""

    change_id: int
    pts_nanos: int
    controls: Controls


@dataclass(frozen=True, slots=True)
class FramesSkipped:
    """Frames were late before they could be rendered and were left out, up to `pts_nanos`."""

    pts_nanos: int
    num_frames: int


@dataclass(frozen=True, slots=True)
class FramesLate:
    """Frames up to `pts_nanos` were readable only after pts + playout delay."""

    pts_nanos: int
    num_frames: int


@dataclass(frozen=True, slots=True)
class ReaderBehind:
    """This reader lost `num_frames` of its frames or latents, oldest first."""

    num_frames: int


@dataclass(frozen=True, slots=True)
class ObserversChanged:
    """An observer joined or left."""

    num_observers: int


@dataclass(frozen=True, slots=True)
class TransportLost:
    """A way asked for could not be opened; the session goes on without it."""

    message: str


@dataclass(frozen=True, slots=True)
class SessionEnding:
    """The session ends soon or now; `reason` is None after a normal close."""

    message: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The last item of every stream; `last_seq` is the last frame's or latent's, 0 for none."""

    pts_nanos: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class AudioEcho:
    """Speech as it was pushed, with its place in time, so that observers can play in sync."""

    segment_id: str
    pts_nanos: int
    epoch: int
    pcm: bytes
    sample_rate_hz: int
    num_channels: int
    sample_format: SampleFormat
    role: AudioRole = AudioRole.SPEAK


@dataclass(frozen=True, slots=True)
class PhonesIgnored:
    """Phones with unknown symbols were left out."""

    pts_nanos: int
    num_phones: int


@dataclass(frozen=True, slots=True)
class StatisticsDue:
    """The figures of now are to be sent to this reader."""


class FrameEncoding(Enum):
    """Pixels inside the gRPC stream."""

    RAW = "raw"
    JPEG = "jpeg"
    H264 = "h264"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One picture as bytes, with its latent; `is_keyframe` where decoding can begin."""

    motion: MotionFrame
    encoding: FrameEncoding
    data: bytes
    width_px: int
    height_px: int
    is_keyframe: bool = True


@dataclass(frozen=True, slots=True)
class FrameAnnounced:
    """A frame lies in the ring or on its way through ZeroMQ."""

    pts_nanos: int
    seq: int
    epoch: int


SessionEvent = (
    SegmentStarted
    | SegmentEnded
    | AudioLate
    | AudioClipped
    | Interrupted
    | ControlsApplied
    | FramesSkipped
    | FramesLate
    | ReaderBehind
    | ObserversChanged
    | TransportLost
    | SessionEnding
    | SessionEnded
    | PhonesIgnored
    | StatisticsDue
)
StreamItem = SessionEvent | AudioEcho | EncodedFrame | FrameAnnounced | MotionFrame
DROPPABLE: Final = (EncodedFrame, FrameAnnounced, MotionFrame)
"""What a slow reader loses, oldest first."""
