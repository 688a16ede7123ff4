"""Lines of adventure games that are spoken by actors: what is said, by which role, and the sound.

Two games that their makers gave away and that Debian packages hold: Flight of the Amazon Queen
(1995) and Drascula (1996). The layouts are those that ScummVM's engines `queen` and `drascula`
read; integers are big-endian.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, KeysView
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

_GAMES: Final = Path("usr/share/scummvm")
_QUEEN: Final = _GAMES / "flight-of-the-amazon-queen/queen.1c"
_DRASCULA: Final = _GAMES / "drascula/en"

HERO, SCENES = "joe", "scenes"
"""Voices of the Queen: who is played, and the scenes in which everybody speaks."""

_ENTRY: Final = struct.Struct(">12sBII")
_FILE_HEADER: Final = 20
"""AmigaBASIC's, before each dialogue and scene."""
_LEVEL_BYTES: Final = 96
_DIALOGUE_BYTES: Final = 32

_TABLES_AT: Final = 0x1C53
"""Where the texts of drascula.dat begin, after the rooms."""
_TABLES: Final = ("", "D", "B", "BJ", "E", "I", "L", "P", "T", "VB")
"""Names of the sounds of each table of texts; the first is the hero's."""
_DRASCULA_RATE_HZ: Final = 11025


@dataclass(frozen=True, slots=True)
class Line:
    """A line and its sound.

    Attributes:
        role: who speaks, as one word.
        sound: a whole sound file.
    """

    text: str
    role: str
    sound: bytes


def queen_lines(packages: Path) -> Iterator[Line]:
    """Yield the lines of Flight of the Amazon Queen, English.

    Args:
        packages: the folder that holds `usr`; nothing is yielded where the game is not there.

    Raises:
        ValueError: the file is cut short, or another.
    """
    if not (packages / _QUEEN).exists():
        return
    with _laid_out(_QUEEN.name):
        yield from _of_queen(packages)


@contextmanager
def _laid_out(name: str) -> Iterator[None]:
    try:
        yield
    except (struct.error, IndexError, KeyError, UnicodeDecodeError):
        raise ValueError(f"{name} is cut short or not laid out as the game's own") from None


def _of_queen(packages: Path) -> Iterator[Line]:
    game = _Archive((packages / _QUEEN).read_bytes())
    told: set[str] = set()
    for name in sorted(game.names):
        spoken = _dialogue if name.endswith(".DOG") else _scene if name.endswith(".CUT") else None
        for sound, text, role in spoken(name, game.read(name)[_FILE_HEADER:]) if spoken else ():
            if sound in game.names and sound not in told:
                told.add(sound)
                yield Line(text, role, game.read(sound))


class _Archive:
    """queen.1c: a table of names, and the files one after another."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"QTBL":
            raise ValueError("queen.1c does not begin with QTBL")
        (count,) = struct.unpack_from(">H", data, 13)
        entries = _ENTRY.iter_unpack(data[15 : 15 + count * _ENTRY.size])
        self._data = data
        self._places = {
            name.split(b"\0")[0].decode("ascii"): (start, size) for name, _, start, size in entries
        }

    @property
    def names(self) -> KeysView[str]:
        return self._places.keys()

    def read(self, name: str) -> bytes:
        start, size = self._places[name]
        if start + size > len(self._data):
            raise IndexError(name)
        return self._data[start : start + size]


def _string(data: bytes, at: int, align: int) -> tuple[str, int]:
    """A string behind its length; unless it is empty, the next is at a multiple of `align`."""
    size, start = data[at], at + 1
    if not size:
        return "", start
    text = data[start : start + size].decode("cp437")
    return text, (start + size + align - 1) // align * align


def _spoken(prefix: str, text: str, role: str) -> Iterator[tuple[str, str, str]]:
    """Split a line where it tells the figure to move; each part has a sound of its own."""
    parts = re.split(r"\*(?:XY.{11}|..)", text)
    for number, part in enumerate(parts, 1):
        if part.strip():
            yield f"{prefix}{number:X}.SB".replace(" ", "0"), part.strip(), role


def _dialogue(name: str, data: bytes) -> Iterator[tuple[str, str, str]]:
    levels, _, key, heros, others = struct.unpack_from(">5h", data)
    other_at, _, again_at = struct.unpack_from(">3H", data, 22)
    hero_at = _DIALOGUE_BYTES + abs(levels) * _LEVEL_BYTES
    other = re.sub(r"\d+$", "", name.removesuffix(".DOG")).lower()
    for at, count, role, letter in ((hero_at, heros, HERO, "J"), (other_at, others, other, "P")):
        for _ in range(count):
            (number,) = struct.unpack_from(">2xH", data, at)
            text, at = _string(data, at + 4, 4)
            yield from _spoken(f"{key:2d}{number:4X}{letter}", text, role)
    if data[hero_at + 2 : hero_at + 4] == b"\0\0":
        yield from _spoken(f"{key:2d}SSSSJ", _string(data, hero_at + 4, 2)[0], HERO)
    greeting, at = _string(data, again_at, 2)
    yield from _spoken(f"{key:2d}XXXXP", greeting, other)
    yield from _spoken(f"{key:2d}XXXXJ", _string(data, at, 2)[0], HERO)


def _scene(name: str, data: bytes) -> Iterator[tuple[str, str, str]]:
    (at,) = struct.unpack_from(">H", data, 8)
    _, at = _string(data, at, 2)  # which way the hero looks
    prefix = name.removesuffix(".CUT").ljust(5, "_")
    number = 0
    while at < len(data):
        number += 1
        text, at = _string(data, at, 2)
        yield from _spoken(f"{prefix}{number:02d}", text, SCENES)


def drascula_lines(packages: Path) -> Iterator[Line]:
    """Yield the English lines of Drascula: see `queen_lines`."""
    folder = packages / _DRASCULA
    if not (folder / "drascula.dat").exists():
        return
    with _laid_out("drascula.dat"):
        yield from _of_drascula(folder)


def _of_drascula(folder: Path) -> Iterator[Line]:
    data = (folder / "drascula.dat").read_bytes()
    languages, at = struct.unpack_from(">H", data, _TABLES_AT)[0], _TABLES_AT + 2
    for name in _TABLES:
        (count,) = struct.unpack_from(">H", data, at)
        at += 2
        texts = list(_texts(data, at + 2, count))
        for _ in range(languages):
            at += 2 + struct.unpack_from(">H", data, at)[0]
        for number, text in enumerate(texts, 1):
            path = folder / f"{name}{number}.ALS"
            if path.exists():
                yield Line(text.lower(), name.lower() or "hero", _as_file(path.read_bytes()))


def _texts(data: bytes, at: int, count: int) -> Iterator[str]:
    """Strings of one language: each between its length and two bytes, the first is no text."""
    at += 4
    for _ in range(1, count):
        at += struct.unpack_from(">H", data, at - 2)[0]
        end = data.find(b"\0", at)
        if end < 0:
            raise IndexError(at)
        yield data[at:end].decode("latin-1")


def _as_file(samples: bytes) -> bytes:
    file = io.BytesIO()
    sound = (np.frombuffer(samples, np.uint8).astype(np.int16) - 128) * 256
    soundfile.write(file, sound, _DRASCULA_RATE_HZ, format="WAV")
    return file.getvalue()
