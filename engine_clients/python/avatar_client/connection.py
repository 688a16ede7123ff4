"""Opening a channel to the service: in the clear on this machine, TLS beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc

from avatar_client.backoff import BackOff
from avatar_client.client import Client
from avatar_client.errors import AccessError
from avatar_client.sources import is_local
from avatar_client.stream import Metadata

DEFAULT_TARGET: Final = "localhost:50551"
MAX_MESSAGE_BYTES: Final = 128 << 20
"""Largest message taken from the server: a raw picture of 4096x4096 fits."""
MAX_CHANNEL_BACKOFF_MILLIS: Final = 1000
KEEPALIVE_MILLIS: Final = 10_000
"""A quiet connection with a call is probed this often."""
PING_TIMEOUT_MILLIS: Final = 5_000
"""One that does not answer for so long is lost."""
CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_reconnect_backoff_ms", MAX_CHANNEL_BACKOFF_MILLIS),
    ("grpc.keepalive_time_ms", KEEPALIVE_MILLIS),
    # gRPC 1.85 waits for the second of these alone, a minute by default.
    ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MILLIS),
    ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_MILLIS),
    # Else who sends nothing (an observer, who waits for a fit) probes once a minute after twice.
    ("grpc.http2.max_pings_without_data", 0),
)


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS.

    Attributes:
        root_certificates: PEM of who is trusted; None: the system's.
        certificate_chain: PEM of this client, for mutual TLS.
        private_key: PEM of its key.
    """

    root_certificates: bytes | None = None
    certificate_chain: bytes | None = None
    private_key: bytes | None = None


def connect(
    target: str = DEFAULT_TARGET,
    *,
    token: str | None = None,
    tls: Tls | None = None,
    timeout_secs: float = 10.0,
    back_off: BackOff | None = None,
) -> Client:
    """Connect to a service and check that versions fit; waits while the service is starting.

    Args:
        target: "host:port" or "unix:path".
        token: bearer token; beyond this machine it is sent over TLS only.
        tls: speak TLS; None: in the clear, for this machine.
        timeout_secs: longest wait for the service, for each later call and for a stream to open.
        back_off: how to reconnect streams.

    Raises:
        AccessError: a token would leave this machine in the clear.
        UnavailableError: nobody answers in time.
        PreconditionError: PROTOCOL_MISMATCH.
    """
    if token is not None and tls is None and not is_local(target):
        raise AccessError("UNAUTHENTICATED", f"a token goes to {target} over TLS only")
    if tls is None:
        channel = grpc.insecure_channel(target, CHANNEL_OPTIONS)
    else:
        credentials = grpc.ssl_channel_credentials(
            tls.root_certificates, tls.private_key, tls.certificate_chain
        )
        channel = grpc.secure_channel(target, credentials, CHANNEL_OPTIONS)
    metadata: Metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    try:
        return Client(
            channel,
            target,
            metadata,
            timeout_secs=timeout_secs,
            back_off=back_off or BackOff(),
        )
    except BaseException:
        channel.close()
        raise
