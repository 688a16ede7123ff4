"""Messages of avatar.v1: all of them by their descriptors, and the checks behind them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, Final, cast

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from avatar_service.errors import AvatarError
from avatar_service.gen.avatar.v1 import (
    audio_pb2,
    avatar_pb2,
    avatar_service_pb2,
    control_pb2,
    event_pb2,
    live_output_pb2,
    session_pb2,
)
from avatar_service.server.controls_message import apply_controls
from avatar_service.server.live_output_message import live_outputs_of
from avatar_service.server.messages import (
    consent_of,
    outputs_of,
    pcm_of,
    phones_of,
    role_of,
    session_request,
)
from avatar_service.signals import Controls

_FILES: Final = (
    avatar_service_pb2,
    session_pb2,
    audio_pb2,
    avatar_pb2,
    control_pb2,
    event_pb2,
    live_output_pb2,
)


@cache
def descriptors() -> tuple[Descriptor, ...]:
    """Return all messages of the package, nested ones too, in a fixed order."""
    found: dict[str, Descriptor] = {}

    def add(descriptor: Descriptor) -> None:
        if descriptor.full_name in found or not descriptor.full_name.startswith("avatar.v1."):
            return
        found[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                add(field.message_type)

    for file in _FILES:
        for descriptor in file.DESCRIPTOR.message_types_by_name.values():
            add(descriptor)
    return tuple(found[name] for name in sorted(found))


def check_bytes(data: bytes) -> None:
    """Parse bytes as the message that the first byte chooses, and check what it says."""
    if not data:
        return
    descriptor = descriptors()[data[0] % len(descriptors())]
    message = message_factory.GetMessageClass(descriptor)()
    with contextlib.suppress(DecodeError):
        message.ParseFromString(data[1:])
        check_message(message)


def check_message(message: Message) -> None:
    """Run the service's own checks on a message; a refusal is fine, a surprise is not."""
    check = _CHECKS.get(message.DESCRIPTOR.full_name)
    if check is not None:
        with contextlib.suppress(AvatarError):
            check(message)


_CHECKS: Final[dict[str, Callable[[Any], object]]] = {
    "avatar.v1.CreateSessionRequest": lambda m: session_request(
        m, default_rate=Fraction(40), default_playout_nanos=0
    ),
    "avatar.v1.AvatarHeader": consent_of,
    "avatar.v1.AudioChunk": pcm_of,
    "avatar.v1.KnownPhones": phones_of,
    "avatar.v1.Controls": lambda m: apply_controls(Controls(), m),
    "avatar.v1.ControlChange": lambda m: apply_controls(Controls(), m.controls),
    "avatar.v1.SegmentEnd": lambda m: role_of(m.role),
    "avatar.v1.OutputSelection": outputs_of,
    "avatar.v1.LiveOutput": lambda m: live_outputs_of([m]),
}


def random_message(descriptor: Descriptor, rng: random.Random, *, depth: int = 4) -> Message:
    """Make a message of any type: fields set or left out, values usual, at limits, or absurd."""
    message: Any = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if rng.random() < 0.4 or (field.message_type is not None and depth == 0):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entries, of_value = getattr(message, field.name), field.message_type.fields_by_name
            for _ in range(rng.randrange(3)):
                entries[_value(of_value["key"], rng)] = _value(of_value["value"], rng)
        elif field.is_repeated:
            values = getattr(message, field.name)
            for _ in range(rng.choice((0, 1, 2, 9))):
                if field.message_type is not None:
                    values.add().CopyFrom(random_message(field.message_type, rng, depth=depth - 1))
                else:
                    values.append(_value(field, rng))
        elif field.message_type is not None:
            inner = random_message(field.message_type, rng, depth=depth - 1)
            getattr(message, field.name).CopyFrom(inner)
        else:
            setattr(message, field.name, _value(field, rng))
    return cast(Message, message)


_WORDS: Final = (
    "",
    "a",
    "happy",
    "neutral",
    "../../etc/passwd",
    "/etc/hostname",
    "ipc:///tmp/x",
    "file:///etc/hostname",
    "\0",
    "%s%n",
    "\U0001f600" * 20,
    "x" * 5000,
)
_FLOATS: Final = (0.0, 1.0, -1.0, 0.5, 1e-40, 3.4e38, float("inf"), float("-inf"), float("nan"))
_INTEGERS: Final = (0, 1, 2, 3, 16, 64, 127, 512, 16_000, 48_000, 0x7FFFFFFF, 0xFFFFFFFF)
_BITS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}


def _value(field: FieldDescriptor, rng: random.Random) -> Any:
    kind = field.cpp_type
    if kind in _BITS:
        low, high = _BITS[kind]
        value = rng.choice((*_INTEGERS, low, high, -1, rng.randrange(low, high)))
        return min(max(value, low), high)
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice((*_FLOATS, rng.uniform(-2, 2)))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if field.enum_type is not None:
        known = [value.number for value in field.enum_type.values]
        return rng.choice((*known, *known, 99, -1))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice((0, 1, 2, 97, 640, 4096)))
    return rng.choice(_WORDS)
