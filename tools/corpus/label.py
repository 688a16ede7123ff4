"""Label clips of English speech whose words are known, for `avatar bench motion`.

    python -m tools.corpus.label CLIPS --out corpus/labelled

reads NAME.wav or NAME.flac with NAME.txt beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import track

from avatar_service.motion.visemes import UNKNOWN
from tools.corpus.align import align_arpabet
from tools.corpus.clips import read_clip, write_clip
from tools.corpus.store import SAMPLE_RATE_HZ


def main() -> None:
    """Write NAME.wav with NAME.json and NAME.txt beside it."""
    parser = argparse.ArgumentParser(description="Label clips whose words are known.")
    parser.add_argument("clips", type=Path, help="folder of NAME.wav or NAME.flac, and NAME.txt")
    parser.add_argument("--out", type=Path, default=Path("corpus/labelled"))
    options = parser.parse_args()
    sounds = [*options.clips.glob("*.wav"), *options.clips.glob("*.flac")]
    spoken = [(path, path.with_suffix(".txt")) for path in sorted(sounds)]
    spoken = [(path, text) for path, text in spoken if text.exists()]
    if not spoken:
        parser.error(f"{options.clips} holds no NAME.wav or NAME.flac with NAME.txt beside it")
    options.out.mkdir(parents=True, exist_ok=True)
    for path, transcript in track(spoken, "clips"):
        try:
            samples = read_clip(path)
            text = transcript.read_text(encoding="utf-8").strip()
        except (RuntimeError, UnicodeDecodeError) as fault:
            parser.error(f"{path} or its text cannot be read: {fault}")
        phones = align_arpabet(samples, text)
        if phones is None or any(phone.symbol == UNKNOWN for phone in phones):
            print(f"{path.name}: left out, the words do not go with the sound")
            continue
        write_clip(options.out / f"{path.stem}.wav", samples, SAMPLE_RATE_HZ, text, phones)


if __name__ == "__main__":
    main()
