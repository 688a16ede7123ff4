"""Motion of the same speech by the compiled networks and by those on a device."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from avatar_service.motion.device_nets import DeviceNets
from avatar_service.motion.labelled import own_clip
from avatar_service.motion.stage import MotionStage, compute_together
from avatar_service.signals import AudioChunk, Controls, MotionFrame

_CHUNK = 800
_RATE = Fraction(40)
_LOOKAHEAD_NANOS = 40_000_000


def spoken(secs: float, start_secs: float = 0.0) -> Iterator[AudioChunk]:
    """The demonstration's speech in chunks of 50 ms."""
    samples = own_clip().samples[round(start_secs * 16000) :][: round(secs * 16000)]
    for start in range(0, len(samples) - _CHUNK + 1, _CHUNK):
        yield AudioChunk(samples[start : start + _CHUNK], start * 62500)


def largest_differences(nets: DeviceNets) -> tuple[float, float, float]:
    """Compare three sessions that speak at once: expression, head and gaze."""
    controls = [Controls(seed=k) for k in range(3)]
    compiled = [MotionStage(_RATE, one, lookahead_nanos=_LOOKAHEAD_NANOS) for one in controls]
    on_device = [nets.stage(_RATE, one, _LOOKAHEAD_NANOS) for one in controls]
    pairs = [
        (a, b)
        for of_one, of_other in zip(_frames(compiled), _frames(on_device), strict=True)
        for a, b in zip(of_one, of_other, strict=True)
    ]
    expression, head, gaze = (
        max(float(np.abs(np.subtract(getattr(a, name), getattr(b, name))).max()) for a, b in pairs)
        for name in ("expression", "head_rotation", "gaze")
    )
    return expression, head, gaze


def _frames(stages: list[MotionStage]) -> list[list[MotionFrame]]:
    frames: list[list[MotionFrame]] = [[] for _ in stages]
    for chunks in zip(*(spoken(5, 0.5 * k) for k in range(len(stages))), strict=False):
        for stage, chunk in zip(stages, chunks, strict=True):
            stage.push(chunk)
        compute_together(stages)
        for stage, of_stage in zip(stages, frames, strict=True):
            of_stage += stage.pull()
    assert all(len(one) > 150 for one in frames)
    return frames
