"""Live Link Face over UDP, version 6: what Unreal's Apple ARKit Live Link source listens to.

Packet (big-endian after the first byte): u8 version 6 | i32 length + device id | i32 length +
subject | i32 frame, f32 sub-frame, i32 rate numerator, i32 rate denominator | u8 count 61 |
61 x f32 in the order of LIVE_LINK_NAMES.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import live_link_values
from avatar_service.export.destinations import DatagramSender, resolve_destination
from avatar_service.export.frames import check_fps
from avatar_service.export.pacing import RateLimit
from avatar_service.signals import MotionFrame, UInt8Array

DEFAULT_PORT: Final = 11111
VERSION: Final = 6
_NUM_VALUES: Final = 61
_MAX_SUBJECT_BYTES: Final = 255
_NANOS: Final = 1_000_000_000


def encode_packet(frame: MotionFrame, *, subject: str, device: str, fps: Fraction) -> bytes:
    """Encode one frame; its frame time counts in frames of `fps` from session time 0."""
    name, identity = subject.encode(), device.encode()
    position = Fraction(frame.pts_nanos, _NANOS) * fps
    # Times are rounded down to a nanosecond: half a microsecond keeps them in their own frame.
    whole = ((frame.pts_nanos + 500) * fps.numerator) // (_NANOS * fps.denominator)
    values = live_link_values(frame).tolist()
    return b"".join(
        (
            struct.pack(">Bi", VERSION, len(identity)),
            identity,
            struct.pack(">i", len(name)),
            name,
            struct.pack(
                ">ifii",
                whole & 0x7FFFFFFF,
                max(float(position - whole), 0.0),
                fps.numerator,
                fps.denominator,
            ),
            struct.pack(f">B{_NUM_VALUES}f", _NUM_VALUES, *values),
        )
    )


class LiveLinkSender:
    """Publishes motion to Unreal (a Publisher of a session); never blocks, keeps nothing.

    Not thread-safe: one thread publishes.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        subject: str = "Avatar",
        fps: Fraction | float = 60,
        allowed: Sequence[str] = (),
    ) -> None:
        """Open a socket.

        Args:
            host: of the machine that runs Unreal.
            port: of its Live Link source.
            subject: name under which it appears, 1 to 255 bytes of UTF-8.
            fps: most packets per second of session time.
            allowed: destinations besides loopback that may be sent to.

        Raises:
            AvatarError: INVALID_FIELD, PERMISSION_DENIED.
        """
        if not 1 <= len(subject.encode()) <= _MAX_SUBJECT_BYTES or not subject.isprintable():
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"subject {subject[:40]!r}: 1 to {_MAX_SUBJECT_BYTES} bytes of printable text",
                field="subject",
            )
        self._fps = check_fps(fps)
        self._subject = subject
        self._device = str(uuid.uuid4()).upper()
        self._limit = RateLimit(self._fps)
        self.sender = DatagramSender(resolve_destination(host, port, allowed=allowed))

    def acquire(self) -> None:
        """Lend no place for pictures: this way out carries motion only."""

    def publish(self, motion: MotionFrame, pixels: UInt8Array | None = None) -> None:
        """Send a latent, if one is due at this rate; pixels are not sent."""
        if self._limit.admits(motion.pts_nanos, motion.epoch):
            self.sender.send(
                encode_packet(motion, subject=self._subject, device=self._device, fps=self._fps)
            )

    def close(self) -> None:
        """Close the socket."""
        self.sender.close()
