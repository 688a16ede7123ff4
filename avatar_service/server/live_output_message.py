"""Live outputs of a request checked, and written down with their effective values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import NameSet
from avatar_service.gen.avatar.v1 import live_output_pb2
from avatar_service.session.live_outputs import (
    DEFAULT_PORTS,
    DEFAULT_SUBJECT,
    LOOPBACK,
    LiveKind,
    LiveOutput,
)

MAX_LIVE_OUTPUTS: Final = 8
MAX_RATE_HZ: Final = 120
MAX_HOST_CHARS: Final = 253
"""Longest name that DNS knows (RFC 1035)."""

_KINDS: Final = {
    live_output_pb2.LIVE_OUTPUT_KIND_LIVE_LINK: LiveKind.LIVE_LINK,
    live_output_pb2.LIVE_OUTPUT_KIND_VMC: LiveKind.VMC,
}
_NAME_SETS: Final = {
    live_output_pb2.VMC_NAME_SET_UNSPECIFIED: NameSet.VRM0,
    live_output_pb2.VMC_NAME_SET_VRM0: NameSet.VRM0,
    live_output_pb2.VMC_NAME_SET_VRM1: NameSet.VRM1,
    live_output_pb2.VMC_NAME_SET_PERFECT_SYNC: NameSet.PERFECT_SYNC,
}


def live_outputs_of(messages: Sequence[live_output_pb2.LiveOutput]) -> tuple[LiveOutput, ...]:
    """Check live outputs; whether the host may be sent to is found out when they are opened.

    Raises:
        AvatarError: INVALID_FIELD, UNSPECIFIED_ENUM, naming the field.
    """
    if len(messages) > MAX_LIVE_OUTPUTS:
        raise _invalid("live_outputs", f"are {len(messages)}; {MAX_LIVE_OUTPUTS} at most")
    return tuple(_output_of(message, f"live_outputs[{k}]") for k, message in enumerate(messages))


def _output_of(message: live_output_pb2.LiveOutput, field: str) -> LiveOutput:
    if message.kind not in _KINDS:
        raise _unknown(f"{field}.kind", message.kind, _KINDS)
    if message.vmc_name_set not in _NAME_SETS:
        raise _unknown(f"{field}.vmc_name_set", message.vmc_name_set, _NAME_SETS)
    kind = _KINDS[message.kind]
    if kind is LiveKind.VMC and message.subject_name:
        raise _invalid(f"{field}.subject_name", "is Live Link's; VMC has none")
    if kind is LiveKind.LIVE_LINK and message.vmc_name_set:
        raise _invalid(f"{field}.vmc_name_set", "is VMC's; Live Link has its own names")
    if len(message.host) > MAX_HOST_CHARS:
        raise _invalid(f"{field}.host", f"is longer than {MAX_HOST_CHARS} characters")
    if message.port > 65535:
        raise _invalid(f"{field}.port", f"is {message.port}; 0 to 65535 is allowed")
    if message.max_rate_hz > MAX_RATE_HZ:
        raise _invalid(
            f"{field}.max_rate_hz", f"is {message.max_rate_hz}; 0 to {MAX_RATE_HZ} is allowed"
        )
    return LiveOutput(
        kind,
        message.host or LOOPBACK,
        message.port or DEFAULT_PORTS[kind],
        rate=Fraction(message.max_rate_hz) if message.max_rate_hz else None,
        subject=message.subject_name or DEFAULT_SUBJECT,
        names=_NAME_SETS[message.vmc_name_set],
    )


def live_output_messages(outputs: Sequence[LiveOutput]) -> list[live_output_pb2.LiveOutput]:
    """Write live outputs down; a rate of 0 stays the session's."""
    kinds = {kind: value for value, kind in _KINDS.items()}
    names = {name_set: value for value, name_set in _NAME_SETS.items()}  # the last: VRM0 = 1
    messages = []
    for output in outputs:
        message = live_output_pb2.LiveOutput(
            kind=kinds[output.kind],
            host=output.host,
            port=output.port,
            max_rate_hz=int(output.rate) if output.rate is not None else 0,
        )
        if output.kind is LiveKind.LIVE_LINK:
            message.subject_name = output.subject
        else:
            message.vmc_name_set = names[output.names]
        messages.append(message)
    return messages


def _invalid(field: str, problem: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FIELD, f"{field} {problem}", field=field)


def _unknown(field: str, value: int, allowed: Iterable[int]) -> AvatarError:
    listed = ", ".join(str(int(one)) for one in allowed)
    return AvatarError(Reason.UNSPECIFIED_ENUM, f"{field} is {value}; one of {listed}", field=field)
