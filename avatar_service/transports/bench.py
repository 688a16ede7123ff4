"""Time from publication until the pixels lie in the reader's memory, for each transport.

The writer is the service's own, here; readers are processes of their own: the native client's where
it is built, else Python ones. The clock is the machine's monotonic one.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.signals import MotionFrame
from avatar_service.transports import bench_iceoryx2
from avatar_service.transports.bench_ways import (
    Way,
    floor_way,
    grpc_way,
    iceoryx2_way,
    ring_way,
    zero_copy_way,
    zmq_way,
)

SUBSCRIBE_SECS: Final = 0.5
"""Time for a connection to come about; frames published before are not measured."""
LATENT_RATE_HZ: Final = 40.0
NUM_MANY: Final = 8
"""Readers at once in the run that shows whether they slow the writer."""
NUM_ROUNDS: Final = 3
"""What is compared takes turns this often: what else the machine does then hits all alike."""
MIN_RATIO_OF: Final = ("p50_us", "p99_us", "reader_cpu_us")

OpenWay = Callable[[int, float], AbstractContextManager[Way]]
Advance = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """What is published."""

    frames: int
    rate_hz: float
    size_px: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What readers and writer measured in one round."""

    latencies_us: list[float]
    cpu_secs: float
    num_bytes: int
    publish_us: list[float]
    num_sent: int


def native_reader() -> Path | None:
    """Return the native reader of this source tree, or None where it is not built."""
    build = Path(__file__).parents[2] / "engine_clients/native/build/system"
    reader = build / "bench/bench_reader"
    return reader if reader.exists() else None


def bench_transport(
    *,
    frames: int = 600,
    rate_hz: float = 60.0,
    size_px: int = 512,
    reader: Path | None = None,
    advance: Advance = lambda _: None,
) -> dict[str, object]:
    """Measure all transports, one after the other.

    Args:
        frames: how many.
        rate_hz: how often.
        size_px: edge of a frame.
        reader: the native reader; None: Python reads.
        advance: called with the name of each part that begins.

    Returns:
        For each of floor (native only), ring, ring_zero_copy (native only: lent in place and given
        back whole, not copied), zmq, grpc, iceoryx2 (where installed, read by Python): `_p50_us`,
        `_p95_us`, `_p99_us`, publish until copied; `_reader_cpu_us` per frame, `_publish_cpu_us`,
        median CPU time of a publication; `_lost` frames. For ring against floor, which take turns,
        `ring_per_floor_*`. `ring_8_*`: with eight readers at once, `ring_8_per_1_publish_cpu`.
        `latent_zmq_bytes_per_sec`, `latent_grpc_bytes_per_sec` (native only): messages of a
        latent-only stream of 40 a second.
    """
    load = Load(frames, rate_hz, size_px)
    ways: dict[str, OpenWay] = {"zmq": zmq_way, "grpc": grpc_way}
    shared: dict[str, OpenWay] = {"ring": ring_way}
    if reader is not None:
        shared = {"floor": floor_way, **shared, "ring_zero_copy": zero_copy_way}
    if bench_iceoryx2.is_installed():
        ways["iceoryx2"] = iceoryx2_way
    metrics: dict[str, object] = {"reader": "python" if reader is None else "native"}
    rounds: dict[str, list[Taken]] = {name: [] for name in shared}
    part = Load(-(-frames // NUM_ROUNDS), rate_hz, size_px)
    for _ in range(NUM_ROUNDS):
        for name, open_way in shared.items():
            advance(name)
            rounds[name].append(_measure(name, open_way, part, reader))
    for name, open_way in ways.items():
        advance(name)
        rounds[name] = [_measure(name, open_way, load, reader)]
    measured = {name: _figures(taken) for name, taken in rounds.items()}
    for name, figures in measured.items():
        metrics |= {f"{name}_{key}": value for key, value in figures.items()}
    if "floor" in measured:
        for key in MIN_RATIO_OF:
            metrics[f"ring_per_floor_{key}"] = measured["ring"][key] / measured["floor"][key]
    advance(f"ring with {NUM_MANY} readers")
    many = _figures([_measure("ring", ring_way, load, reader, num_readers=NUM_MANY)])
    metrics |= {f"ring_{NUM_MANY}_{key}": value for key, value in many.items()}
    alone = measured["ring"]["publish_cpu_us"]
    metrics[f"ring_{NUM_MANY}_per_1_publish_cpu"] = many["publish_cpu_us"] / alone
    for name in ("zmq", "grpc") if reader is not None else ():
        advance(f"latents over {name}")
        thin = Load(max(frames // 5, 8), LATENT_RATE_HZ, 0)
        stream = _figures([_measure(name, ways[name], thin, reader)])
        metrics[f"latent_{name}_bytes_per_sec"] = stream["bytes_per_frame"] * LATENT_RATE_HZ
    return metrics


def _measure(
    name: str, open_way: OpenWay, load: Load, reader: Path | None, num_readers: int = 1
) -> Taken:
    """Publish at a steady rate to reader processes and gather what they measured."""
    with open_way(load.size_px, load.rate_hz) as way:
        command = [sys.executable, "-m", "avatar_service.transports.bench_reader", *way.python]
        if reader is not None and way.native:
            command = [str(reader), *way.native]
        command.append(str(load.frames))
        readers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(num_readers)
        ]
        try:
            for each in readers:
                if each.stdout is None or each.stdout.readline().strip() != "ready":
                    raise RuntimeError(f"the {name} reader did not start")
            time.sleep(SUBSCRIBE_SECS)
            publish_us = _publish(way, load)
            outputs = [each.communicate(timeout=60)[0] for each in readers]
        finally:
            for each in readers:
                each.kill()
                each.wait()
    results: list[dict[str, Any]] = [json.loads(out.splitlines()[-1]) for out in outputs if out]
    latencies = [latency for result in results for latency in result["latencies_us"]]
    if len(results) < num_readers or not latencies:
        raise RuntimeError(f"{name}: no frame arrived")
    return Taken(
        latencies,
        sum(result["cpu_secs"] for result in results),
        sum(result["num_bytes"] for result in results),
        publish_us,
        num_readers * load.frames,
    )


def _figures(rounds: list[Taken]) -> dict[str, float]:
    """Return the figures of all rounds together."""
    latencies = np.concatenate([taken.latencies_us for taken in rounds])
    return {
        **{f"p{q}_us": float(np.percentile(latencies, q)) for q in (50, 95, 99)},
        "reader_cpu_us": sum(taken.cpu_secs for taken in rounds) / len(latencies) * 1e6,
        "publish_cpu_us": statistics.median(us for taken in rounds for us in taken.publish_us),
        "bytes_per_frame": sum(taken.num_bytes for taken in rounds) / len(latencies),
        "lost": float(sum(taken.num_sent for taken in rounds) - len(latencies)),
    }


def _publish(way: Way, load: Load) -> list[float]:
    """Publish all frames; CPU time of this thread for each, microseconds."""
    pixels = None
    if load.size_px:
        shape = (load.size_px, load.size_px, 4)
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    spent = []
    next_at = time.monotonic()
    for seq in range(1, load.frames + 1):
        started = time.thread_time_ns()
        way.publish(MotionFrame(pts_nanos=seq, seq=seq), pixels)
        spent.append((time.thread_time_ns() - started) / 1e3)
        next_at += 1 / load.rate_hz
        time.sleep(max(next_at - time.monotonic(), 0.0))
    return spent
