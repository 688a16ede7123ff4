"""Choosing the best way for the data of a session."""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Final, Literal
from urllib.parse import urlsplit

from avatar_client.errors import AvatarClientError, NotSupportedError, RingError
from avatar_client.frames import FrameSource
from avatar_client.gen.avatar.v1 import endpoint_pb2, session_pb2
from avatar_client.grpc_source import GrpcSource
from avatar_client.ring_reader import RingReader
from avatar_client.zmq_source import ZmqSource

TransportName = Literal["shm", "zmq", "grpc"]

TRANSPORTS: Final[dict[str, endpoint_pb2.Transport.ValueType]] = {
    "shm": endpoint_pb2.TRANSPORT_SHM,
    "zmq": endpoint_pb2.TRANSPORT_ZMQ,
    "grpc": endpoint_pb2.TRANSPORT_GRPC,
}
OUTPUTS: Final[dict[str, endpoint_pb2.Output.ValueType]] = {
    "frames": endpoint_pb2.OUTPUT_FRAMES,
    "motion": endpoint_pb2.OUTPUT_MOTION,
    "audio": endpoint_pb2.OUTPUT_AUDIO,
}
FASTEST_FIRST: Final = ("shm", "zmq", "grpc")
LOSSLESS_FIRST: Final = ("grpc", "shm", "zmq")
"""In BURST only the stream holds the server back; a ring would be overwritten."""


def choose_source(
    session: session_pb2.Session, *, prefer: TransportName | None, server_host: str
) -> FrameSource:
    """Open the best source that this client can reach.

    Args:
        session: as the server described it.
        prefer: take this one and no other.
        server_host: where the server is, for ZeroMQ over tcp.

    Raises:
        NotSupportedError: none can be reached; the message tells why, way by way.
    """
    is_burst = session.pacing == session_pb2.PACING_BURST
    order = (prefer,) if prefer else LOSSLESS_FIRST if is_burst else FASTEST_FIRST
    faults = []
    for name in order:
        if TRANSPORTS[name] not in session.transports:
            faults.append(f"{name}: not offered")
            continue
        try:
            if name == "shm":
                return RingReader(session.ring)
            if name == "zmq":
                return ZmqSource(_endpoint(session), server_host)
            return GrpcSource(is_lossless=is_burst)
        except (RingError, NotSupportedError) as error:
            faults.append(f"{name}: {error.message}")
    raise NotSupportedError(
        "TRANSPORT_NOT_SUPPORTED", f"no way to the session's data: {'; '.join(faults)}"
    )


def inline_outputs(
    session: session_pb2.Session, source: FrameSource
) -> list[endpoint_pb2.Output.ValueType]:
    """Return what the stream itself shall carry beside events."""
    wanted = {endpoint_pb2.OUTPUT_AUDIO}
    if isinstance(source, GrpcSource):
        # Each frame carries its latent; the latents alone would come twice.
        has_frames = endpoint_pb2.OUTPUT_FRAMES in session.outputs
        wanted.add(endpoint_pb2.OUTPUT_FRAMES if has_frames else endpoint_pb2.OUTPUT_MOTION)
    return [output for output in session.outputs if output in wanted]


def is_local(target: str) -> bool:
    """Whether a gRPC target is this machine."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    host = host_of(target)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def host_of(target: str) -> str:
    """Return the host of a gRPC target such as "host:port", "[::1]:port", "dns:///host:port"."""
    bare = target.rpartition("/")[2].removeprefix("dns:")
    try:
        return urlsplit(f"//{bare}").hostname or ""
    except ValueError as error:
        raise AvatarClientError("INVALID_FIELD", f"target {target!r}: {error}") from error


def _endpoint(session: session_pb2.Session) -> endpoint_pb2.ZmqEndpoint:
    has_frames = endpoint_pb2.OUTPUT_FRAMES in session.outputs
    output = endpoint_pb2.OUTPUT_FRAMES if has_frames else endpoint_pb2.OUTPUT_MOTION
    endpoints = [endpoint for endpoint in session.zmq_endpoints if endpoint.output == output]
    for endpoint in endpoints:
        path = endpoint.address.removeprefix("ipc://")
        # A socket of this path on this host, and this user may use it.
        if path != endpoint.address and sys.platform != "win32" and os.access(path, os.W_OK):
            return endpoint
    for endpoint in endpoints:
        if endpoint.address.startswith("tcp://"):
            return endpoint
    raise NotSupportedError("TRANSPORT_NOT_SUPPORTED", "no socket of the session can be reached")
