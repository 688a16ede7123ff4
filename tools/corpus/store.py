"""Shards of labelled speech: plain npz, no pickle.

Arrays of one shard:
    audio int16 (samples,), 16 kHz mono, all utterances one after another;
    audio_ends int64 (utterances,);
    phone_start_secs, phone_end_secs float32 (phones,), phone int16 (phones,) index into
    `phone_names`, -1 unknown; phone_ends int64 (utterances,);
    phone_names, source str.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.visemes import PHONE_INDEX, PHONE_NAMES, UNKNOWN

SAMPLE_RATE_HZ: Final = 16000
PEAK: Final = 20000
"""Loudest sample of an utterance; training varies the level."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Labelled speech.

    Attributes:
        samples: (n,) int16, 16 kHz mono.
        phones: canonical phones in order.
    """

    samples: np.ndarray
    phones: list[TimedPhone]
    source: str


def write_shard(path: Path, utterances: Sequence[Utterance], source: str) -> None:
    """Write utterances of one source; the file appears whole or not at all."""
    phones = [phone for utterance in utterances for phone in utterance.phones]
    temporary = path.with_suffix(".partial.npz")
    np.savez(
        temporary,
        audio=np.concatenate([u.samples for u in utterances]),
        audio_ends=np.cumsum([len(u.samples) for u in utterances]),
        phone_start_secs=np.array([p.start_secs for p in phones], np.float32),
        phone_end_secs=np.array([p.end_secs for p in phones], np.float32),
        phone=np.array([PHONE_INDEX.get(p.symbol, -1) for p in phones], np.int16),
        phone_ends=np.cumsum([len(u.phones) for u in utterances]),
        phone_names=np.array(PHONE_NAMES),
        source=np.array(source),
    )
    temporary.replace(path)


def read_shard(path: Path) -> Iterator[Utterance]:
    """Read the utterances of one shard."""
    with np.load(path) as shard:
        names = [str(name) for name in shard["phone_names"]]
        audio, starts, ends = shard["audio"], shard["phone_start_secs"], shard["phone_end_secs"]
        indices, source = shard["phone"], str(shard["source"])
        audio_at = phone_at = 0
        for audio_end, phone_end in zip(shard["audio_ends"], shard["phone_ends"], strict=True):
            phones = [
                TimedPhone(float(starts[i]), float(ends[i]), names[k] if k >= 0 else UNKNOWN)
                for i, k in enumerate(indices[phone_at:phone_end].tolist(), start=phone_at)
            ]
            yield Utterance(audio[audio_at:audio_end], phones, source)
            audio_at, phone_at = int(audio_end), int(phone_end)
