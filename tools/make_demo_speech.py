"""Make the speech of `avatar demo` with flite, and its exact phone labels.

    python -m tools.make_demo_speech

The samples are those of

    flite -voice slt -psdur --setf duration_stretch=1.08 -t "TEXT" -o speech.wav

scaled to a peak of 0.8, with a quarter of a second of silence around them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from avatar_service.errors import AvatarError, Reason
from tools.corpus import festival

TEXT: Final = (
    "Hello, and welcome! A moment ago I was only a photograph. "
    "Now I can speak, blink and look around. "
    "Put me in your game, and I will help your players find their way home."
)
_STRETCH: Final = 1.08
_PEAK: Final = 0.8
_SILENCE_SECS: Final = 0.25


def main() -> None:
    """Write demo_speech.wav and demo_speech.json."""
    parser = argparse.ArgumentParser(description="Make the demonstration's speech.")
    parser.add_argument("--out", type=Path, default=Path("avatar_service/data"))
    options = parser.parse_args()
    speech = festival.flite(TEXT, "slt", stretch=_STRETCH)
    if speech is None or speech.sample_rate_hz != 16000:
        raise AvatarError(Reason.BUG, "flite's voice slt gave no 16 kHz speech with labels")
    silence = np.zeros(int(_SILENCE_SECS * 16000), np.float32)
    samples = speech.samples / np.abs(speech.samples).max() * _PEAK
    options.out.mkdir(parents=True, exist_ok=True)
    wave = options.out / "demo_speech.wav"
    soundfile.write(wave, np.concatenate([silence, samples, silence]), 16000, subtype="PCM_16")
    rows = [
        [round(p.start_secs + _SILENCE_SECS, 4), round(p.end_secs + _SILENCE_SECS, 4), p.symbol]
        for p in speech.phones
    ]
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = json.dumps(TEXT)
    wave.with_suffix(".json").write_text(
        f'{{\n "text": {text},\n "alphabet": "arpabet",\n "bias_secs": 0.0,\n "phones": [\n'
        f"{lines}\n ]\n}}\n",
        encoding="utf-8",
    )
    print(f"{wave}: {len(samples) / 16000 + 2 * _SILENCE_SECS:.2f} s")


if __name__ == "__main__":
    main()
