"""Whether a label goes with its sound, by the sound; by a network: tools.corpus.agreement."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.errors import AvatarError
from avatar_service.motion.labelled import STEP_SECS, step_powers
from avatar_service.motion.phones import TimedPhone, canonical_phones
from avatar_service.motion.visemes import UNKNOWN
from tools.corpus.align import align_arpabet

_EDGE_SECS: Final = 0.04
_LOUD_DB: Final = 6.0


def whole_label(samples: np.ndarray, text: str) -> list[TimedPhone] | None:
    """Find the phones of a clip, ARPABET; None where its words do not go with its sound."""
    phones = align_arpabet(samples, text)
    if phones is None or any(phone.symbol == UNKNOWN for phone in phones):
        return None
    try:
        canonical_phones(phones, "arpabet")
    except AvatarError:  # a path that goes back in time
        return None
    return None if any(loud_silences(samples, phones)) else phones


def loud_silences(samples: np.ndarray, phones: list[TimedPhone]) -> list[bool]:
    """Tell of each phone whether it is SIL and a step of it is about as loud as the speech is.

    Then words were said that the transcript lacks, or the aligner went astray.

    Args:
        samples: (n,) int16, 16 kHz.
        phones: with SIL where nothing is said.
    """
    levels = 10 * np.log10(step_powers(samples) + 1.0)
    times = (np.arange(len(levels)) + 0.5) * STEP_SECS
    silences = [
        (times > phone.start_secs + _EDGE_SECS)
        & (times < phone.end_secs - _EDGE_SECS)
        & (phone.symbol == "SIL")
        for phone in phones
    ]
    spoken = ~np.any(silences, axis=0)
    if not spoken.any():
        return [False] * len(phones)
    loud = np.median(levels[spoken]) - _LOUD_DB
    return [bool((levels[silence] > loud).any()) for silence in silences]
