"""Forced alignment of real speech with its transcript by pocketsphinx.

The acoustic model is English. Other languages are aligned by the English sounds nearest to theirs:
lips that meet and part sound much the same in all.

Two passes: words over the whole clip with wide beams, then phones within pieces of at most 2.5 s
cut at word boundaries (the phone pass fails on long stretches). A piece that fails is halved; a
word that fails is labelled UNKNOWN and masked in training.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.motion.phones import TimedPhone, canonical_phones
from avatar_service.motion.visemes import UNKNOWN

_FRAME_SECS: Final = 0.01
_FRAME_BYTES: Final = 320
_MAX_PIECE_FRAMES: Final = 250
_BEAMS: Final = ((1e-80, 1e-60, 1e-80), (1e-140, 1e-110, 1e-140))
ALIGNMENT_BIAS_SECS: Final = 0.009
"""pocketsphinx's phones run this much early, measured against synthetic speech of exact labels."""

_FLITE_TO_CMU: Final = {"AX": "AH"}
_NEAREST_CMU: Final = {
    "AX": "AH", "EE": "EY", "OO": "OW", "OE": "ER", "UE": "UW", "RX": "R", "DX": "D", "X": "HH",
    "CX": "HH", "TS": "T S", UNKNOWN: "AH",
}  # fmt: skip
"""Canonical phones that the acoustic model lacks -> those that sound most alike."""
_Word = tuple[str, int, int]
_Spelling = Mapping[str, Sequence[str]]
"""Words -> their sounds in the model's phones, for words that no dictionary holds."""


def _model() -> Path:
    import pocketsphinx

    return Path(pocketsphinx.get_model_path()) / "en-us"


def _dictionary_path() -> Path:
    return _model() / "cmudict-en-us.dict"


@cache
def _dictionary() -> dict[str, list[str]]:
    lines = _dictionary_path().read_text(encoding="utf-8").splitlines()
    return {word: phones for word, *phones in (line.split() for line in lines)}


def _spell(word: str) -> str:
    """Pronounce a word that the dictionary lacks by flite's letter-to-sound rules."""
    done = subprocess.run(
        ["flite", "-voice", "kal", "-ps", "-t", word, "none"],
        capture_output=True,
        text=True,
        check=True,
    )
    phones = [_FLITE_TO_CMU.get(p.upper(), p.upper()) for p in done.stdout.split()]
    return " ".join(p for p in phones if p != "PAU")


def normalise(text: str) -> list[str]:
    """Split a transcript into lower-case words as the dictionary spells them."""
    text = text.lower().replace("\u2019", "'").replace("\u2014", " ").replace("-", " ")
    text = re.sub(r"\bmr\.", "mister", text)
    text = re.sub(r"\bmrs\.", "misses", text)
    words = re.sub(r"[^a-z' ]+", " ", text).split()
    return [word.strip("'") for word in words if word.strip("'")]


def _english(words: list[str]) -> _Spelling:
    return {word: _spell(word).split() for word in set(words) if word not in _dictionary()}


def _decoder(spelling: _Spelling, dictionary: Path, beams: tuple[float, float, float]) -> Any:
    import pocketsphinx

    decoder = pocketsphinx.Decoder(
        hmm=str(_model() / "en-us"),
        dict=str(dictionary),
        lm=None,
        loglevel="FATAL",
        beam=beams[0],
        wbeam=beams[1],
        pbeam=beams[2],
    )
    for word in sorted(spelling):
        decoder.add_word(word, " ".join(spelling[word]), True)
    return decoder


