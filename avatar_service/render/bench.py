"""How long a frame takes, in all and per stage."""

from __future__ import annotations

import math
import time
from typing import Final

import numpy as np

from avatar_service.portrait.portrait import Portrait
from avatar_service.render.cpu import STAGES, CpuRenderer
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame

_SPOKEN: Final = ("jawOpen", "mouthPucker", "mouthLowerDownLeft", "mouthLowerDownRight")
_OTHERS: Final = ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "cheekSquintLeft")


def moving_frame(index: int) -> MotionFrame:
    """Return one frame of a talking, turning, blinking head."""
    phase = index / 40
    expression = np.zeros(NUM_EXPRESSIONS, np.float32)
    for i, name in enumerate(_SPOKEN):
        expression[EXPRESSION_INDEX[name]] = 0.25 + 0.25 * math.sin(9 * phase + i)
    for i, name in enumerate(_OTHERS):
        expression[EXPRESSION_INDEX[name]] = 0.2 + 0.2 * math.sin(2 * phase + i)
    blink = max(0.0, math.sin(3 * phase)) ** 8
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        expression[EXPRESSION_INDEX[name]] = blink
    turn = [0.2 * math.sin(phase), 0.1 * math.sin(1.7 * phase), 0.1 * math.sin(1.3 * phase)]
    gaze = [0.2 * math.sin(2 * phase), 0.1 * math.cos(2 * phase)]
    return MotionFrame(
        pts_nanos=index * 25_000_000,
        seq=index,
        expression=expression,
        head_rotation=np.array(turn, np.float32),
        head_translation=np.array([0.02 * math.sin(phase), 0, 0.2 * math.sin(phase)], np.float32),
        gaze=np.array([gaze, gaze], np.float32),
    )


def bench_render(
    portrait: Portrait, frames: int = 200, size_px: int = 512
) -> dict[str, float | dict[str, float]]:
    """Render a moving head and measure.

    Returns:
        frame_ms_p50, frame_ms_p99, and stage_ms (median per stage of cpu.STAGES), milliseconds
        of wall time on one core; frame_cpu_ms_p50, the thread's own time, which says more on a
        busy machine.
    """
    renderer = CpuRenderer(portrait, size_px)
    renderer.warm_up()
    out = np.zeros((size_px, size_px, 4), np.uint8)
    totals = np.empty(frames)
    cpu = np.empty(frames)
    stages = np.empty((frames, len(STAGES)))
    for i in range(frames):
        motion = moving_frame(i)
        start, cpu_start = time.perf_counter_ns(), time.thread_time_ns()
        renderer.render(motion, out)
        cpu[i] = (time.thread_time_ns() - cpu_start) / 1e6
        totals[i] = (time.perf_counter_ns() - start) / 1e6
        nanos = renderer.stage_nanos
        stages[i] = [nanos[stage] / 1e6 for stage in STAGES]
    medians = np.median(stages, axis=0)
    return {
        "frame_ms_p50": float(np.percentile(totals, 50)),
        "frame_ms_p99": float(np.percentile(totals, 99)),
        "frame_cpu_ms_p50": float(np.percentile(cpu, 50)),
        "stage_ms": {name: float(value) for name, value in zip(STAGES, medians, strict=True)},
    }
