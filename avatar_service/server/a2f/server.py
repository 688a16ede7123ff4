"""The Audio2Face-compatible server on its own port, with health check and reflection."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.stage import MotionStage
from avatar_service.server.a2f.clip import MakeMotion, MotionSource
from avatar_service.server.a2f.gen.nvidia_ace.services.a2f_controller.v1 import (
    a2f_controller_pb2,
    a2f_controller_pb2_grpc,
)
from avatar_service.server.a2f.service import IDLE_SECS, A2fControllerService
from avatar_service.server.connections import CONNECTION_OPTIONS, unbound
from avatar_service.signals import Controls

DEFAULT_PORT: Final = 52000
SERVICE_NAME: Final = a2f_controller_pb2.DESCRIPTOR.services_by_name[
    "A2FControllerService"
].full_name
_MAX_MESSAGE_BYTES: Final = 32 << 20
_DRAIN_SECS: Final = 5.0


def motion_stage(frame_rate: Fraction, controls: Controls) -> MotionSource:
    """Make the service's own motion stage for one clip."""
    return MotionStage(frame_rate, controls)


@dataclass(slots=True)
class A2fServer:
    """A running server.

    Attributes:
        port: that it listens on, useful where 0 was asked for.
    """

    port: int
    _server: grpc.aio.Server
    _health: health.aio.HealthServicer
    _workers: ThreadPoolExecutor

    async def stop(self, grace_secs: float = _DRAIN_SECS) -> None:
        """Refuse new streams, let running ones end within the grace, stop."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_secs)
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def wait(self) -> None:
        """Return when the server has stopped."""
        await self._server.wait_for_termination()


async def start_a2f_server(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    make_motion: MakeMotion = motion_stage,
    credentials: grpc.ServerCredentials | None = None,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    num_workers: int = 2,
    max_streams: int = 16,
    idle_secs: float = IDLE_SECS,
) -> A2fServer:
    """Start the server in the running event loop.

    Args:
        host: address to listen on; beyond loopback credentials are required.
        port: 0 takes a free one.
        make_motion: makes the motion source of a clip.
        credentials: TLS.
        interceptors: authentication.
        num_workers: threads that run the motion.
        max_streams: at once; beyond it RESOURCE_EXHAUSTED.
        idle_secs: patience with a silent client.

    Raises:
        AvatarError: PERMISSION_DENIED beyond loopback without TLS; INVALID_FIELD where the port
            cannot be bound.
    """
    if credentials is None and not _is_loopback(host):
        raise AvatarError(
            Reason.PERMISSION_DENIED, f"listening on {host} needs TLS and a token", field="a2f"
        )
    workers = ThreadPoolExecutor(num_workers, thread_name_prefix="a2f")
    options: list[tuple[str, Any]] = [
        *CONNECTION_OPTIONS,
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.aio.server(interceptors=list(interceptors), options=options)
    service = A2fControllerService(
        make_motion, workers=workers, max_streams=max_streams, idle_secs=idle_secs
    )
    a2f_controller_pb2_grpc.add_A2FControllerServiceServicer_to_server(service, server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = (
            server.add_secure_port(address, credentials)
            if credentials is not None
            else server.add_insecure_port(address)
        )
    except RuntimeError:
        bound = 0
    if bound == 0:
        workers.shutdown(wait=False)
        raise unbound(address, field="a2f")
    await server.start()
    for name in ("", SERVICE_NAME):
        await health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    return A2fServer(bound, server, health_servicer, workers)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def run_a2f_server(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; prints the address once it listens."""
    server = await start_a2f_server(host, port)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    print(f"A2FControllerService on {host}:{server.port}", flush=True)
    await stopping.wait()
    await server.stop()
