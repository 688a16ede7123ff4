"""Label clips of English speech whose words are known, for `avatar bench motion`.

    python -m tools.corpus.label CLIPS --out corpus/labelled
    python -m tools.corpus.label --held-out PACKAGES --out corpus/actors

The first reads NAME.wav or NAME.flac with NAME.txt beside it, the second takes the actors whom
training never hears from the packages of tools.corpus.recordings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.progress import track

from tools.corpus import recordings
from tools.corpus.clips import read_clip, write_clip
from tools.corpus.fit import whole_label
from tools.corpus.store import SAMPLE_RATE_HZ

_Clip = tuple[str, np.ndarray, str]
"""Name, (n,) int16 samples, and what is said."""


def _clips(folder: Path) -> Iterator[_Clip]:
    for path in sorted([*folder.glob("*.wav"), *folder.glob("*.flac")]):
        transcript = path.with_suffix(".txt")
        if transcript.exists():
            try:
                text = transcript.read_text(encoding="utf-8").strip()
                yield path.stem, read_clip(path), text
            except (RuntimeError, UnicodeDecodeError) as fault:
                raise SystemExit(f"{path} or its text cannot be read: {fault}") from None


def _held_out(packages: Path) -> Iterator[_Clip]:
    for number, recording in enumerate(recordings.held_out(packages)):
        samples = recordings.with_room(recordings.read_mono(recording.sound))
        yield f"{recording.voice}_{number:03d}", samples, recording.text


def main() -> None:
    """Write NAME.wav with NAME.json and NAME.txt beside it."""
    parser = argparse.ArgumentParser(description="Label clips whose words are known.")
    parser.add_argument("clips", type=Path, nargs="?", help="folder of NAME.wav and NAME.txt")
    parser.add_argument("--held-out", type=Path, metavar="PACKAGES", help="unpacked, see above")
    parser.add_argument("--out", type=Path, default=Path("corpus/labelled"))
    options = parser.parse_args()
    if bool(options.clips) == bool(options.held_out):
        parser.error("needed: CLIPS or --held-out PACKAGES")
    try:
        spoken = list(_clips(options.clips) if options.clips else _held_out(options.held_out))
    except ValueError as fault:
        parser.error(str(fault))
    if not spoken:
        where = options.clips or options.held_out
        parser.error(f"{where} holds no NAME.wav or NAME.flac with NAME.txt beside it, and no game")
    options.out.mkdir(parents=True, exist_ok=True)
    left_out = 0
    for name, samples, text in track(spoken, "clips"):
        phones = whole_label(samples, text)
        if phones is None:
            left_out += 1
        else:
            write_clip(options.out / f"{name}.wav", samples, SAMPLE_RATE_HZ, text, phones)
    print(f"{len(spoken) - left_out} clips labelled; the words of {left_out} do not go with them")


if __name__ == "__main__":
    main()
