"""Client of the Avatar Service: push speech, read a living face by audio time."""

from avatar_client.backoff import BackOff
from avatar_client.client import API_VERSION, Client
from avatar_client.connection import Tls, connect
from avatar_client.consent import Consent
from avatar_client.controls import ControlValues
from avatar_client.errors import (
    AbortedError,
    AccessError,
    AvatarClientError,
    ExhaustedError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    PreconditionError,
    RingError,
    TimeoutExceededError,
    TornFrameError,
    UnavailableError,
)
from avatar_client.frames import Frame, FrameSource, SourceCounters
from avatar_client.inbox import Event
from avatar_client.live_outputs import LiveLinkOutput, VmcOutput
from avatar_client.motion import Motion, MotionNames
from avatar_client.ring_reader import BorrowedFrame, RingReader
from avatar_client.session import Session
from avatar_client.statistics import ClientStatistics

__version__ = "0.1.0"

__all__ = [
    "API_VERSION",
    "AbortedError",
    "AccessError",
    "AvatarClientError",
    "BackOff",
    "BorrowedFrame",
    "Client",
    "ClientStatistics",
    "Consent",
    "ControlValues",
    "Event",
    "ExhaustedError",
    "Frame",
    "FrameSource",
    "InternalError",
    "InvalidRequestError",
    "LiveLinkOutput",
    "Motion",
    "MotionNames",
    "NotFoundError",
    "NotSupportedError",
    "PreconditionError",
    "RingError",
    "RingReader",
    "Session",
    "SourceCounters",
    "TimeoutExceededError",
    "Tls",
    "TornFrameError",
    "UnavailableError",
    "VmcOutput",
    "connect",
]
