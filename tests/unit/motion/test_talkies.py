"""Lines of talking games: found in small games that are laid out like the real ones."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.corpus import recordings, talkies

pytestmark = pytest.mark.unit


def _string(text: str, align: int, at: int) -> bytes:
    """A string as the Queen holds it, for the place `at`."""
    held = bytes([len(text)]) + text.encode("cp437")
    return held + bytes(-(at + len(held)) % align) if text else held


def _strings(align: int, at: int, *texts: str) -> bytes:
    held = b""
    for text in texts:
        held += _string(text, align, at + len(held))
    return held


def _numbered(at: int, *lines: tuple[int, str]) -> bytes:
    held = b""
    for number, text in lines:
        held += struct.pack(">2xH", number)
        held += _string(text, 4, at + len(held))
    return held


def _dialogue() -> bytes:
    hero_at = 32 + 96
    heros = _numbered(
        hero_at, (0, "Hello there, Bob!"), (0x1E, "Nice shop.*03And big.*XY00(237,112)Bye.")
    )
    others = _numbered(hero_at + len(heros), (0x9A, "I had help from Naomi."))
    again_at = hero_at + len(heros) + len(others)
    again = _strings(2, again_at, "Howdy Bob.", "Bob, it is me.")
    # One level, asked for as -1 where the talk cannot be left.
    header = struct.pack(">5h", -1, 0, 6, 2, 1) + bytes(12)
    header += struct.pack(">3H", hero_at + len(heros), 0, again_at)
    return bytes(20) + header.ljust(32, b"\0") + bytes(96) + heros + others + again


def _scene() -> bytes:
    strings = _strings(2, 12, "*FL", "Look at that!*14", "", "It is *WTbig.")
    return bytes(20) + struct.pack(">4xHHHH", 0, 0, 12, 0)[:12] + strings


def _queen(files: dict[str, bytes]) -> bytes:
    start = 15 + 21 * len(files)
    table, held = b"", b""
    for name, content in files.items():
        table += struct.pack(">12sBII", name.encode(), 1, start + len(held), len(content))
        held += content
    return b"QTBLCEM10\0\0\0\1" + struct.pack(">H", len(files)) + table + held


def _install(packages: Path, game: bytes) -> None:
    path = packages / "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c"
    path.parent.mkdir(parents=True)
    path.write_bytes(game)


def test_the_queens_lines_are_found_with_their_sounds_and_roles(tmp_path: Path) -> None:
    sounds = [
        "06SSSSJ1", "06001EJ1", "06001EJ2", "06001EJ3", "06009AP1", "06XXXXP1", "06XXXXJ1",
        "C2A__011", "C2A__031", "C2A__032", "UNTITLED",
    ]  # fmt: skip
    files = {f"{name}.SB": name.encode() for name in sounds}
    _install(tmp_path, _queen({"BOB1.DOG": _dialogue(), "C2A.CUT": _scene(), **files}))

    found = {line.sound.decode(): (line.text, line.role) for line in talkies.queen_lines(tmp_path)}

    assert found == {
        "06SSSSJ1": ("Hello there, Bob!", "joe"),
        "06001EJ1": ("Nice shop.", "joe"),
        "06001EJ2": ("And big.", "joe"),
        "06001EJ3": ("Bye.", "joe"),
        "06009AP1": ("I had help from Naomi.", "bob"),
        "06XXXXP1": ("Howdy Bob.", "bob"),
        "06XXXXJ1": ("Bob, it is me.", "joe"),
        "C2A__011": ("Look at that!", "scenes"),
        "C2A__031": ("It is", "scenes"),
        "C2A__032": ("big.", "scenes"),
    }


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (b"RIFF" + bytes(99), r"^queen\.1c does not begin with QTBL$"),
        (_queen({"BOB1.DOG": bytes(40)}), r"^queen\.1c is cut short"),
        (_queen({"BOB1.DOG": _dialogue()})[:-1], r"^queen\.1c is cut short"),
        (_queen({"BOB1.DOG": _dialogue()})[:30], r"^queen\.1c is cut short"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, game: bytes, told: str) -> None:
    _install(tmp_path, game)

    with pytest.raises(ValueError, match=told):
        list(talkies.queen_lines(tmp_path))


def _drascula(*tables: list[list[str]]) -> bytes:
    """Tables of texts in two languages, behind as much as the real file has of rooms."""
    held = struct.pack(">H", 2)
    for table in tables:
        held += struct.pack(">H", len(table[0]) + 1)
        for texts in table:
            block = b"\0\0\0\4\0\0"
            for text in texts:
                padded = text.encode("latin-1") + b"\0\0\0"
                block += struct.pack(">H", len(padded) + 2) + padded
            held += struct.pack(">H", len(block)) + block
    return bytes(0x1C53) + held


def test_drasculas_lines_are_found_with_their_sounds_and_roles(tmp_path: Path) -> None:
    folder = tmp_path / "usr/share/scummvm/drascula/en"
    folder.mkdir(parents=True)
    empty = [[""], [""]]
    hero = [["NOT REALLY", "IT'S A DOOR"], ["NO", "PUERTA"]]
    igor = [["MASTER, NO"], ["MAESTRO"]]
    tables = [hero, *[empty] * 4, igor, *[empty] * 4]
    (folder / "drascula.dat").write_bytes(_drascula(*tables))
    (folder / "2.ALS").write_bytes(bytes([128, 255, 0]))
    (folder / "I1.ALS").write_bytes(bytes([128, 128]))

    door, master = talkies.drascula_lines(tmp_path)

    assert (door.text, door.role) == ("it's a door", "hero")
    assert (master.text, master.role) == ("master, no", "i")
    samples, rate_hz = soundfile.read(io.BytesIO(door.sound), dtype="int16")
    assert rate_hz == 11025
    np.testing.assert_array_equal(samples, [0, 127 * 256, -128 * 256])


@pytest.mark.parametrize("where", [b"NO\0", b"AYBE"])
def test_texts_cut_short_are_refused(tmp_path: Path, where: bytes) -> None:
    folder = tmp_path / "usr/share/scummvm/drascula/en"
    folder.mkdir(parents=True)
    whole = _drascula([["NO", "MAYBE"], ["NO", "MAYBE"]])
    (folder / "drascula.dat").write_bytes(whole[: whole.index(where)])

    with pytest.raises(ValueError, match=r"^drascula\.dat is cut short"):
        list(talkies.drascula_lines(tmp_path))


def test_tables_cut_short_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "usr/share/scummvm/drascula/en"
    folder.mkdir(parents=True)
    (folder / "drascula.dat").write_bytes(_drascula([["NO"], ["NO"]])[:-30])

    with pytest.raises(ValueError, match=r"^drascula\.dat is cut short"):
        list(talkies.drascula_lines(tmp_path))


def test_without_the_games_there_are_no_lines(tmp_path: Path) -> None:
    assert not [*talkies.queen_lines(tmp_path), *talkies.drascula_lines(tmp_path)]


def test_the_lines_of_a_role_are_recordings_of_one_voice(tmp_path: Path) -> None:
    files = dict.fromkeys(("06SSSSJ1.SB", "06001EJ2.SB", "06009AP1.SB", "06XXXXJ1.SB"), b"x")
    _install(tmp_path, _queen({"BOB1.DOG": _dialogue(), **files}))

    found = [(r.voice, r.language, r.text) for r in recordings.recordings(tmp_path)]

    assert found[0] == ("queen_bob", "en", "I had help from Naomi.")
    assert sorted(found[1:]) == [
        ("queen_joe", "en", "Bob, it is me."),
        ("queen_joe", "en", "Hello there, Bob!"),
    ]
