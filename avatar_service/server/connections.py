"""What a connection may hold and how it is kept alive: options of every gRPC server of ours.

And why a server of ours could not listen, which gRPC keeps to itself.
"""

from __future__ import annotations

import socket
from typing import Final

from avatar_service.config import parse_listen
from avatar_service.errors import AvatarError, Reason

MAX_CONNECTIONS: Final = 2048
MAX_METADATA_BYTES: Final = 16 << 10
HANDSHAKE_TIMEOUT_MILLIS: Final = 10_000
IDLE_CONNECTION_MILLIS: Final = 60_000
"""Without a call, of which a session's stream is one, however quiet; clients connect anew by
themselves. A stranger holds a place for no longer."""
KEEPALIVE_MILLIS: Final = 5_000
"""A quiet peer is probed this often."""
PING_TIMEOUT_MILLIS: Final = 15_000
"""One that does not answer is given up after so long: a client that is stopped for ten seconds (a
debugger, a laptop's lid) goes on, and one that comes back after a silent break, 30 s at most, does
not find its own ghost."""
MIN_PING_INTERVAL_MILLIS: Final = 5_000
"""Clients may probe us this often while we send nothing (a photo is being fitted); three too early
end the connection with ENHANCE_YOUR_CALM, "too_many_pings". gRPC's own default, 5 minutes, ends
every client that probes at all. The native client probes every 6 s at most."""

CONNECTION_OPTIONS: Final = (
    # What a peer can hold before it has shown a token.
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MILLIS),
    ("grpc.max_concurrent_streams", 1024),
    ("grpc.max_connection_idle_ms", IDLE_CONNECTION_MILLIS),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    # Names as in gRPC's channel_arg_names.h: one that it does not know is passed over in silence.
    ("grpc.keepalive_time_ms", KEEPALIVE_MILLIS),
    # gRPC 1.85 waits for the second of these alone, a minute by default.
    ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MILLIS),
    ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_MILLIS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_INTERVAL_MILLIS),
)


def unbound(listen: str, *, field: str) -> AvatarError:
    """Return the fault of an address that gRPC could not bind, with the system's own reason.

    gRPC says only that it failed; so the address is asked for once more.

    Args:
        listen: HOST:PORT.
        field: the setting to blame.
    """
    host, port = parse_listen(listen, name=field)
    why = "it was taken a moment ago; try again"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()  # two may bind with SO_REUSEADDR, one may listen
    except OSError as error:
        why = error.strerror or str(error)
    return AvatarError(Reason.INVALID_FIELD, f"cannot listen on {listen}: {why}", field=field)
