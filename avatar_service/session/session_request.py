"""What a client asks a session to be, in the domain's terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

from avatar_service.session.events import FrameEncoding
from avatar_service.session.live_outputs import LiveOutput
from avatar_service.session.settings import Pacing
from avatar_service.signals import Controls


class OutputKind(Enum):
    """What a session produces."""

    FRAMES = "frames"
    MOTION = "motion"
    AUDIO = "audio"


class TransportKind(Enum):
    """A way for frames and latents."""

    SHM = "shm"
    ZMQ = "zmq"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What a client asks for; already checked field by field."""

    avatar_id: str = ""
    rate: Fraction = Fraction(40)
    size_px: int = 512
    outputs: frozenset[OutputKind] = frozenset({OutputKind.FRAMES, OutputKind.MOTION})
    transports: frozenset[TransportKind] = frozenset({TransportKind.GRPC})
    pacing: Pacing = Pacing.REALTIME
    encoding: FrameEncoding = FrameEncoding.RAW
    playout_delay_nanos: int = 150_000_000
    controls: Controls = field(default_factory=Controls)
    ring_slots: int = 8
    live_outputs: tuple[LiveOutput, ...] = ()
    owner: str = ""
    """Client that asks; its sessions share its quotas."""
