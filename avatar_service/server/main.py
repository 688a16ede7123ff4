"""The service as a process: build, listen, be ready, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from avatar_service.config import Config, parse_fps, parse_listen
from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2, avatar_service_pb2_grpc
from avatar_service.portrait.image_file import MAX_PIXELS
from avatar_service.portrait.portrait import FORMAT_VERSION
from avatar_service.server.a2f.server import A2fServer, start_a2f_server
from avatar_service.server.avatar_store import AvatarStore
from avatar_service.server.fit_worker import FitWorker
from avatar_service.server.interceptor import ServiceInterceptor
from avatar_service.server.servicer import AvatarServicer, ServiceFacts, offered_capabilities
from avatar_service.server.statuses import bug_from
from avatar_service.session.admission import Capacity
from avatar_service.session.clock import MonotonicClock
from avatar_service.session.manager import SessionManager, StageFactory
from avatar_service.session.settings import SessionSettings
from avatar_service.session.stage_factory import RealStages, TransportSettings
from avatar_service.transports.shared_memory import reclaim_rings
from avatar_service.transports.zmq_publisher import reclaim_sockets

log = logging.getLogger(__name__)

SERVICE_NAME: Final = avatar_service_pb2.DESCRIPTOR.services_by_name["AvatarService"].full_name
SWITCH_INTERVAL_SECS: Final = 0.5e-3
"""Longest wait of the scheduler's thread for the GIL; Python's default of 5 ms would be seen."""
SWEEP_SECS: Final = 1.0
STOP_GRACE_SECS: Final = 1.0
MIN_TOKEN_CHARS: Final = 16
MAX_CONCURRENT_RPCS: Final = 4096


def run(config: Config) -> None:
    """Run the service until SIGTERM or Ctrl-C. Raises AvatarError where it cannot start."""
    logging.basicConfig(
        level=config.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    asyncio.run(serve(config))


async def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then drain; see `run`."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as an exception
            loop.add_signal_handler(number, stopping.set)
    service = Service(config)
    await service.start()
    try:
        await stopping.wait()
    finally:
        await service.stop()


class Service:
    """All parts of the running service.

    Args:
        stages: other stages than the real ones, for tests.
        fit: another fit than the worker process, for tests.
    """

    def __init__(
        self, config: Config, *, stages: StageFactory | None = None, fit: Any = None
    ) -> None:
        self._config = config
        self.port = 0
        host, _ = parse_listen(config.listen)
        token = read_token(config.token_file)
        has_tls, has_token = config.tls.is_enabled, token is not None
        check_exposure(host, has_tls=has_tls, has_token=has_token)
        if config.a2f.listen:
            host, _ = parse_listen(config.a2f.listen, name="a2f.listen")
            check_exposure(host, has_tls=has_tls, has_token=has_token, field="a2f.listen")
        check_device(config.device)
        self._worker = FitWorker()
        self._avatars = AvatarStore(
            config.home,
            rig_version=FORMAT_VERSION,
            fit=fit or self._worker.fit,
            max_avatars=config.limits.max_avatars,
        )
        num_cores = _num_cores()
        self._capacity = Capacity(num_cores=num_cores, max_sessions=config.limits.max_sessions)
        self._real_stages = RealStages(
            portrait_path=self._avatars.portrait_path,
            transports=TransportSettings(
                shm_enabled=config.shm.enabled,
                shm_folder=config.shm.folder,
                shm_group=config.shm.group,
                shm_slots=config.shm.slots,
                zmq_enabled=config.zmq.enabled,
                zmq_folder=config.zmq.folder,
                zmq_tcp_host=config.zmq.tcp_host,
            ),
            capacity=self._capacity,
        )
        pacing, limits = config.pacing, config.limits
        defaults = SessionSettings(
            rate=parse_fps(pacing.fps),
            lookahead_nanos=round(pacing.lookahead_ms * 1e6),
            input_margin_nanos=round(pacing.input_margin_ms * 1e6),
            playout_delay_nanos=round(pacing.playout_delay_ms * 1e6),
            audio_ahead_secs=limits.audio_ahead_secs,
        )
        self._manager = SessionManager(
            clock=MonotonicClock(),
            stages=stages or self._real_stages,
            capacity=self._capacity,
            defaults=defaults,
            num_workers=config.workers or num_cores,
            idle_timeout_secs=limits.idle_timeout_secs,
            max_observers=limits.max_observers_per_session,
            on_bug=bug_from,
            live_allowed=config.live.allowed_destinations,
        )
        self._facts = ServiceFacts(
            device="cpu",
            default_rate=defaults.rate,
            default_playout_nanos=defaults.playout_delay_nanos,
            max_message_bytes=limits.max_message_bytes,
            max_photo_bytes=limits.max_photo_bytes,
            max_photo_px=MAX_PIXELS,
            max_avatars=limits.max_avatars,
            max_observers=limits.max_observers_per_session,
            max_audio_ahead_secs=limits.audio_ahead_secs,
            idle_timeout_secs=limits.idle_timeout_secs,
            stream_frames=limits.subscriber_frames,
            capabilities=offered_capabilities(
                has_shm=config.shm.enabled,
                has_zmq=config.zmq.enabled,
                has_tcp=config.zmq.enabled and config.zmq.tcp_host is not None,
            ),
        )
        self._token = token
        self._has_real_stages = stages is None
        self._server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()
        self._sweeping: asyncio.Task[None] | None = None
        self._a2f: A2fServer | None = None

    async def start(self) -> None:
        """Warm up, listen and say so. Raises INVALID_FIELD where the address is taken."""
        sys.setswitchinterval(SWITCH_INTERVAL_SECS)
        for path in [*reclaim_rings(self._config.shm.folder), *reclaim_sockets()]:
            log.info("removed what a killed service had left: %s", path.name)
        if self._has_real_stages:
            await asyncio.to_thread(self._real_stages.measure_motion)
        self._server = self._make_server()
        credentials = self._credentials()
        self.port = self._listen(self._server, credentials)
        if self._config.a2f.listen:
            await self._start_a2f(self._config.a2f.listen, credentials)
        await self._server.start()
        self._manager.scheduler.start()
        self._sweeping = asyncio.create_task(self._sweep())
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        gc.collect()
        gc.freeze()  # what lives as long as the service is not looked at again
        host, _ = parse_listen(self._config.listen)
        log.info("serving avatar.v1 on %s:%d", host, self.port)

    async def stop(self) -> None:
        """Drain: refuse new sessions, let running ones end within drain_secs, then stop."""
        log.info("draining")
        self._manager.begin_drain()
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        # Beside the sessions: both get the same time to end.
        a2f = asyncio.create_task(self._stop_a2f())
        deadline = time.monotonic() + self._config.drain_secs
        # Polled: the sessions end on the scheduler's thread.
        while time.monotonic() < deadline and self._manager.has_work:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await a2f
        if self._sweeping is not None:
            self._sweeping.cancel()
        await asyncio.to_thread(
            self._manager.close_all, "the service is shutting down", Reason.SHUTTING_DOWN
        )
        if self._server is not None:
            await self._server.stop(STOP_GRACE_SECS)
        await asyncio.to_thread(self._worker.close)
        log.info("stopped")

    def _make_server(self) -> grpc.aio.Server:
        limit = self._config.limits.max_message_bytes
        server = grpc.aio.server(
            interceptors=[ServiceInterceptor(self._token)],
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_time_ms", 10_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
            ],
            maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS,
        )
        servicer = AvatarServicer(self._manager, self._avatars, self._facts)
        avatar_service_pb2_grpc.add_AvatarServiceServicer_to_server(servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        return server

    def _listen(self, server: grpc.aio.Server, credentials: grpc.ServerCredentials | None) -> int:
        listen = self._config.listen
        try:
            if credentials is None:
                return server.add_insecure_port(listen)
            return server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"cannot listen on {listen}: the port is taken, the address is another machine's"
                + (", or certificate and key do not fit as PEM files" if credentials else ""),
                field="listen",
            ) from error

    def _credentials(self) -> grpc.ServerCredentials | None:
        tls = self._config.tls
        if tls.certificate is None or tls.private_key is None:
            return None
        return grpc.ssl_server_credentials(
            [(_read(tls.private_key, "tls.private_key"), _read(tls.certificate, "tls"))],
            root_certificates=_read(tls.client_ca, "tls.client_ca") if tls.client_ca else None,
            require_client_auth=tls.client_ca is not None,
        )

    async def _start_a2f(self, listen: str, credentials: grpc.ServerCredentials | None) -> None:
        host, port = parse_listen(listen, name="a2f.listen")
        self._a2f = await start_a2f_server(
            host,
            port,
            credentials=credentials,
            interceptors=[ServiceInterceptor(self._token)],
            max_streams=self._config.a2f.max_streams,
        )
        log.info("serving Audio2Face-3D clients on %s:%d", host, self._a2f.port)

    async def _stop_a2f(self) -> None:
        if self._a2f is not None:
            await self._a2f.stop(self._config.drain_secs)

    async def _set_health(self, status: Any) -> None:
        for name in ("", SERVICE_NAME):
            await self._health.set(name, status)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECS)
            try:
                await asyncio.to_thread(self._manager.sweep)
            except Exception as fault:
                bug_from(fault)  # logged; the next round goes on


def check_device(device: str) -> None:
    """Refuse a device that this build cannot render on. DEVICE_NOT_AVAILABLE."""
    if device not in ("auto", "cpu"):
        raise AvatarError(
            Reason.DEVICE_NOT_AVAILABLE,
            f"device {device!r} is not available; auto or cpu is allowed",
            field="device",
        )


def check_exposure(host: str, *, has_tls: bool, has_token: bool, field: str = "listen") -> None:
    """Refuse to be reachable from other machines without TLS and a token. INVALID_FIELD."""
    if is_loopback(host) or (has_tls and has_token):
        return
    raise AvatarError(
        Reason.INVALID_FIELD,
        f"listening on {host} is open to other machines: give tls.certificate, tls.private_key "
        "and token_file, or listen on 127.0.0.1",
        field=field,
    )


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(path: Path | None) -> str | None:
    """Read the bearer token. Raises INVALID_FIELD where it is missing or too short."""
    if path is None:
        return None
    token = _read(path, "token_file").decode("utf-8", "replace").strip()
    if len(token) < MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable():
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"token_file: the token needs {MIN_TOKEN_CHARS} or more printable ASCII characters",
            field="token_file",
        )
    return token


def _read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FIELD, f"{field}: cannot read {path}: {error.strerror}", field=field
        ) from error


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
