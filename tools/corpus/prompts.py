"""Make labelled evaluation speech from telephone prompts that a person recorded.

    apt-get download asterisk-core-sounds-en asterisk-core-sounds-en-g722
    for package in asterisk-core-sounds-en*.deb; do dpkg -x $package prompts; done
    python -m tools.corpus.prompts --sounds prompts/usr/share/asterisk/sounds/en_US_f_Allison \
        --transcripts prompts/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz

Ten minutes of one voice in a studio (Allison Smith, CC BY-SA 3.0), whom no net of this project was
trained on. pocketsphinx labels them, as it does the other human clips.
"""

from __future__ import annotations

import argparse
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
from rich.progress import track

from avatar_service.errors import AvatarError, Reason
from tools.corpus.clips import write_clip
from tools.corpus.fit import whole_label
from tools.corpus.store import SAMPLE_RATE_HZ

_SHORTEST: Final = 55
"""Letters; shorter prompts are single words."""
_NOT_AS_WRITTEN: Final = re.compile(r"[(\[*@#]|www|PBX|IVR|IAX|\d\d|\d\.")
"""Signs that somebody reads in a way of his own."""
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def read_transcripts(
    path: Path, shortest: int = _SHORTEST, digits: tuple[str, ...] | None = _DIGITS
) -> Iterator[tuple[str, str]]:
    """Yield the name and the words of each prompt that is long enough and read as it is written.

    Args:
        path: gzip'd lines of `name: words`; `;` begins a remark.
        shortest: letters.
        digits: words of the digits; None leaves digits as they are.

    Raises:
        AvatarError: INVALID_FILE where it cannot be read.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as fault:
        raise AvatarError(
            Reason.INVALID_FILE, f"transcripts {path} cannot be read: {fault}"
        ) from fault
    for line in content.decode("utf-8", "replace").splitlines():
        name, colon, text = line.partition(":")
        text = text.strip()
        if line.startswith(";") or not colon or len(text) < shortest:
            continue
        if _NOT_AS_WRITTEN.search(text):
            continue
        if digits:
            text = re.sub(r"\d", lambda digit: f" {digits[int(digit[0])]} ", text)
        yield name.strip(), text


def read_g722(path: Path) -> np.ndarray:
    """Read a sound whole: (n,) int16, 16 kHz."""
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.int16)


def main() -> None:
    """Write NAME.wav with NAME.json and NAME.txt beside it."""
    parser = argparse.ArgumentParser(description="Make evaluation speech from recorded prompts.")
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--transcripts", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("corpus/prompts"))
    options = parser.parse_args()
    try:
        transcripts = list(read_transcripts(options.transcripts))
    except AvatarError as fault:
        parser.error(fault.message)
    if not any((options.sounds / f"{name}.g722").exists() for name, _ in transcripts):
        parser.error(f"sounds {options.sounds} holds no NAME.g722 of these transcripts")
    options.out.mkdir(parents=True, exist_ok=True)
    secs, count = 0.0, 0
    for name, text in track(transcripts, "prompts"):
        sound = options.sounds / f"{name}.g722"
        if not sound.exists():
            continue
        samples = read_g722(sound)
        phones = whole_label(samples, text)
        if phones is None:
            continue
        path = options.out / f"prompt_{name.replace('/', '_')}.wav"
        write_clip(path, samples, SAMPLE_RATE_HZ, text, phones)
        secs, count = secs + len(samples) / SAMPLE_RATE_HZ, count + 1
    print(f"{count} prompts, {secs:.0f} s in {options.out}")


if __name__ == "__main__":
    main()
