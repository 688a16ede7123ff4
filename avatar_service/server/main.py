"""The service as a process: build, listen, be ready, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from avatar_service.config import Config, RecordConfig, parse_fps, parse_listen
from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2, avatar_service_pb2_grpc
from avatar_service.jit import is_compiled
from avatar_service.motion.generators import parts_of
from avatar_service.motion.nets import motion_nets
from avatar_service.portrait.image_file import MAX_PIXELS
from avatar_service.portrait.portrait import FORMAT_VERSION
from avatar_service.provenance.consent_book import ConsentBook
from avatar_service.provenance.watermark import Mark
from avatar_service.render.devices import open_render_device
from avatar_service.server import connections
from avatar_service.server.a2f.server import A2fServer, start_a2f_server
from avatar_service.server.access import TokenFile
from avatar_service.server.allocator import return_freed_memory
from avatar_service.server.avatar_store import AvatarStore
from avatar_service.server.fit_worker import FitWorker
from avatar_service.server.housekeeping import Housekeeping
from avatar_service.server.interceptor import ServiceInterceptor
from avatar_service.server.logs import set_up_logging
from avatar_service.server.open_files import allow_many_open_files
from avatar_service.server.quotas import Quotas
from avatar_service.server.servicer import AvatarServicer, ServiceFacts, offered_capabilities
from avatar_service.server.session_health import HealthServicer
from avatar_service.server.start_checks import check_exposure, check_shared_memory
from avatar_service.server.statuses import bug_from
from avatar_service.server.telemetry import Telemetry
from avatar_service.server.tls import TlsFiles
from avatar_service.session.admission import Capacity
from avatar_service.session.clock import MonotonicClock
from avatar_service.session.compilation import PICTURE
from avatar_service.session.manager import SessionManager
from avatar_service.session.recording import Recorder
from avatar_service.session.settings import SessionSettings
from avatar_service.session.stage_factory import RealStages, TransportSettings
from avatar_service.session.stages import StageFactory
from avatar_service.transports.shared_memory import reclaim_rings
from avatar_service.transports.zmq_publisher import reclaim_sockets

log = logging.getLogger(__name__)

SERVICE_NAME: Final = avatar_service_pb2.DESCRIPTOR.services_by_name["AvatarService"].full_name
SWITCH_INTERVAL_SECS: Final = 0.5e-3
"""Longest wait of the scheduler's thread for the GIL; Python's default of 5 ms would be seen."""
STOP_GRACE_SECS: Final = 1.0
NUM_THREADS: Final = 32
MAX_CONCURRENT_RPCS: Final = 4096


def run(config: Config) -> None:
    """Run the service until SIGTERM or Ctrl-C. Raises AvatarError where it cannot start."""
    return_freed_memory()
    set_up_logging(config.log_level, config.log_format)
    allow_many_open_files()
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
        self._tokens = TokenFile(config.token_file) if config.token_file is not None else None
        self._tls = TlsFiles(config.tls) if config.tls.is_enabled else None
        has_tls, has_token = self._tls is not None, self._tokens is not None
        check_exposure(host, has_tls=has_tls, has_token=has_token)
        if config.a2f.listen:
            host, _ = parse_listen(config.a2f.listen, name="a2f.listen")
            check_exposure(host, has_tls=has_tls, has_token=has_token, field="a2f.listen")
        device = open_render_device(config.device)
        nets = motion_nets(config.motion_device, "motion_device")
        check_shared_memory(config.shm)
        self._worker = FitWorker()
        self._consents = ConsentBook(config.provenance_dir)
        self._avatars = AvatarStore(
            config.home,
            self._consents,
            rig_version=FORMAT_VERSION,
            fit=fit or self._worker.fit,
            max_avatars=config.limits.max_avatars,
            max_per_owner=config.quotas.avatars,
        )
        num_cores = _num_cores()
        self._capacity = Capacity(
            num_cores=num_cores,
            max_sessions=config.limits.max_sessions,
            max_per_owner=config.quotas.sessions,
        )
        self._real_stages = RealStages(
            portrait_path=self._avatars.portrait_path,
            issue_mark=self._issue_mark,
            has_badge=config.badge,
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
            device=device,
            nets=nets,
        )
        parts_of(config.motion_model)  # an unknown name ends the start, not the first session
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
            recorder=_recorder(config.record),
            audio_ahead_secs_per_owner=config.quotas.audio_ahead_secs,
        )
        self._facts = ServiceFacts(
            device=device.name,
            default_rate=defaults.rate,
            default_playout_nanos=defaults.playout_delay_nanos,
            default_motion_model=config.motion_model,
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
        self._has_real_stages = stages is None
        self._server: grpc.aio.Server | None = None
        self._health = HealthServicer(self._manager)
        self.telemetry = Telemetry(config, self._manager, self._facts.device)
        quotas, observer = Quotas(config.quotas), self.telemetry.observer
        self._guard = ServiceInterceptor(self._tokens, quotas, observer)
        self._a2f_guard = ServiceInterceptor(self._tokens, quotas, observer)
        self.housekeeping = Housekeeping(
            self._manager,
            self._avatars,
            tls=self._tls,
            tokens=self._tokens,
            guards=(self._guard, self._a2f_guard),
        )
        self._keeping_house: asyncio.Task[None] | None = None
        self._a2f: A2fServer | None = None

    async def start(self) -> None:
        """Warm up, listen and say so. Raises INVALID_FIELD where the address is taken."""
        sys.setswitchinterval(SWITCH_INTERVAL_SECS)
        # Fits wait on these threads for up to minutes: the rest must find free ones.
        threads = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="server")
        asyncio.get_running_loop().set_default_executor(threads)
        for path in [
            *reclaim_rings(self._config.shm.folder),
            *reclaim_sockets(self._config.zmq.folder),
        ]:
            log.info("removed what a killed service had left: %s", path.name)
        if self._has_real_stages:
            log.info("warming up; the first start on a machine compiles for a minute or two")
            await asyncio.to_thread(self.warm_up)
        self._server = self._make_server()
        self.port = self._listen(self._server)
        if self._config.a2f.listen:
            await self._start_a2f(self._config.a2f.listen)
        self.telemetry.start()
        await self._server.start()
        self._manager.scheduler.start()
        self._keeping_house = asyncio.create_task(self.housekeeping.run())
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        gc.collect()
        gc.freeze()  # what lives as long as the service is not looked at again
        host, _ = parse_listen(self._config.listen)
        log.info("serving avatar.v1 on %s:%d", host, self.port)

    def warm_up(self) -> None:
        """Load, time and compile what the first session needs, which does not wait that long."""
        self._real_stages.measure_motion()
        if is_compiled(PICTURE):
            return
        for avatar in self._avatars.list_all():
            try:
                return self._real_stages.compile_picture(avatar.avatar_id)
            except (AvatarError, OSError) as error:  # another one serves as well
                why = error.reason if isinstance(error, AvatarError) else error.strerror
                log.warning("avatar %s cannot be shown: %s", avatar.avatar_id, why)

    async def stop(self) -> None:
        """Drain: refuse new sessions, let running ones end within drain_secs, then stop.

        Where another service shares the port, clients are sent there at once; the calls that run
        here go on. Else the port stays, so that clients and probes are told what is going on.
        """
        log.info("draining")
        leaving = self._begin_to_leave() if self._config.reuse_port else None
        self._manager.begin_drain()
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        # Beside the sessions: both get the same time to end.
        a2f = asyncio.create_task(self._stop_a2f())
        deadline = time.monotonic() + self._config.drain_secs
        # Polled: the sessions end on the scheduler's thread.
        while time.monotonic() < deadline and self._manager.is_speaking:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await a2f
        if self._keeping_house is not None:
            self._keeping_house.cancel()
        await asyncio.to_thread(
            self._manager.close_all, "the service is shutting down", Reason.SHUTTING_DOWN
        )
        await self._see_all_out(max(deadline, time.monotonic() + STOP_GRACE_SECS))
        if leaving is not None:
            await leaving
        elif self._server is not None:
            await self._server.stop(STOP_GRACE_SECS)
        await asyncio.to_thread(self._worker.close)
        await self.telemetry.close()
        log.info("stopped")

    async def _see_all_out(self, deadline: float) -> None:
        """Return when every stream's client has read to the end, and ZeroMQ has sent all."""
        while time.monotonic() < deadline and self._manager.num_streams:  # noqa: ASYNC110  counted
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._real_stages.close)

    def _begin_to_leave(self) -> asyncio.Task[None] | None:
        """Close the port and send the connected clients elsewhere (GOAWAY)."""
        if self._server is None:
            return None
        return asyncio.create_task(self._server.stop(self._config.drain_secs + STOP_GRACE_SECS))

    def _make_server(self) -> grpc.aio.Server:
        limit = self._config.limits.max_message_bytes
        server = grpc.aio.server(
            interceptors=[self._guard],
            options=[
                *connections.CONNECTION_OPTIONS,
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", int(self._config.reuse_port)),
            ],
            maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS,
        )
        servicer = AvatarServicer(self._manager, self._avatars, self._facts, self.telemetry.tracing)
        avatar_service_pb2_grpc.add_AvatarServiceServicer_to_server(servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        return server

    def _listen(self, server: grpc.aio.Server) -> int:
        listen = self._config.listen
        try:
            if self._tls is None:
                return server.add_insecure_port(listen)
            return server.add_secure_port(listen, self._tls.credentials())
        except RuntimeError as error:
            raise connections.unbound(listen, field="listen") from error

    async def _start_a2f(self, listen: str) -> None:
        host, port = parse_listen(listen, name="a2f.listen")
        self._a2f = await start_a2f_server(
            host,
            port,
            credentials=self._tls.credentials() if self._tls is not None else None,
            interceptors=[self._a2f_guard],
            max_streams=self._config.a2f.max_streams,
        )
        log.info("serving Audio2Face-3D clients on %s:%d", host, self._a2f.port)

    async def _stop_a2f(self) -> None:
        if self._a2f is not None:
            await self._a2f.stop(self._config.drain_secs)

    async def _set_health(self, status: Any) -> None:
        for name in ("", SERVICE_NAME):
            await self._health.set(name, status)

    def _issue_mark(self, avatar_id: str) -> Mark:
        return self._consents.issue_mark(self._avatars.get(avatar_id).photo_sha256, "session")


def _recorder(config: RecordConfig) -> Recorder | None:
    """Make the recorder that is asked for, and say so. Raises INVALID_FILE."""
    if config.folder is None:
        return None
    recorder = Recorder(config.folder, config.audio, config.max_mb << 20, lambda: datetime.now(UTC))
    recorder.check()
    what = "with their speech" if config.audio else "without speech and latents"
    log.warning("sessions are recorded in %s, %s", config.folder, what)
    return recorder


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
