"""Sequences of life at 25 Hz with what the network is told of them, and their files."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.life_channels import CHANNELS, NUM_CHANNELS, NUM_CONDITIONS

BROKEN_NPZ: Final = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged npz may raise."""
_SCHEMA: Final = "avatar.life-sequences.v1"


@dataclass(frozen=True, slots=True)
class LifeSequence:
    """One stretch of life; T ticks.

    Attributes:
        conditions: (T, NUM_CONDITIONS) float32, of the tick.
        channels: (T, NUM_CHANNELS) float32, at the end of the tick.
        blink: (T,) float32, 1 where a blink begins in the tick.
        shift: (T,) float32, 1 where the eyes jump at the tick's beginning.
        offset: (T, 2) float32 radians, where they rest beside what they should look at.
        has_gaze: whether shift and offset are known.
    """

    conditions: NDArray[np.float32]
    channels: NDArray[np.float32]
    blink: NDArray[np.float32]
    shift: NDArray[np.float32]
    offset: NDArray[np.float32]
    has_gaze: bool

    def cut(self, start: int, stop: int) -> LifeSequence:
        """Return the ticks from start to stop."""
        return LifeSequence(
            self.conditions[start:stop],
            self.channels[start:stop],
            self.blink[start:stop],
            self.shift[start:stop],
            self.offset[start:stop],
            self.has_gaze,
        )

    def __len__(self) -> int:
        return len(self.channels)


def write_sequences(path: Path, sequences: Sequence[LifeSequence]) -> None:
    """Write sequences as npz; the file appears whole or not at all."""
    temporary = path.with_suffix(".partial.npz")
    np.savez_compressed(
        temporary,
        schema=np.array(_SCHEMA),
        channel_names=np.array(CHANNELS),
        ends=np.cumsum([len(one) for one in sequences]),
        conditions=np.concatenate([one.conditions for one in sequences]).astype(np.float16),
        channels=np.concatenate([one.channels for one in sequences]).astype(np.float32),
        blink=np.concatenate([one.blink for one in sequences]).astype(np.bool_),
        shift=np.concatenate([one.shift for one in sequences]).astype(np.bool_),
        offset=np.concatenate([one.offset for one in sequences]).astype(np.float32),
        has_gaze=np.array([one.has_gaze for one in sequences]),
    )
    temporary.replace(path)


def read_sequences(path: Path) -> list[LifeSequence]:
    """Read what write_sequences wrote.

    Raises:
        AvatarError: INVALID_FILE for another file, or one of other channels or conditions.
    """
    try:
        with np.load(path) as stored:
            if str(stored["schema"]) != _SCHEMA or tuple(stored["channel_names"]) != CHANNELS:
                raise ValueError("another schema; remove the file and it is made again")
            arrays = {name: stored[name] for name in stored.files}
        width = (arrays["channels"].shape[1], arrays["conditions"].shape[1])
        if width != (NUM_CHANNELS, NUM_CONDITIONS):
            raise ValueError(f"widths {width}, not {(NUM_CHANNELS, NUM_CONDITIONS)}")
    except (*BROKEN_NPZ, IndexError) as fault:
        raise AvatarError(Reason.INVALID_FILE, f"{path.name}: {fault}") from fault
    cuts = arrays["ends"][:-1]

    def parts(name: str) -> list[NDArray[np.float32]]:
        return np.split(arrays[name].astype(np.float32), cuts)

    names = ("conditions", "channels", "blink", "shift", "offset")
    columns = zip(*(parts(name) for name in names), arrays["has_gaze"].tolist(), strict=True)
    return [LifeSequence(*row) for row in columns]
