"""What a session is opened with, in the terms of the session itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final

from avatar_service.session.events import FrameEncoding

MILLI: Final = 1_000_000
"""Nanoseconds of a millisecond."""


class Pacing(Enum):
    """What drives session time."""

    REALTIME = "realtime"
    BURST = "burst"


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a session was opened with.

    Attributes:
        size_px: edge of the square frame; 0 in a latent-only session.
    """

    rate: Fraction = Fraction(40)
    size_px: int = 512
    pacing: Pacing = Pacing.REALTIME
    encoding: FrameEncoding = FrameEncoding.RAW
    lookahead_nanos: int = 40 * MILLI
    input_margin_nanos: int = 20 * MILLI
    playout_delay_nanos: int = 150 * MILLI
    audio_ahead_secs: float = 60.0
