"""Receivers of other software that a session drives beside its own transports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final

from avatar_service.errors import AvatarError
from avatar_service.export import live_link_udp, vmc
from avatar_service.export.conventions import NameSet
from avatar_service.transports.publisher import Publisher

LOOPBACK: Final = "127.0.0.1"
DEFAULT_SUBJECT: Final = "Avatar"


class LiveKind(Enum):
    """Protocol of a live output."""

    LIVE_LINK = "live-link"
    VMC = "vmc"


DEFAULT_PORTS: Final = {
    LiveKind.LIVE_LINK: live_link_udp.DEFAULT_PORT,
    LiveKind.VMC: vmc.DEFAULT_PORT,
}


@dataclass(frozen=True, slots=True)
class LiveOutput:
    """One receiver.

    Attributes:
        rate: most frames per second; None: the session's.
        subject: Live Link's name of the face.
        names: VMC's names of the expressions.
    """

    kind: LiveKind
    host: str
    port: int
    rate: Fraction | None = None
    subject: str = DEFAULT_SUBJECT
    names: NameSet = NameSet.VRM0


def open_live_outputs(
    outputs: Sequence[LiveOutput], session_rate: Fraction, *, allowed: Sequence[str]
) -> list[Publisher]:
    """Open the sockets; may wait for the resolver.

    Args:
        outputs: the receivers.
        session_rate: rate of those that name none.
        allowed: destinations besides loopback that may be sent to.

    Raises:
        AvatarError: INVALID_FIELD, PERMISSION_DENIED; nothing stays open.
    """
    opened: list[Publisher] = []
    try:
        for index, output in enumerate(outputs):
            opened.append(_open(output, index, output.rate or session_rate, allowed))
    except BaseException:
        for publisher in opened:
            publisher.close()
        raise
    return opened


def _open(output: LiveOutput, index: int, rate: Fraction, allowed: Sequence[str]) -> Publisher:
    try:
        if output.kind is LiveKind.LIVE_LINK:
            return live_link_udp.LiveLinkSender(
                output.host, output.port, subject=output.subject, fps=rate, allowed=allowed
            )
        return vmc.VmcSender(
            output.host, output.port, names=(output.names,), fps=rate, allowed=allowed
        )
    except AvatarError as error:
        field = f"live_outputs[{index}]"
        raise AvatarError(error.reason, f"{field}: {error.message}", field=field) from error
