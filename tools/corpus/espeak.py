"""espeak-ng through its C library: speech with the start time of every phoneme.

Runs inside the corpus process only; the service itself never loads the library (GPL-3.0).
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone, split_symbol
from avatar_service.motion.visemes import UNKNOWN

_RETRIEVAL: Final = 1
_PHONEME_EVENTS_OPTION: Final = 1
_EVENT_LIST_TERMINATED: Final = 0
_EVENT_PHONEME: Final = 7
_RATE, _PITCH, _RANGE = 1, 3, 4
_CHARS_UTF8: Final = 1
_SEPARATOR: Final = "_"
_NEARLY_CLOSED: Final = "B"
"""Spanish b between vowels: the lips come near and need not meet."""
_MARKS: Final = re.compile(r"\(.*?\)|[',%=|]")
"""Changes of language, stress, and marks between sounds that are joined."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ENGLISH_ACCENTS: Final = (
    "gmw/en-US",
    "gmw/en-US",
    "gmw/en-US",
    "gmw/en",
    "gmw/en-GB-x-rp",
    "gmw/en-GB-scotland",
    "gmw/en-GB-x-gbclan",
    "gmw/en-GB-x-gbcwmd",
    "gmw/en-029",
    "gmw/en-US-nyc",
)
OTHER_LANGUAGES: Final = ("gmw/de", "roa/fr", "roa/es", "roa/it", "roa/pt", "roa/pt-BR", "gmw/nl",
                          "gmq/sv", "zlw/pl", "fi", "roa/es-419")  # fmt: skip
VARIANTS: Final = _words(
    """f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 klatt klatt2 klatt3 klatt4 klatt6 Alicia Annie Andy
    Michael Mike Lee Diogo Gene anika antonio belinda benjamin boris caleb david ed edward grandma
    grandpa gustave iven john linda marcelo max michel miguel norbert pablo paul pedro quincy rob
    robert sandro shelby steph travis victor zac croak whisperf adam Jacky Mario Marco Denis
    Henrique Hugo"""
)


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Speech:
    """One synthesised utterance.

    Attributes:
        samples: (n,) float32 in [-1, 1], mono.
        phones: timed symbols of the synthesiser's own alphabet.
    """

    samples: np.ndarray
    sample_rate_hz: int
    phones: list[TimedPhone]


class Espeak:
    """The library; `engine` gives its one instance, a second initialisation would hang."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as fault:
            raise AvatarError(
                Reason.MODELS_NOT_AVAILABLE,
                "libespeak-ng.so.1 was not found; apt install espeak-ng",
            ) from fault
        self._rate_hz = self._library.espeak_Initialize(_RETRIEVAL, 0, None, _PHONEME_EVENTS_OPTION)
        self._blocks: list[np.ndarray] = []
        self._events: list[tuple[float, str]] = []
        self._callback = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, wave: ctypes._Pointer[ctypes.c_short], count: int, events: object) -> int:
        if count > 0 and wave:
            self._blocks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_LIST_TERMINATED:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            if event.type == _EVENT_PHONEME:
                raw = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
                symbol = raw.decode("utf-8", "replace")
                if not symbol.startswith("("):  # "(en)": a change of language, not a sound
                    self._events.append((event.audio_position / 1000.0, symbol))
            index += 1
        return 0

    def synthesise(
        self, text: str, voice: str, *, rate: int, pitch: int, pitch_range: int
    ) -> Speech | None:
        """Speak a text.

        Args:
            text: plain text.
            voice: `file/path+variant`, for example `gmw/en-US+f3`.
            rate: words per minute, 80..450.
            pitch: 0..100.
            pitch_range: 0..100.

        Returns:
            None where the voice does not exist or nothing was said.
        """
        self._blocks.clear()
        self._events.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, 1, 0, _CHARS_UTF8, None, None)
        self._library.espeak_Synchronize()
        if not self._blocks or not self._events:
            return None
        samples = np.concatenate(self._blocks).astype(np.float32) / 32768.0
        duration = len(samples) / self._rate_hz
        starts = [time for time, _ in self._events] + [duration]
        phones = [TimedPhone(0.0, starts[0], "_")] if starts[0] > 0 else []
        for (start, symbol), end in zip(self._events, starts[1:], strict=True):
            if symbol:
                phones.append(TimedPhone(start, max(start, min(end, duration)), symbol))
        return Speech(samples, self._rate_hz, phones)

    def pronounce(self, text: str, language: str) -> list[list[str]] | None:
        """Say how the words of a text are spoken.

        Args:
            text: plain text.
            language: of espeak-ng, for example `cs`.

        Returns:
            Canonical phones of each word, without silence; UNKNOWN for a sound that is not in
            `motion.phones`. None where the language does not exist.
        """
        if self._library.espeak_SetVoiceByName(language.encode()) != 0:
            return None
        say = self._library.espeak_TextToPhonemes
        say.restype, say.argtypes = ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        rest = ctypes.c_char_p(text.encode())
        words = []
        while rest.value:
            clause = say(ctypes.byref(rest), _CHARS_UTF8, ord(_SEPARATOR) << 8) or b""
            for word in clause.decode("utf-8", "replace").split():
                phones = [p for sound in word.split(_SEPARATOR) for p in canonical(sound)]
                if phones:
                    words.append(phones)
        return words


def canonical(mnemonic: str) -> tuple[str, ...]:
    """Canonical phones of one sound as espeak-ng writes it, with stress and other marks."""
    sound = re.sub(_MARKS, "", mnemonic)
    if not sound:
        return ()
    if sound == _NEARLY_CLOSED:
        return (UNKNOWN,)
    try:
        phones = split_symbol(sound, "espeak")
    except AvatarError:
        return (UNKNOWN,)
    return tuple(phone for phone in phones if phone != "SIL")


@cache
def engine() -> Espeak:
    """Load the library once for this process."""
    return Espeak()
