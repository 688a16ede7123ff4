"""flite and festival as programs: speech with the end time of every segment.

flite (BSD-like) prints its segments with `-psdur`; festival (BSD-like) saves them per utterance.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone
from tools.corpus.espeak import Speech

FLITE_VOICES: Final = ("awb", "rms", "kal16")
"""Voices for training; `slt` is held out for evaluation."""
FESTIVAL_VOICES: Final = ("kal_diphone", "ked_diphone")

_MEAN_F0_HZ: Final = {"awb": 120.0, "rms": 100.0, "kal16": 110.0, "slt": 180.0}


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE, f"the program {name} was not found; apt install {name}"
        )
    return path


def _read(path: Path) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(path, dtype="float32")
    return samples, int(rate)


def flite(text: str, voice: str, *, stretch: float = 1.0, pitch: float = 1.0) -> Speech | None:
    """Speak a text with flite.

    Args:
        text: plain text.
        voice: a built-in voice.
        stretch: factor on all durations.
        pitch: factor on the voice's mean F0.

    Returns:
        None where flite said nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "speech.wav"
        f0 = f"int_f0_target_mean={pitch * _MEAN_F0_HZ.get(voice, 120.0):.1f}"
        command = [_program("flite"), "-voice", voice, "-psdur"]
        command += ["--setf", f"duration_stretch={stretch:.3f}", "--setf", f0]
        done = subprocess.run(
            [*command, "-t", text, "-o", str(wave)], capture_output=True, text=True, check=True
        )
        samples, rate = _read(wave)
    phones: list[TimedPhone] = []
    start = 0.0
    for token in done.stdout.split():
        symbol, _, end_text = token.rpartition(":")
        end = float(end_text)
        if end < start:  # a second utterance restarts its own clock: the sum is not recoverable
            return None
        phones.append(TimedPhone(start, end, symbol))
        start = end
    return Speech(samples, rate, phones) if phones and len(samples) else None


def festival(texts: Sequence[str], voice: str, stretches: Sequence[float]) -> list[Speech]:
    """Speak many texts with one start of festival.

    Args:
        texts: plain texts.
        voice: name of an installed voice, without `voice_`.
        stretches: factor on durations, one per text.
    """
    spoken: list[Speech] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lines = [f"(voice_{voice})"]
        for number, (text, stretch) in enumerate(zip(texts, stretches, strict=True)):
            quoted = text.replace("\\", " ").replace('"', " ")
            lines += [
                f"(Parameter.set 'Duration_Stretch {stretch:.3f})",
                f'(set! u (utt.synth (Utterance Text "{quoted}")))',
                f'(utt.save.wave u "{root / f"{number}.wav"}" \'riff)',
                f'(utt.save.segs u "{root / f"{number}.seg"}")',
            ]
        script = root / "speak.scm"
        script.write_text("\n".join(lines), encoding="utf-8")
        subprocess.run([_program("festival"), "-b", str(script)], capture_output=True, check=False)
        for number in range(len(texts)):
            wave, segments = root / f"{number}.wav", root / f"{number}.seg"
            if not (wave.exists() and segments.exists()):
                continue  # one bad utterance stops festival's batch; the rest is made anew
            samples, rate = _read(wave)
            phones = _read_segments(segments)
            if phones and len(samples):
                spoken.append(Speech(samples, rate, phones))
    return spoken


def _read_segments(path: Path) -> list[TimedPhone]:
    phones: list[TimedPhone] = []
    start = 0.0
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if len(parts) == 3:
            end = float(parts[0])
            phones.append(TimedPhone(start, end, parts[2]))
            start = end
    return phones
