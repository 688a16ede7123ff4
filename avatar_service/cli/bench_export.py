"""How fast motion is written: speech to file, and each writer alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from avatar_service.cli.report import Metrics
from avatar_service.export.formats import FORMATS, export_motion
from avatar_service.motion.stage import MotionStage
from avatar_service.signals import AudioChunk, Controls, MotionFrame

_RATE = Fraction(30)


def _speech_like(seconds: float) -> Iterator[AudioChunk]:
    """Syllables of a buzzing voice at 4 Hz, in chunks of 0.1 s."""
    t = np.arange(1600) / 16_000
    for k in range(round(seconds * 10)):
        now = t + k / 10
        envelope = np.clip(np.sin(2 * np.pi * 4 * now), 0, 1)
        voice = sum(np.sin(2 * np.pi * 120 * h * now) / h for h in range(1, 12))
        samples = (0.1 * envelope * voice).astype(np.float32)
        yield AudioChunk(samples, k * 100_000_000)


def _motion(seconds: float) -> Iterator[MotionFrame]:
    stage = MotionStage(_RATE, Controls())
    for chunk in _speech_like(seconds):
        stage.push(chunk)
        yield from stage.pull()


def bench_exports(seconds: float) -> Metrics:
    """Measure; "x" is seconds of motion per second of one core at 30 keyframes per second."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        list(_motion(1.0))  # compiles and loads
        figures: dict[str, object] = {}
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            export_motion(Path(folder) / "speech.csv", _motion(seconds), _RATE)
            figures["speech_to_livelink_x"] = round(seconds / (time.process_time() - began), 1)
            frames = list(_motion(seconds))
            for row in FORMATS:
                suffix = row.suffixes[0] if row.suffixes else ".json"
                path = Path(folder) / f"motion{suffix}"
                began = time.process_time()
                export_motion(path, frames, _RATE, format_name=row.name)
                spent = time.process_time() - began
                figures[f"write_x.{row.name}"] = round(seconds / spent, 1)
        return figures
    finally:
        torch.set_num_threads(threads)
