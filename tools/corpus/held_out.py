"""Make labelled evaluation speech with a voice that training never hears (flite's slt).

python -m tools.corpus.held_out --out corpus/held_out --clips 20
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Final

from tools.corpus import festival, texts
from tools.corpus.clips import write_clip

_VOICE: Final = "slt"


def main() -> None:
    """Write NAME.wav with NAME.json and NAME.txt beside it."""
    parser = argparse.ArgumentParser(description="Make held-out evaluation speech.")
    parser.add_argument("--out", type=Path, default=Path("corpus/held_out"))
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    draw = random.Random(f"held out/{options.seed}")
    for number in range(options.clips):
        text = " ".join(texts.english_line(draw) for _ in range(2))
        speech = festival.flite(text, _VOICE, stretch=draw.uniform(0.85, 1.15))
        if speech is None:
            continue
        path = options.out / f"{_VOICE}_{number:03d}.wav"
        write_clip(path, speech.samples, speech.sample_rate_hz, text, speech.phones)


if __name__ == "__main__":
    main()
