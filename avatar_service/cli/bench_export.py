"""How fast motion is written: speech to file, and each writer alone."""

from __future__ import annotations

import tempfile
import time
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from avatar_service.cli.motion_source import motion_frames
from avatar_service.cli.report import Metrics
from avatar_service.export.formats import FORMATS, export_motion
from avatar_service.motion.generators import MOTION_MODELS
from avatar_service.signals import Controls, MotionFrame

_RATE = Fraction(30)


def _write_speech(path: Path, seconds: float) -> None:
    """Syllables of a buzzing voice at 4 Hz, as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        for k in range(round(seconds)):
            now = np.arange(16_000) / 16_000 + k
            voice = sum(np.sin(2 * np.pi * 120 * h * now) / h for h in range(1, 12))
            samples = 0.1 * np.clip(np.sin(2 * np.pi * 4 * now), 0, 1) * voice
            file.writeframes((samples * 32_767).astype("<i2").tobytes())


def _motion(path: Path, motion_model: str = "mixed") -> Iterator[MotionFrame]:
    return motion_frames(path, rate=_RATE, controls=Controls(motion_model=motion_model))


def bench_exports(seconds: float) -> Metrics:
    """Measure; "x" is seconds of motion per second of one core at 30 keyframes per second."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "speech.wav"
        _write_speech(sound, 2.0)
        for model in MOTION_MODELS:
            list(_motion(sound, model))  # compiles and loads
        _write_speech(sound, seconds)
        for model in MOTION_MODELS:
            began = time.process_time()
            export_motion(Path(folder) / "speech.csv", _motion(sound, model), _RATE)
            spent = time.process_time() - began
            figures[f"speech_to_livelink_x.{model}"] = round(seconds / spent, 1)
        frames = list(_motion(sound))
        for row in FORMATS:
            suffix = row.suffixes[0] if row.suffixes else ".json"
            path = Path(folder) / f"motion{suffix}"
            began = time.process_time()
            export_motion(path, frames, _RATE, format_name=row.name)
            spent = time.process_time() - began
            figures[f"write_x.{row.name}"] = round(seconds / spent, 1)
    return figures
