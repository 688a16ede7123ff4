"""Recordings of many people: found with their words, labelled by sounds, left out where they do
not go together."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avatar_service.motion import labelled
from avatar_service.motion.phones import TimedPhone, canonical_phones
from avatar_service.motion.visemes import UNKNOWN
from tools.corpus import agreement, align, espeak, fit, recordings
from tools.corpus.store import PEAK, Utterance

pytestmark = pytest.mark.unit


def _stamp(root: Path, name: str, language: str, text: str) -> Path:
    folder = root / "usr/share/tuxpaint/stamps/animals"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_desc_{language}.ogg"
    path.touch()
    lines = f"A cow.\nde.utf8=Eine andere Zeile.\n{language}.utf8={text}\n"
    (folder / f"{name}.txt").write_text(lines, encoding="utf-8")
    return path


def test_stamps_and_prompts_are_found_with_what_is_said_in_them(tmp_path: Path) -> None:
    cow = _stamp(tmp_path, "cow", "ro", "O vacă foarte frumoasă.")
    _stamp(tmp_path, "pig", "ro", "Un porc.")
    _stamp(tmp_path, "owl", "de", "Eine kluge alte Eule.")
    sounds = tmp_path / "usr/share/asterisk/sounds/it_IT_m_Carlo"
    sounds.mkdir(parents=True)
    for name in ("held", "lost", "short"):
        (sounds / f"{name}.g722").touch()
    words = tmp_path / "usr/share/doc/asterisk-core-sounds-it/core-sounds-it.txt.gz"
    words.parent.mkdir(parents=True)
    lines = (
        "held: Chiamata in attesa, premere 1 ora.\nlost: Non pu? essere completata.\n"
        "short: Prego.\nabsent: Questo suono non esiste.\n"
    )
    words.write_bytes(gzip.compress(lines.encode()))

    found = list(recordings.recordings(tmp_path))

    assert found == [
        recordings.Recording(
            sounds / "held.g722", "Chiamata in attesa, premere 1 ora.", "it", "prompts_it"
        ),
        recordings.Recording(cow, "O vacă foarte frumoasă.", "ro", "stamps_ro"),
    ]


def test_the_reader_is_found_with_what_he_reads(tmp_path: Path) -> None:
    voice = tmp_path / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    for folder in ("etc", "wav"):
        (voice / folder).mkdir(parents=True)
    (voice / "wav/ru_0001.wav").touch()
    (voice / "wav/ru_0003.wav").touch()
    (voice / "etc/txt.done.data").write_text(
        '( ru_0001 "Она завела, прядь вол+ос за ухо." )\n( ru_0002 "Этой записи нет вовсе." )\n'
        '( ru_0003 "Нет." )\nodd\n',
        encoding="utf-8",
    )

    (found,) = recordings.recordings(tmp_path)

    assert found.sound == voice / "wav/ru_0001.wav"
    assert (found.text, found.language) == ("Она завела, прядь волос за ухо.", "ru")
    assert found.voice == "reader_ru"


def test_words_that_are_no_text_are_refused_by_the_name_of_their_file(tmp_path: Path) -> None:
    folder = tmp_path / "usr/share/festival/voices/russian/msu_ru_nsh_clunits/etc"
    folder.mkdir(parents=True)
    (folder / "txt.done.data").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"^txt\.done\.data is no UTF-8"):
        list(recordings.recordings(tmp_path))


def test_a_recording_is_read_as_one_channel_of_usual_level(tmp_path: Path) -> None:
    tone = 0.1 * np.sin(np.arange(44100) * 0.05)
    path = tmp_path / "cow.ogg"
    soundfile.write(path, np.stack([tone, tone], axis=1), 44100)

    samples = recordings.read_mono(path)

    assert samples.dtype == np.int16
    assert abs(len(samples) - 16000) < 100
    assert abs(int(np.abs(samples).max()) - PEAK) <= 1


class _Speaker:
    def __init__(self, words: list[list[str]]) -> None:
        self._words = words

    def pronounce(self, text: str, language: str) -> list[list[str]]:
        return self._words


def _label(
    monkeypatch: pytest.MonkeyPatch, words: list[list[str]], secs: float, language: str = "fr"
) -> tuple[list[TimedPhone] | None, Sequence[Sequence[str]]]:
    """Label noise of a length with an aligner that gives every sound the same share of it."""
    asked: list[Sequence[Sequence[str]]] = []

    def align_evenly(samples: np.ndarray, words: Sequence[Sequence[str]]) -> list[TimedPhone]:
        asked.append(words)
        first, last = 0.2, len(samples) / 16000 - 0.2
        names = [name for word in words for name in word]
        ends = np.linspace(first, last, len(names) + 1)
        spans = zip(ends, ends[1:], names, strict=False)
        spoken = [TimedPhone(float(start), float(end), name) for start, end, name in spans]
        return [TimedPhone(0.0, first, "SIL"), *spoken, TimedPhone(last, last + 0.2, "SIL")]

    monkeypatch.setattr(recordings, "engine", lambda: _Speaker(words))
    monkeypatch.setattr(recordings, "align_pronounced", align_evenly)
    samples = np.random.default_rng(1).normal(0, 3000, round(secs * 16000)).astype(np.int16)
    recording = recordings.Recording(Path("cow.ogg"), "text", language, "voice")
    return recordings.label(recording, samples), asked[0]


def test_labels_are_in_the_time_of_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    phones, _ = _label(monkeypatch, [["M", "AA"], ["P", "AA"]], 0.4)
    assert phones is not None
    assert [phone.symbol for phone in phones] == ["M", "AA", "P", "AA"]
    assert phones[0].start_secs == pytest.approx(0.0)
    assert phones[-1].end_secs == pytest.approx(0.4)


@pytest.mark.parametrize("secs", [0.1, 4.0])
def test_a_pace_that_nobody_speaks_at_is_no_label(
    monkeypatch: pytest.MonkeyPatch, secs: float
) -> None:
    phones, _ = _label(monkeypatch, [["M", "AA"], ["P", "AA"]], secs)
    assert phones is None


def test_what_a_catalan_v_sounds_like_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = _label(monkeypatch, [["V", "AA", "K", "AA"]], 0.4, "ca")
    assert asked == [[UNKNOWN, "AA", "K", "AA"]]


def test_what_is_said_and_not_written_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def align_late(samples: np.ndarray, text: str) -> list[TimedPhone]:
        last = len(samples) / 16000 - 0.2
        said = [TimedPhone(0.6, 0.7, "M"), TimedPhone(0.7, last, "AA")]
        return [TimedPhone(0.0, 0.6, "SIL"), *said, TimedPhone(last, last + 0.2, "SIL")]

    monkeypatch.setattr(recordings, "align", align_late)
    samples = np.random.default_rng(1).normal(0, 3000, 9600).astype(np.int16)

    phones = recordings.label(recordings.Recording(b"", "Ma.", "en", "voice"), samples)

    assert phones is not None
    assert [phone.symbol for phone in phones] == [UNKNOWN, "M", "AA"]
    assert phones[0] == TimedPhone(0.0, pytest.approx(0.4), UNKNOWN)


def test_a_path_that_goes_back_in_time_is_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = [TimedPhone(0.3, 0.5, "ah"), TimedPhone(0.2, 0.6, "m")]

    def align(samples: np.ndarray, text: str) -> list[TimedPhone]:
        return canonical_phones(backwards, "arpabet")

    monkeypatch.setattr(recordings, "align", align)
    monkeypatch.setattr(fit, "align_arpabet", lambda samples, text: backwards)
    samples = np.random.default_rng(1).normal(0, 3000, 9600).astype(np.int16)

    assert recordings.label(recordings.Recording(b"", "Am.", "en", "voice"), samples) is None
    assert fit.whole_label(samples, "Am.") is None


@pytest.mark.parametrize(
    ("mnemonic", "phones"),
    [("'a", ("AE",)), ("tS", ("CH",)), ("(en)", ()), ("|", ()), ("B", (UNKNOWN,)), ("?~?", None)],
)
def test_sounds_of_the_synthesiser_become_canonical(
    mnemonic: str, phones: tuple[str, ...] | None
) -> None:
    assert espeak.canonical(mnemonic) == ((UNKNOWN,) if phones is None else phones)


@dataclass
class _Aligned:
    """A word as pocketsphinx gives it."""

    name: str
    phones: list[str]

    def __iter__(self) -> object:
        return iter([_Named(name) for name in self.phones])


@dataclass
class _Named:
    name: str


def test_phones_keep_the_names_that_they_were_meant_to_have() -> None:
    meant = {"w0": ["TS", "TS", "UE"]}
    word = _Aligned("w0", ["T", "S", "UW"])
    assert [name for name, _ in align.symbols(word, meant)] == ["TS", "TS", "UE"]
    assert [name for name, _ in align.symbols(_Aligned("cow", ["K", "AW"]), meant)] == ["K", "AW"]


def test_labels_of_other_words_agree_less_with_what_is_heard() -> None:
    clip = labelled.own_clip()
    right = Utterance((clip.samples * PEAK).astype(np.int16), clip.phones, "test")
    words = [phone.symbol for phone in clip.phones if phone.symbol != "SIL"]
    others = iter(words[::-1])
    backwards = [
        p if p.symbol == "SIL" else TimedPhone(p.start_secs, p.end_secs, next(others))
        for p in clip.phones
    ]
    wrong = Utterance(right.samples, backwards, "test")

    assert agreement.agreement(right) > 0.7
    assert agreement.agreement(wrong) < agreement.LEAST_AGREEMENT
