"""Labelled clips as `avatar bench motion` reads them: NAME.wav, NAME.json and NAME.txt."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from avatar_service.motion.phones import TimedPhone
from tools.corpus.store import SAMPLE_RATE_HZ


def read_clip(path: Path) -> np.ndarray:
    """Read a sound as it is: (n,) int16, 16 kHz, one channel.

    Raises:
        RuntimeError: libsndfile cannot read it.
    """
    sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate_hz, SAMPLE_RATE_HZ)
    return np.asarray(np.clip(mono, -1, 1) * 32767).astype(np.int16)


def write_clip(
    path: Path, samples: np.ndarray, rate_hz: int, text: str, phones: Iterable[TimedPhone]
) -> None:
    """Write a clip and what is said in it.

    Args:
        path: NAME.wav; the others go beside it.
        samples: (n,) int16, or float32 in -1..1.
        rate_hz: of the samples.
        text: what is said.
        phones: with times, in ARPABET.
    """
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")
    path.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    labels = {
        "alphabet": "arpabet",
        "bias_secs": 0.0,
        "phones": [[p.start_secs, p.end_secs, p.symbol] for p in phones],
    }
    path.with_suffix(".json").write_text(json.dumps(labels) + "\n", encoding="utf-8")
