"""Speech with its phones, to score lips on.

Labels stand beside each clip in NAME.json, either

    [[start s, end s, ARPAbet phone, score], ...]                      pocketsphinx, 9 ms early
    {"alphabet": "arpabet", "bias_secs": 0.0, "phones": [[start, end, symbol], ...]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.audio.file import read_audio
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone, canonical_phones
from avatar_service.signals import Float32Array

_ALIGNER_BIAS_SECS: Final = 0.009
"""pocketsphinx's phones are this early (measured against exact labels)."""
_SUFFIXES: Final = (".wav", ".flac")
STEP_SECS: Final = 0.02
_VOICE_SHARE: Final = 0.85
_FAR_BELOW_DB: Final = 25.0
"""Its own, not motion.quiet's: a measure does not move with what it measures."""
_LONGEST_STOP_SECS: Final = 0.2
"""The silence of a stop in running speech is shorter: 50 to 150 ms."""


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """Speech with its phones.

    Attributes:
        samples: (n,) float32, 16 kHz mono.
        phones: canonical phones, the aligner's bias removed.
    """

    name: str
    samples: Float32Array
    phones: list[TimedPhone]


def read_labels(path: Path) -> list[TimedPhone]:
    """Read the phones of one clip.

    Raises:
        AvatarError: INVALID_FILE where the JSON is not one of the two forms.
    """
    try:
        content: Any = json.loads(path.read_text("utf-8"))
        is_plain = isinstance(content, list)
        bias = _ALIGNER_BIAS_SECS if is_plain else float(content.get("bias_secs", 0.0))
        rows = content if is_plain else content["phones"]
        alphabet = "arpabet" if is_plain else str(content["alphabet"])
        phones = [TimedPhone(float(r[0]) + bias, float(r[1]) + bias, str(r[2])) for r in rows]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as fault:
        raise AvatarError(
            Reason.INVALID_FILE, f"{path.name} holds no phone labels: {fault}"
        ) from fault
    return canonical_phones(phones, alphabet)


def read_clips(folder: Path) -> list[LabelledClip]:
    """Read every clip of a folder that has labels.

    Raises:
        AvatarError: INVALID_FILE where there is none, or one cannot be read.
    """
    clips = []
    for labels in sorted(folder.glob("*.json")):
        audio = [path for s in _SUFFIXES if (path := labels.with_suffix(s)).exists()]
        if audio:
            samples = read_audio(audio[0]).samples
            phones = pauses_heard(samples, read_labels(labels))
            clips.append(LabelledClip(labels.stem, samples, phones))
    if not clips:
        raise AvatarError(
            Reason.INVALID_FILE, f"{folder} holds no NAME.wav or NAME.flac with NAME.json beside it"
        )
    return clips


def read_clips_or_own(folder: Path | None) -> list[LabelledClip]:
    """Read a folder's clips; None takes the demonstration's own speech."""
    return read_clips(folder) if folder else [own_clip()]


def own_clip() -> LabelledClip:
    """The speech of the demo with the exact labels of its synthesiser."""
    with resources.as_file(resources.files("avatar_service") / "data") as folder:
        samples = read_audio(folder / "demo_speech.wav").samples
        return LabelledClip("slt_demo", samples, read_labels(folder / "demo_speech.json"))


def step_powers(samples: np.ndarray) -> np.ndarray:
    """Mean square of each 20 ms: (n,) 16 kHz mono to (n // 320,) float64."""
    hop = round(STEP_SECS * 16000)
    steps = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(np.float64)
    return np.asarray(np.mean(steps**2, axis=1))


def pauses_heard(samples: np.ndarray, phones: list[TimedPhone]) -> list[TimedPhone]:
    """Cut out of each phone the pause that its sound turns out to be.

    An aligner that expects no pause between two words stretches a phone over it: the k of
    Kennedy's "ask - not" lasts 300 ms. What stays 25 dB below the voice (the level that 85 % of
    the clip stay below) for longer than any stop's silence is a pause.

    Args:
        samples: (n,) 16 kHz mono, any scale.
        phones: canonical, in order.
    """
    power = step_powers(samples)
    if not len(power) or not power.any():
        return phones
    voice = np.quantile(power, _VOICE_SHARE)
    quiet = power < voice * 10 ** (-_FAR_BELOW_DB / 10)
    edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    pauses = edges * STEP_SECS
    cut: list[TimedPhone] = []
    for phone in phones:
        cursor = phone.start_secs
        for start, end in pauses.tolist() if phone.symbol != "SIL" else ():
            start, end = max(start, phone.start_secs), min(end, phone.end_secs)
            if end - start > _LONGEST_STOP_SECS:
                if start > cursor:
                    cut.append(replace(phone, start_secs=cursor, end_secs=start))
                cut.append(TimedPhone(start, end, "SIL"))
                cursor = end
        if cursor < phone.end_secs:
            cut.append(replace(phone, start_secs=cursor))
    return cut
