"""Clients that come and go: they open sessions, speak, barge in, leave politely or not, stall."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any, Final

import numpy as np

from avatar_service.signals import Float32Array

RATE_HZ: Final = 16_000
CHUNK_MILLIS: Final = 20
TRANSPORTS: Final = ("shm", "zmq", "grpc")
FRAME_RATES: Final = (25, 30, 40)
SIZES_PX: Final = (256, 512)
LATENT_ONLY_SHARE: Final = 0.3
INTERRUPT_SHARE: Final = 0.3
RUDE_SHARE: Final = 0.3
"""Visits that end without CloseSession, as a game that is left or crashes."""
STALL_MARK: Final = "stall"
LEAVE_MARK: Final = "leave"


def run_visitor(
    pipe: Any, address: str, avatar_id: str, speech: Float32Array, seed: int, stall_share: float
) -> None:
    """Make one visit after the other until the pipe says stop; tell of each as it begins and ends.

    A visit that is to stall says so, and then this process stops itself (SIGSTOP) in mid-speech;
    whoever holds the other end lets it go on, or kills it.

    Args:
        pipe: to the soak; it gets (outcome, detail) pairs.
        address: of the service.
        avatar_id: an avatar that some visits show.
        speech: (num_samples,) float32 at 16 kHz to cut from.
        seed: of everything that is drawn by chance.
        stall_share: share of visits that stall.
    """
    from avatar_client import AvatarClientError, ExhaustedError, connect

    rng = np.random.default_rng(seed)
    while not pipe.poll():
        must_stall = rng.random() < stall_share
        try:
            with connect(address) as client:
                session = client.open_session(
                    "" if rng.random() < LATENT_ONLY_SHARE else avatar_id,
                    frame_rate=int(rng.choice(FRAME_RATES)),
                    size_px=int(rng.choice(SIZES_PX)),
                    transport=str(rng.choice(TRANSPORTS)),  # type: ignore[arg-type]
                    encoding="jpeg",
                )
                outcome = _visit(session, speech, rng, pipe, must_stall=must_stall)
                if outcome != LEAVE_MARK:
                    session.close()
        except ExhaustedError as error:
            outcome = "refused"
            time.sleep(error.retry_secs or 1.0)
        except AvatarClientError as error:
            outcome = f"fault {error.reason}"
        pipe.send(outcome)
    with contextlib.suppress(OSError):
        pipe.close()


def _visit(
    session: Any, speech: Float32Array, rng: np.random.Generator, pipe: Any, *, must_stall: bool
) -> str:
    """Speak for a while and read what comes; return how it shall end."""
    secs = rng.uniform(1.0, 6.0)
    start = int(rng.integers(0, len(speech)))
    interrupt_at = rng.uniform(0.3, secs) if rng.random() < INTERRUPT_SHARE else None
    stall_at = rng.uniform(0.3, secs) if must_stall else None
    samples = RATE_HZ * CHUNK_MILLIS // 1000
    began = time.monotonic()
    for k in range(round(secs * 1000 / CHUNK_MILLIS)):
        at = k * CHUNK_MILLIS / 1000
        while (wait := began + at - time.monotonic()) > 0:
            session.next_frame(wait)
        if stall_at is not None and at >= stall_at:
            stall_at = None
            pipe.send(STALL_MARK)
            os.kill(os.getpid(), signal.SIGSTOP)
            began = time.monotonic() - at
        if interrupt_at is not None and at >= interrupt_at:
            interrupt_at = None
            session.interrupt(timeout_secs=0)
        where = (start + np.arange(k * samples, (k + 1) * samples)) % len(speech)
        session.push_audio(speech[where], sample_rate_hz=RATE_HZ)
    session.end_segment()
    return LEAVE_MARK if rng.random() < RUDE_SHARE else "close"
