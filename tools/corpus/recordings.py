"""Recordings of many people with what they say, out of Debian packages that carry speech.

    apt-get download tuxpaint-stamps-default \
        asterisk-core-sounds-{fr,it,ru} asterisk-core-sounds-{fr,it,ru}-g722 \
        festvox-ru flight-of-the-amazon-queen drascula
    for package in *.deb; do dpkg -x $package packages; done
    python -m tools.corpus --out corpus --voices packages --only voices

Lips meet and part alike in all languages, and people differ more than languages do: amateurs at
their own microphones, speakers of telephone prompts in studios, the reader of a voice for Festival,
and actors of English games.
"""

from __future__ import annotations

import io
import itertools
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

from avatar_service.errors import AvatarError
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.visemes import UNKNOWN
from tools.corpus import talkies
from tools.corpus.align import align, align_pronounced
from tools.corpus.espeak import engine
from tools.corpus.fit import loud_silences
from tools.corpus.prompts import read_g722, read_transcripts
from tools.corpus.store import PEAK, SAMPLE_RATE_HZ

_STAMPS: Final = Path("usr/share/tuxpaint/stamps")
_STAMP_LANGUAGES: Final = ("bg", "ca", "el", "es", "fr", "ro", "ru")
"""One amateur each, but for French, which two read."""
_PROMPTS: Final = {"fr": "fr_CA_f_June", "it": "it_IT_m_Carlo", "ru": "ru_RU_f_IvrvoiceRU"}
_READER: Final = Path("usr/share/festival/voices/russian/msu_ru_nsh_clunits")
"""An hour and a half of novels, whose units make a voice (Shmyrev 2005)."""
_SHORTEST: Final = 14
"""Letters; single words teach little of running speech."""
_PERSON_SECS: Final = 540.0
_HERO_SECS, _SCENES_SECS, _READER_SECS = 3600.0, 3600.0, 6000.0
"""The hero of the Queen plays every mood; in its scenes some forty roles speak."""
_ROOM: Final = SAMPLE_RATE_HZ // 5
_SLOWEST, _FASTEST = 4.0, 22.0
"""Phones a second; beyond these the aligner went astray."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound and what is said in it.

    Attributes:
        sound: a file of G.722 (16 kHz) or of what libsndfile reads, or what such a file holds.
        language: of espeak-ng.
        voice: who speaks, as one word.
        enough_secs: so much of this voice teaches what it can.
    """

    sound: Path | bytes
    text: str
    language: str
    voice: str
    enough_secs: float = _PERSON_SECS


def recordings(packages: Path) -> Iterator[Recording]:
    """Yield the recordings that training hears, one voice after another.

    Args:
        packages: the folder that holds `usr`.
    """
    everything = itertools.chain(
        *(_prompts(packages, language, voice) for language, voice in _PROMPTS.items()),
        *(_stamps(packages / _STAMPS, language) for language in _STAMP_LANGUAGES),
        _read_aloud(packages / _READER),
        _acted("queen", talkies.queen_lines(packages)),
    )
    return filter(_is_long_enough, everything)


def held_out(packages: Path) -> Iterator[Recording]:
    """Yield recordings of English actors whom training never hears: those of Drascula."""
    return filter(_is_long_enough, _acted("drascula", talkies.drascula_lines(packages)))


def _is_long_enough(recording: Recording) -> bool:
    return len(recording.text) >= _SHORTEST


def _stamps(root: Path, language: str) -> Iterator[Recording]:
    for path in sorted(root.rglob(f"*_desc_{language}.ogg")):
        name = path.name.removesuffix(f"_desc_{language}.ogg")
        texts = path.with_name(f"{name}.txt")
        if not texts.exists():
            continue
        lines = texts.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            key, _, text = line.partition("=")
            if key == f"{language}.utf8":
                yield Recording(path, text.strip(), language, f"stamps_{language}")


def _prompts(packages: Path, language: str, voice: str) -> Iterator[Recording]:
    transcripts = packages / f"usr/share/doc/asterisk-core-sounds-{language}"
    path = transcripts / f"core-sounds-{language}.txt.gz"
    if not path.exists():
        return
    for name, text in read_transcripts(path, shortest=_SHORTEST, digits=None):
        sound = packages / "usr/share/asterisk/sounds" / voice / f"{name}.g722"
        if sound.exists() and "?" not in text:  # a letter lost upstream, or a question
            yield Recording(sound, text, language, f"prompts_{language}")


