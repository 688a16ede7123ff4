"""Makes the real stages of a session, and measures what a frame costs on this machine."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import zmq

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.nets import CompiledNets, MotionNets
from avatar_service.motion.stage import DEFAULT_LOOKAHEAD_NANOS
from avatar_service.portrait.portrait import Portrait
from avatar_service.provenance.watermark import Mark
from avatar_service.render.bench import moving_frame
from avatar_service.render.devices import CpuDevice, RenderDevice
from avatar_service.render.renderer import limit_motion
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.session.admission import Capacity, FrameCost
from avatar_service.session.compilation import MOTION, PICTURE, compile_ahead
from avatar_service.session.session_request import OutputKind, SessionRequest, TransportKind
from avatar_service.session.stages import FrameRenderer, MotionSource, PictureBatch
from avatar_service.session.timeline import SAMPLE_RATE_HZ
from avatar_service.signals import AudioChunk, Background, Controls, MotionFrame, UInt8Array
from avatar_service.transports.publisher import Publisher
from avatar_service.transports.ring import RingGeometry, RingWriter
from avatar_service.transports.zmq_publisher import LINGER_MILLIS, Kind, ZmqPublisher

log = logging.getLogger(__name__)

MIN_FIT_PX: Final = 512
"""Smaller frames show the portrait that was fitted for this size."""
NUM_TRIAL_FRAMES: Final = 20
NUM_TRIAL_STEPS: Final = 50
OVERHEAD_SECS: Final = 1.0e-3
"""Estimate of publishing one frame, of the remote calls and the ticks; measured sessions had 0.8 to
1.0 ms on one core of an EPYC, and running ones correct it."""
EVICTED_BYTES: Final = 16 << 20
"""Between two frames of a session other work fills the caches: walking over as much does the
same. A trial in a warm loop would promise twice the sessions."""


class PortraitRenderer:
    """A renderer that also knows the limits of its portrait, and marks every frame.

    Args:
        scaled: what to draw.
        mark: the session's watermark. There is no renderer of a session without one.
        has_badge: whether the frames bear the visible badge whatever the controls say.
        device: where it is drawn; None: on the calling thread.
    """

    def __init__(
        self,
        scaled: ScaledPortrait,
        mark: Mark,
        *,
        has_badge: bool = False,
        device: RenderDevice | None = None,
    ) -> None:
        self._scaled = scaled
        self._renderer = (device or CpuDevice()).make_renderer(scaled)
        self._has_badge = has_badge
        self._renderer.set_badge(has_badge)
        self._renderer.warm_up()
        self._mark = mark

    def limit_motion(self, motion: MotionFrame) -> MotionFrame:
        """Return the latent as it will be shown."""
        return limit_motion(self._scaled, motion)

    def set_background(self, background: Background, color: tuple[int, int, int]) -> None:
        """Choose what stands behind the person."""
        self._renderer.set_background(background, color)

    def set_badge(self, is_shown: bool) -> None:
        """Show the visible badge, or not."""
        self._renderer.set_badge(is_shown or self._has_badge)

    def render(self, motion: MotionFrame, out: UInt8Array) -> None:
        """Draw one frame."""
        self._renderer.set_mark(self._mark.pattern())
        self._renderer.render(motion, out)

    @property
    def batch(self) -> PictureBatch | None:
        """What draws several sessions' pictures at once, on a GPU."""
        return self._renderer.batch

    def shot(self, motion: MotionFrame, out: UInt8Array) -> Any:
        """Make what `batch` draws."""
        self._renderer.set_mark(self._mark.pattern())
        return self._renderer.shot(motion, out)

    def close(self) -> None:
        """Give memory of the device back."""
        self._renderer.close()


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Where rings and sockets are made."""

    shm_enabled: bool = True
    shm_folder: Path | None = None
    shm_group: str | None = None
    shm_slots: int = 8
    zmq_enabled: bool = True
    zmq_folder: Path | None = None
    zmq_tcp_host: str | None = None


class RealStages:
    """The StageFactory of the service. Thread-safe.

    What depends on avatar and size only is made once and shared by their sessions; it goes with the
    last one.

    Args:
        portrait_path: tells where an avatar's portrait for a frame size lies.
        issue_mark: gives a new session of an avatar its watermark.
        has_badge: whether frames bear the visible badge whatever a session asks for.
        device: where pictures are drawn.
        nets: of motion; None: compiled.
    """

    def __init__(
        self,
        *,
        portrait_path: Callable[[str, int], Path],
        issue_mark: Callable[[str], Mark],
        transports: TransportSettings,
        capacity: Capacity,
        has_badge: bool = False,
        device: RenderDevice | None = None,
        nets: MotionNets | None = None,
    ) -> None:
        self._nets = nets or CompiledNets()
        self._portrait_path = portrait_path
        self._issue_mark = issue_mark
        self._has_badge = has_badge
        self._transports = transports
        self._capacity = capacity
        self._device = device or CpuDevice()
        self._lock = threading.Lock()
        self._scaled: weakref.WeakValueDictionary[tuple[str, int], ScaledPortrait] = (
            weakref.WeakValueDictionary()
        )
        self._is_render_measured = False
        self._zmq: zmq.Context[Any] | None = None

    def make_motion(self, request: SessionRequest, lookahead_nanos: int) -> MotionSource:
        """Make a motion stage; the controls' seed draws its chances."""
        return self._nets.stage(request.rate, request.controls, lookahead_nanos)

    def make_renderer(self, request: SessionRequest) -> FrameRenderer:
        """Make a renderer of an avatar; the first one is timed for the admission."""
        renderer = PortraitRenderer(
            self._scaled_portrait(request.avatar_id, request.size_px),
            self._issue_mark(request.avatar_id),
            has_badge=self._has_badge,
            device=self._device,
        )
        self._measure_render(renderer, request.size_px)
        return renderer

    def _scaled_portrait(self, avatar_id: str, size_px: int) -> ScaledPortrait:
        key = (avatar_id, size_px)
        with self._lock:
            found = self._scaled.get(key)
        if found is not None:
            return found
        # Not under the lock: others need not wait for this. Two that do it at once share one.
        path = self._portrait_path(avatar_id, max(size_px, MIN_FIT_PX))
        made = ScaledPortrait.of(Portrait.load(path), size_px)
        compile_ahead(PICTURE, path)
        with self._lock:
            return self._scaled.setdefault(key, made)

    def make_publishers(
        self, session_id: str, request: SessionRequest
    ) -> tuple[list[Publisher], dict[TransportKind, str]]:
        """Open the ring and the sockets asked for; see StageFactory."""
        publishers: list[Publisher] = []
        lost: dict[TransportKind, str] = {}
        has_frames = OutputKind.FRAMES in request.outputs
        size = request.size_px if has_frames else 0
        settings = self._transports
        self._check_offered(request)
        try:
            if TransportKind.SHM in request.transports:
                slots = request.ring_slots or settings.shm_slots
                try:
                    ring = RingWriter(
                        RingGeometry(size, size, slots),
                        request.rate,
                        folder=settings.shm_folder,
                        group=settings.shm_group,
                    )
                except AvatarError as error:
                    has_other = len(request.transports) > 1
                    if error.reason is not Reason.STORAGE_EXHAUSTED or not has_other:
                        raise
                    log.error("a session goes on without shared memory: %s", error.message)
                    lost[TransportKind.SHM] = error.message
                else:
                    publishers.append(ring)
            if TransportKind.ZMQ in request.transports:
                kinds = [Kind.FRAME] if has_frames else []
                if OutputKind.MOTION in request.outputs:
                    kinds.append(Kind.MOTION)
                with self._lock:
                    # Its own: its end waits for what this service has sent, and for nobody else.
                    self._zmq = self._zmq or zmq.Context()
                publishers.append(
                    ZmqPublisher(
                        session_id,
                        tuple(kinds),
                        folder=settings.zmq_folder,
                        tcp_host=settings.zmq_tcp_host,
                        context=self._zmq,
                    )
                )
        except BaseException:
            for publisher in publishers:
                publisher.close()
            raise
        return publishers, lost

    def close(self) -> None:
        """Wait until ZeroMQ has sent what closed sessions left, LINGER_MILLIS at most."""
        if self._zmq is not None:
            # On a thread of its own: a socket that is not closed yet would hold it.
            ending = threading.Thread(target=self._zmq.term, daemon=True)
            ending.start()
            ending.join(2 * LINGER_MILLIS / 1e3)

    def measure_motion(self) -> None:
        """Time the motion stage (and load it), for the admission; a second or two.

        The first time on a machine it is compiled, which takes a minute or two.
        """
        compile_ahead(MOTION)
        stage = self._nets.stage(Fraction(40), Controls(), DEFAULT_LOOKAHEAD_NANOS)
        rng = np.random.default_rng(0)
        others = np.zeros(EVICTED_BYTES, np.uint8)
        spent, num_frames = 0.0, 0
        for step in range(2 * NUM_TRIAL_STEPS):
            samples = (0.1 * rng.standard_normal(SAMPLE_RATE_HZ // 50)).astype(np.float32)
            others += 1
            started = time.thread_time()
            stage.push(AudioChunk(samples, step * 20_000_000))
            count = sum(1 for _ in stage.pull())
            if step >= NUM_TRIAL_STEPS:  # the first half warms up: kernels, buffers
                spent += time.thread_time() - started
                num_frames += count
        stage.close()
        motion_secs = spent / num_frames
        px_secs = self._capacity.cost.px_secs
        self._capacity.calibrate(FrameCost(motion_secs + OVERHEAD_SECS, px_secs, motion_secs))

    def compile_picture(self, avatar_id: str) -> None:
        """Have what draws compiled, where it is not: a minute or two.

        Raises:
            AvatarError, OSError: this avatar's portrait cannot be had.
        """
        compile_ahead(PICTURE, self._portrait_path(avatar_id, MIN_FIT_PX))

    def _measure_render(self, renderer: FrameRenderer, size_px: int) -> None:
        with self._lock:
            if self._is_render_measured:
                return
            self._is_render_measured = True
        out = np.zeros((size_px, size_px, 4), np.uint8)
        others = np.zeros(EVICTED_BYTES, np.uint8)
        spent = 0.0
        for k in range(NUM_TRIAL_FRAMES):
            motion = renderer.limit_motion(moving_frame(k))
            others += 1
            started = time.thread_time()
            renderer.render(motion, out)
            if k >= NUM_TRIAL_FRAMES // 2:  # the first half warms up: kernels, mark, textures
                spent += time.thread_time() - started
        px_secs = spent / (NUM_TRIAL_FRAMES - NUM_TRIAL_FRAMES // 2) / size_px**2
        self._capacity.calibrate(replace(self._capacity.cost, px_secs=px_secs))
        if renderer.batch is not None:
            self._measure_device(renderer.batch, renderer, out)

    def _measure_device(
        self, batch: PictureBatch, renderer: FrameRenderer, out: UInt8Array
    ) -> None:
        """Time a batch, copies included; the second one, as the first takes memory."""
        wall_secs = 0.0
        for _ in range(2):
            shots = [renderer.shot(moving_frame(k), out) for k in range(NUM_TRIAL_FRAMES)]
            started = time.perf_counter()
            batch.draw(shots)
            wall_secs = time.perf_counter() - started
        self._capacity.calibrate_device(wall_secs / NUM_TRIAL_FRAMES / (out.nbytes // 4))

    def _check_offered(self, request: SessionRequest) -> None:
        offered = {
            TransportKind.SHM: self._transports.shm_enabled,
            TransportKind.ZMQ: self._transports.zmq_enabled,
        }
        for kind in request.transports:
            if not offered.get(kind, True):
                raise AvatarError(
                    Reason.TRANSPORT_NOT_SUPPORTED,
                    f"this service does not offer {kind.value}",
                    field="transports",
                )