def _hear(decoder: Any, raw: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(raw, full_utt=True)
    decoder.end_utt()


def _find_words(decoder: Any, raw: bytes) -> bool:
    """Run the word pass; (asking for a hypothesis after the phone pass would crash)."""
    _hear(decoder, raw)
    return decoder.hyp() is not None


def _is_word(word: str) -> bool:
    return word[0] not in "<["


def symbols(word: Any, meant: _Spelling) -> list[tuple[str, Any]]:
    """The phones of an aligned word, by the names that they were meant to have."""
    phones = list(word)
    names = meant.get(word.name) or [phone.name for phone in phones]
    return list(zip(names, phones, strict=True))


def _align_piece(
    decoder: Any, raw: bytes, piece: list[_Word], meant: _Spelling, depth: int = 0
) -> list[TimedPhone]:
    first, last = piece[0][1], piece[-1][2]
    spoken = [word for word, _, _ in piece if _is_word(word)]
    if not spoken:
        return [TimedPhone(first * _FRAME_SECS, last * _FRAME_SECS, "SIL")]
    for padding in (2, 6, 0):
        start = max(0, first - (padding if depth else 0))
        part = raw[start * _FRAME_BYTES : (last + padding) * _FRAME_BYTES]
        try:
            decoder.set_align_text(" ".join(spoken))
            if not _find_words(decoder, part):
                continue
            decoder.set_alignment()
            _hear(decoder, part)
            phones = [
                TimedPhone(
                    max(first, phone.start + start) * _FRAME_SECS,
                    min(last, phone.start + phone.duration + start) * _FRAME_SECS,
                    name,
                )
                for word in decoder.get_alignment()
                for name, phone in symbols(word, meant)
            ]
        except RuntimeError:  # pocketsphinx: the phone pass found no path with this padding
            continue
        return [phone for phone in phones if phone.end_secs > phone.start_secs]
    if len(piece) == 1:
        return [TimedPhone(first * _FRAME_SECS, last * _FRAME_SECS, UNKNOWN)]
    middle = len(piece) // 2
    return _align_piece(decoder, raw, piece[:middle], meant, depth + 1) + _align_piece(
        decoder, raw, piece[middle:], meant, depth + 1
    )


def align(samples: np.ndarray, text: str) -> list[TimedPhone] | None:
    """Align speech with its transcript.

    Args:
        samples: (n,) int16, 16 kHz mono.
        text: what is said, English.

    Returns:
        Canonical phones with the aligner's bias removed; None where no path was found.
    """
    phones = align_arpabet(samples, text)
    return None if phones is None else canonical_phones(phones, "arpabet")


def align_arpabet(samples: np.ndarray, text: str) -> list[TimedPhone] | None:
    """Align as `align` does and keep the dictionary's own symbols, and UNKNOWN."""
    words = normalise(text)
    return _align(samples, words, _english(words), _dictionary_path())


def align_pronounced(
    samples: np.ndarray, words: Sequence[Sequence[str]]
) -> list[TimedPhone] | None:
    """Align speech of any language with its sounds.

    Args:
        samples: (n,) int16, 16 kHz mono.
        words: the canonical phones of each word.

    Returns:
        Canonical phones with the aligner's bias removed; None where no path was found.
    """
    spelling: dict[str, list[str]] = {}
    meant: dict[str, list[str]] = {}
    for number, phones in enumerate(words):
        pairs = [(cmu, p) for p in phones for cmu in _NEAREST_CMU.get(p, p).split()]
        spelling[f"w{number}"] = [cmu for cmu, _ in pairs]
        meant[f"w{number}"] = [phone for _, phone in pairs]
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as nothing:
        return _align(samples, list(spelling), spelling, Path(nothing.name), meant)


def _align(
    samples: np.ndarray,
    words: list[str],
    spelling: _Spelling,
    dictionary: Path,
    meant: _Spelling | None = None,
) -> list[TimedPhone] | None:
    if not words:
        return None
    raw = samples.astype("<i2").tobytes() + b"\0" * (20 * _FRAME_BYTES)
    for beams in _BEAMS:
        decoder = _decoder(spelling, dictionary, beams)
        decoder.set_align_text(" ".join(words))
        try:
            found = _find_words(decoder, raw)
        except RuntimeError:  # pocketsphinx: no path within these beams
            continue
        if not found:
            continue
        spans: list[_Word] = [
            (re.sub(r"\(\d+\)", "", s.word), s.start_frame, s.end_frame + 1)
            for s in decoder.seg()
            if not s.word.startswith("(")
        ]
        if [word for word, _, _ in spans if _is_word(word)] != words:
            continue
        return _unbiased(_phones(decoder, raw, spans, meant or {}))
    return None


def _phones(decoder: Any, raw: bytes, spans: list[_Word], meant: _Spelling) -> list[TimedPhone]:
    pieces: list[list[_Word]] = [[]]
    for span in spans:
        if pieces[-1] and span[2] - pieces[-1][0][1] > _MAX_PIECE_FRAMES:
            pieces.append([])
        pieces[-1].append(span)
    return [phone for piece in pieces for phone in _align_piece(decoder, raw, piece, meant)]


def _unbiased(phones: list[TimedPhone]) -> list[TimedPhone]:
    return [
        TimedPhone(p.start_secs + ALIGNMENT_BIAS_SECS, p.end_secs + ALIGNMENT_BIAS_SECS, p.symbol)
        for p in phones
    ]
