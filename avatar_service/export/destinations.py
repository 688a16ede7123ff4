"""Where live motion may be sent: loopback, and what the operator allowed by name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from avatar_service.errors import AvatarError, Reason


@dataclass(frozen=True, slots=True)
class Destination:
    """A resolved UDP destination."""

    host: str
    port: int
    family: socket.AddressFamily


def resolve_destination(
    host: str, port: int, *, allowed: Sequence[str] = (), field: str = "live_outputs"
) -> Destination:
    """Resolve a host and check it: every datagram goes to this address and no other.

    Args:
        host: name or address.
        port: UDP port.
        allowed: addresses, networks ("192.168.7.0/24") and host names that may be sent to besides
            loopback.
        field: the option to blame.

    Raises:
        AvatarError: INVALID_FIELD for a bad port or a name that does not resolve;
            PERMISSION_DENIED for an address that is not allowed.
    """
    if not 1 <= port <= 65535:
        raise AvatarError(Reason.INVALID_FIELD, f"port {port}: 1 to 65535", field=field)
    networks = [network for entry in allowed if (network := _network(entry)) is not None]
    is_named = host.lower() in (entry.lower() for entry in allowed)
    # The resolver is asked for names that could be allowed only: who may not send there must not
    # make this machine look up names of their choosing either.
    if not (networks or is_named or host.lower() == "localhost" or _network(host) is not None):
        raise _not_allowed(host, field)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        raise AvatarError(
            Reason.INVALID_FIELD, f"host {host!r} is not known", field=field
        ) from None
    for family, _, _, _, address in found:
        text = str(address[0])
        ip = ipaddress.ip_address(text.partition("%")[0])
        if ip.is_loopback or is_named or any(ip in network for network in networks):
            return Destination(text, port, socket.AddressFamily(family))
    raise _not_allowed(host, field)


def _not_allowed(host: str, field: str) -> AvatarError:
    return AvatarError(
        Reason.PERMISSION_DENIED,
        f"destination {host!r} is not this machine and not on the list of allowed destinations",
        field=field,
    )


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None  # a host name; compared as such


class DatagramSender:
    """A UDP socket to one destination; send never blocks, and counts what it could not send."""

    def __init__(self, destination: Destination) -> None:
        self._address = (destination.host, destination.port)
        self._socket = socket.socket(destination.family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.num_sent = 0
        self.num_dropped = 0

    def send(self, datagram: bytes) -> None:
        """Send one datagram; a full buffer or an unreachable receiver drops it."""
        try:
            self._socket.sendto(datagram, self._address)
        except OSError:  # BlockingIOError, ConnectionRefused from an earlier datagram, no route
            self.num_dropped += 1
        else:
            self.num_sent += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
