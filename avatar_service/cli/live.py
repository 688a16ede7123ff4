"""Playing frames in real time into live protocols."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Final, Protocol

from avatar_service.errors import AvatarError, Reason
from avatar_service.export import live_link_udp, vmc
from avatar_service.export.conventions import NameSet
from avatar_service.signals import MotionFrame

LATE_SECS: Final = 0.02


class Sender(Protocol):
    """A sink of frames."""

    def publish(self, motion: MotionFrame, /) -> None:
        """Send a frame."""
        ...

    def close(self) -> None:
        """Close the socket."""
        ...


def split_endpoint(option: str, text: str, default_port: int) -> tuple[str, int]:
    """Turn HOST, HOST:PORT or [V6]:PORT into its parts.

    Raises:
        AvatarError: INVALID_FIELD.
    """
    host, separator, port = text.rpartition(":")
    if not separator or (":" in host and not host.startswith("[")):
        host, port = text, str(default_port)
    host = host.strip("[]")
    if not host or not port.isdigit():
        raise AvatarError(Reason.INVALID_FIELD, f"{option} {text!r}: HOST or HOST:PORT")
    return host, int(port)


def open_senders(
    *,
    live_link: str | None,
    vmc: str | None,
    subject: str,
    names: Sequence[NameSet],
    fps: Fraction,
    allowed: Sequence[str],
) -> list[Sender]:
    """Open what was asked for.

    Raises:
        AvatarError: INVALID_FIELD where nothing was, or for a bad endpoint; PERMISSION_DENIED.
    """
    senders: list[Sender] = []
    if live_link is not None:
        host, port = split_endpoint("--live-link", live_link, live_link_udp.DEFAULT_PORT)
        senders.append(
            live_link_udp.LiveLinkSender(host, port, subject=subject, fps=fps, allowed=allowed)
        )
    if vmc is not None:
        host, port = split_endpoint("--vmc", vmc, _VMC_PORT)
        senders.append(_VmcSender(host, port, names=names, fps=fps, allowed=allowed))
    if not senders:
        raise AvatarError(Reason.INVALID_FIELD, "name a receiver: --live-link HOST or --vmc HOST")
    return senders


_VMC_PORT: Final = vmc.DEFAULT_PORT
_VmcSender: Final = vmc.VmcSender


def play(
    frames: Iterable[MotionFrame],
    senders: Sequence[Sender],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, int]:
    """Publish each frame at its time; returns how many, and how many were late.

    The clock starts with the first frame, so that what it takes to make it does not count.
    """
    start: float | None = None
    count = late = 0
    try:
        for frame in frames:
            now = clock()
            due = frame.pts_nanos / 1e9
            start = now - due if start is None else start
            wait = start + due - now
            if wait > 0:
                sleep(wait)
            late += wait < -LATE_SECS
            for sender in senders:
                sender.publish(frame)
            count += 1
    finally:
        for sender in senders:
            sender.close()
    return count, late
