"""`avatar bench tick`: what the one thread that runs all motion spends on a frame.

Sessions of latents alone, spread evenly over a frame's time, speak on a clock that is moved by hand
from one due moment to the next; the CPU time is the scheduler's own, not the pool's.
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from avatar_service.motion.nets import CompiledNets, MotionNets
from avatar_service.session.batches import compute_motion
from avatar_service.session.encoders import RawEncoder
from avatar_service.session.fanout import Fanout
from avatar_service.session.scheduler import Scheduler, Tickable
from avatar_service.session.session import Session
from avatar_service.session.settings import SessionSettings
from avatar_service.session.speech import Pcm
from avatar_service.session.timeline import SAMPLE_RATE_HZ
from avatar_service.signals import Controls

WARM_UP_SECS: Final = 2.0
CHUNK_NANOS: Final = 20_000_000
_CHUNK_SAMPLES: Final = SAMPLE_RATE_HZ // 50


class _HandClock:
    def __init__(self) -> None:
        self.nanos = 0

    def now_nanos(self) -> int:
        return self.nanos


def bench_tick(
    *, sessions: int, seconds: float, motion_model: str = "mixed", nets: MotionNets | None = None
) -> dict[str, float]:
    """Measure.

    Args:
        sessions: how many speak at once.
        seconds: of speech of each that are counted.
        motion_model: of all of them.
        nets: of all of them; None: compiled.

    Returns:
        frames, motion_us_per_frame (CPU time), thread_share_of_session (of real time, at the
        default rate) and sessions_of_full_thread, by name.
    """
    clock, settings, nets = _HandClock(), SessionSettings(), nets or CompiledNets()

    def fail(_: Tickable, fault: Exception) -> None:
        raise fault

    scheduler = Scheduler(clock, num_workers=1, on_fault=fail, compute=compute_motion)
    frame_nanos = round(1e9 / settings.rate)
    running = []
    for k in range(sessions):
        clock.nanos = k * frame_nanos // sessions
        controls = Controls(seed=k, motion_model=motion_model)
        stage = nets.stage(settings.rate, controls, settings.lookahead_nanos)
        running.append(
            Session(
                f"{k}",
                settings,
                controls,
                clock=clock,
                motion=stage,
                renderer=None,
                publishers=(),
                fanout=Fanout(RawEncoder()),
            )
        )
        scheduler.add(running[-1])
    chunks = _speech_chunks()
    try:
        spent, num_frames, pushed = 0.0, 0, 0
        until = round((WARM_UP_SECS + seconds) * 1e9)
        while clock.nanos < until:
            while pushed * CHUNK_NANOS <= clock.nanos:
                for session in running:
                    session.push_audio(Pcm(chunks[pushed % len(chunks)], SAMPLE_RATE_HZ))
                pushed += 1
            before = sum(session.stats.frames for session in running)
            started = time.thread_time()
            due = scheduler.tick()
            elapsed = time.thread_time() - started
            if clock.nanos >= WARM_UP_SECS * 1e9:
                spent += elapsed
                num_frames += sum(session.stats.frames for session in running) - before
            next_push = pushed * CHUNK_NANOS
            clock.nanos = max(clock.nanos + 1, next_push if due is None else min(due, next_push))
    finally:
        for session in running:
            session.close()
        scheduler.stop()
    secs = spent / num_frames
    return {
        "frames": float(num_frames),
        "motion_us_per_frame": secs * 1e6,
        "thread_share_of_session": secs * float(settings.rate),
        "sessions_of_full_thread": 1 / (secs * float(settings.rate)),
    }


def _speech_chunks() -> list[bytes]:
    """One second of a buzzing voice with four syllables, in chunks of 20 ms of 16-bit samples."""
    at = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 120 * k * at) / k for k in range(1, 12))
    voice = 0.1 * np.clip(np.sin(2 * np.pi * 4 * at), 0, 1) * buzz
    samples = (voice * 32_767).astype("<i2")
    return [
        samples[start : start + _CHUNK_SAMPLES].tobytes()
        for start in range(0, len(samples), _CHUNK_SAMPLES)
    ]