def _read_aloud(voice: Path) -> Iterator[Recording]:
    """Recordings of a Festival voice, by lines `( NAME "TEXT" )`; a plus marks a stress."""
    path = voice / "etc/txt.done.data"
    try:
        lines = path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError as fault:
        raise ValueError(f"{path.name} is no UTF-8: {fault}") from None
    for name, text in re.findall(r'^\( (\S+) "(.*)" \)$', lines, re.MULTILINE):
        sound = voice / "wav" / f"{name}.wav"
        if sound.exists():
            yield Recording(sound, text.replace("+", ""), "ru", "reader_ru", _READER_SECS)


def _acted(game: str, lines: Iterable[talkies.Line]) -> Iterator[Recording]:
    """Recordings of a game, one role after another, each in an order that mixes its moods."""
    roles: dict[str, list[talkies.Line]] = {}
    for line in lines:
        roles.setdefault(line.role, []).append(line)
    enough = {talkies.HERO: _HERO_SECS, talkies.SCENES: _SCENES_SECS}
    for role, said in sorted(roles.items()):
        random.Random(role).shuffle(said)
        secs = enough.get(role, _PERSON_SECS)
        for line in said:
            yield Recording(line.sound, line.text, "en", f"{game}_{role}", secs)


def read_mono(source: Path | bytes) -> np.ndarray:
    """Read a recording: (n,) int16, 16 kHz, its peak at a usual level; empty where silent.

    Raises:
        RuntimeError: libsndfile cannot read it.
    """
    if isinstance(source, Path) and source.suffix == ".g722":
        samples = read_g722(source).astype(np.float32)
    else:
        file = source if isinstance(source, Path) else io.BytesIO(source)
        sound, rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
        samples = np.asarray(soxr.resample(sound.mean(axis=1), rate_hz, SAMPLE_RATE_HZ))
    peak = float(np.abs(samples).max(initial=0.0))
    return (samples * (PEAK / peak)).astype(np.int16) if peak > 0 else np.zeros(0, np.int16)


def with_room(samples: np.ndarray) -> np.ndarray:
    """Put faint noise before and after: the aligner wants silence there; many clips have none."""
    noise = np.random.default_rng(len(samples)).normal(0, 3, len(samples) + 2 * _ROOM)
    noise[_ROOM : _ROOM + len(samples)] += samples
    return np.clip(noise, -32768, 32767).astype(np.int16)


def _masked(phone: str, language: str) -> str:
    # A written v is /b/ to some Catalan speakers and /v/ to others; which, the text does not say.
    return UNKNOWN if language == "ca" and phone in ("V", "B") else phone


def _aligned(heard: np.ndarray, recording: Recording) -> list[TimedPhone] | None:
    if recording.language == "en":
        return align(heard, recording.text)
    words = engine().pronounce(recording.text, recording.language)
    if not words:
        return None
    kept = [[_masked(p, recording.language) for p in word] for word in words]
    return align_pronounced(heard, kept)


def label(recording: Recording, samples: np.ndarray) -> list[TimedPhone] | None:
    """Find the phones of a recording; None where it does not go with what is said to be said."""
    heard = with_room(samples)
    try:
        phones = _aligned(heard, recording)
    except AvatarError:  # a path that goes back in time
        return None
    if phones is None:
        return None
    # Speakers add words that are not written; what they are is not known, the rest is.
    phones = [
        replace(phone, symbol=UNKNOWN) if unwritten else phone
        for phone, unwritten in zip(phones, loud_silences(heard, phones), strict=True)
    ]
    spoken = [phone for phone in phones if phone.symbol not in ("SIL", UNKNOWN)]
    secs = sum(phone.end_secs - phone.start_secs for phone in spoken)
    if not _SLOWEST < len(spoken) / max(secs, 1e-3) < _FASTEST:
        return None
    early, end = _ROOM / SAMPLE_RATE_HZ, len(samples) / SAMPLE_RATE_HZ
    moved = [
        TimedPhone(max(0.0, p.start_secs - early), min(end, p.end_secs - early), p.symbol)
        for p in phones
    ]
    return [phone for phone in moved if phone.end_secs > phone.start_secs]
