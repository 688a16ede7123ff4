"""The real server, with fake stages behind it, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from avatar_service.config import load_config
from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2_grpc
from avatar_service.server.avatar_store import FitFacts
from avatar_service.server.main import Service
from avatar_service.session.session_request import OutputKind, SessionRequest, TransportKind
from avatar_service.transports.publisher import Publisher
from avatar_service.transports.ring import RingGeometry, RingWriter
from avatar_service.transports.zmq_publisher import Kind, ZmqPublisher
from fakes.motion_stage import FakeMotionStage
from fakes.renderer import FakeRenderer


class FakeStages:
    """A StageFactory; `fail_at` plants `fault` in the renderers' frame of that number, and
    `stays_broken` in their end; `may_build` holds sessions back while it is not set. Rings lie in
    `rings`, or where all do."""

    def __init__(self, rings: Path | None = None) -> None:
        self._rings = rings
        self.fail_at: int | None = None
        self.fault: Exception | None = None
        self.stays_broken = False
        self.may_build = threading.Event()
        self.may_build.set()
        self.motions: list[FakeMotionStage] = []

    def make_motion(self, request: SessionRequest, lookahead_nanos: int) -> FakeMotionStage:
        self.may_build.wait(10)
        motion = FakeMotionStage(request.rate, request.controls, lookahead_nanos=lookahead_nanos)
        self.motions.append(motion)
        return motion

    def make_renderer(self, request: SessionRequest) -> FakeRenderer:
        return FakeRenderer(fail_at=self.fail_at, fault=self.fault, stays_broken=self.stays_broken)

    def make_publishers(
        self, session_id: str, request: SessionRequest
    ) -> tuple[list[Publisher], dict[TransportKind, str]]:
        has_frames = OutputKind.FRAMES in request.outputs
        if request.transports == {TransportKind.ZMQ}:
            kind = Kind.FRAME if has_frames else Kind.MOTION
            return [ZmqPublisher(session_id, (kind,))], {}
        if TransportKind.SHM not in request.transports:
            return [], {}
        size = request.size_px if has_frames else 0
        geometry = RingGeometry(size, size, request.ring_slots or 8)
        return [RingWriter(geometry, request.rate, folder=self._rings)], {}


def fake_fit(photo: bytes, crop: str, size_px: int, path: Path) -> FitFacts:
    """Fit any bytes but b"cat", which hold no face, and b"bug", which break something."""
    if photo == b"cat":
        raise AvatarError(Reason.NO_FACE, "no face was found in the photo")
    if photo == b"bug":
        raise ZeroDivisionError("secret inner text")
    path.write_bytes(b"portrait of " + photo)
    return FitFacts(640, 480, ("fitted by a fake",))


class RunningService:
    def __init__(self, service: Service, stages: FakeStages, loop: asyncio.AbstractEventLoop):
        self.service = service
        self.stages = stages
        self.address = f"127.0.0.1:{service.port}"
        self._loop = loop
        self.channel = grpc.insecure_channel(self.address)
        self.stub = avatar_service_pb2_grpc.AvatarServiceStub(self.channel)

    def call(self, coroutine) -> object:
        """Run a coroutine on the service's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)


@contextmanager
def running_service(home: Path, **options: object) -> Iterator[RunningService]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    dotted = {key.replace("__", "."): value for key, value in options.items()}
    config = load_config(
        {"listen": "127.0.0.1:0", "home": home, "drain_secs": 0.2, **dotted}, environ={}
    )
    stages = FakeStages(config.shm.folder)

    async def start() -> Service:
        service = Service(config, stages=stages, fit=fake_fit)
        await service.start()
        return service

    service = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    running = RunningService(service, stages, loop)
    try:
        yield running
    finally:
        running.channel.close()
        running.call(service.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
