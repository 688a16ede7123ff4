"""VMC, the Virtual Motion Capture protocol, over OSC: VTuber software and Unity receivers.

Source: VMC protocol v2.x/v3 (bundles of at most 1500 bytes; names are case-sensitive;
/VMC/Ext/Blend/Apply after the values) and OSC 1.0 (big-endian, strings padded to 4 bytes).
Bones are local, in Unity's axes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import (
    METRES_PER_UNIT,
    NameSet,
    quaternion_from_angles,
    unity_position,
    unity_quaternion,
    vrm_weights,
)
from avatar_service.export.destinations import DatagramSender, resolve_destination
from avatar_service.export.frames import check_fps
from avatar_service.export.pacing import RateLimit
from avatar_service.signals import MotionFrame, UInt8Array

DEFAULT_PORT: Final = 39539
MAX_BUNDLE_BYTES: Final = 1500
_BUNDLE_HEAD: Final = b"#bundle\0" + struct.pack(">Q", 1)  # time tag 1: immediately
_NANOS: Final = 1_000_000_000


def osc_message(address: str, *values: str | int | float) -> bytes:
    """Encode an OSC 1.0 message of strings, 32-bit integers and floats."""
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _osc_string(value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _osc_string(address) + _osc_string(tags) + data


def _osc_string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)


def osc_bundles(messages: Iterator[bytes]) -> Iterator[bytes]:
    """Pack messages, in order, into bundles of at most MAX_BUNDLE_BYTES."""
    bundle = _BUNDLE_HEAD
    for message in messages:
        element = struct.pack(">i", len(message)) + message
        if len(bundle) + len(element) > MAX_BUNDLE_BYTES:
            yield bundle
            bundle = _BUNDLE_HEAD
        bundle += element
    if bundle != _BUNDLE_HEAD:
        yield bundle


def frame_messages(frame: MotionFrame, names: Sequence[NameSet]) -> Iterator[bytes]:
    """One frame as VMC messages: available, time, root, bones, expressions, apply."""
    yield osc_message("/VMC/Ext/OK", 1)
    yield osc_message("/VMC/Ext/T", frame.pts_nanos / _NANOS)
    still = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    yield osc_message("/VMC/Ext/Root/Pos", "root", *still)
    place = unity_position(frame.head_translation * METRES_PER_UNIT)
    head = unity_quaternion(quaternion_from_angles(*frame.head_rotation))
    yield osc_message("/VMC/Ext/Bone/Pos", "Head", *_floats(place), *_floats(head))
    if NameSet.PERFECT_SYNC not in names:  # there the EyeLook* expressions carry the gaze
        for bone, (yaw, pitch) in zip(("LeftEye", "RightEye"), frame.gaze, strict=True):
            eye = unity_quaternion(quaternion_from_angles(yaw, pitch, 0.0))
            yield osc_message("/VMC/Ext/Bone/Pos", bone, 0.0, 0.0, 0.0, *_floats(eye))
    for group in names:
        for name, weight in vrm_weights(frame, group).items():
            yield osc_message("/VMC/Ext/Blend/Val", name, weight)
    yield osc_message("/VMC/Ext/Blend/Apply")


def _floats(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
    return [float(value) for value in values]


class VmcSender:
    """Publishes motion as VMC (a Publisher of a session); never blocks, keeps nothing.

    Not thread-safe: one thread publishes.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        names: Sequence[NameSet] = (NameSet.VRM0,),
        fps: Fraction | float = 60,
        allowed: Sequence[str] = (),
    ) -> None:
        """Open a socket.

        Args:
            host: of the receiver.
            port: of the receiver (its "performer" port).
            names: expression names to send; VRM0 is what every receiver understands. A model that
                has expressions of two sets adds them up: choose the one that it is made for.
            fps: most frames per second of session time.
            allowed: destinations besides loopback that may be sent to.

        Raises:
            AvatarError: INVALID_FIELD, PERMISSION_DENIED.
        """
        if not names:
            raise AvatarError(
                Reason.INVALID_FIELD, "vmc names: at least one set of names", field="names"
            )
        self._names = tuple(dict.fromkeys(names))
        self._limit = RateLimit(check_fps(fps))
        self.sender = DatagramSender(resolve_destination(host, port, allowed=allowed))

    def acquire(self) -> None:
        """Lend no place for pictures: this way out carries motion only."""

    def publish(self, motion: MotionFrame, pixels: UInt8Array | None = None) -> None:
        """Send a latent, if one is due at this rate; pixels are not sent."""
        if self._limit.admits(motion.pts_nanos, motion.epoch):
            for bundle in osc_bundles(frame_messages(motion, self._names)):
                self.sender.send(bundle)

    def close(self) -> None:
        """Close the socket."""
        self.sender.close()
