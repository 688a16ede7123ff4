"""The watermark: which installation showed what, when, as a pattern that renderers add to frames.

A tile of 128 px repeats over the frame, so that its spectrum is a comb of lines, by which a reader
finds how a picture was scaled and turned (Kutter, "Watermarking resisting to translation, rotation
and scaling", 1998). Each line within BAND carries either a known phase, by which the reader finds
the tile's place, or two bits of the coded payload in its phase (as OFDM does). It stays at one
place of the screen for an hour, while the picture moves: a mean over frames brings it out.

64 bits, from the highest: 24 of the installation's fingerprint, 20 of the session's number, 20 of
the hour since EPOCH (until 2144).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.provenance.mark_code import NUM_CODE_BITS, encode
from avatar_service.signals import MARK_TILE_PX, MARK_UNIT, Int8Array

Int64Array = NDArray[np.int64]
Complex128Array = NDArray[np.complex128]
Float64Array = NDArray[np.float64]

EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC)
HOUR_SECS: Final = 3600
SESSION_BITS: Final = 20
HOUR_BITS: Final = 20
BAND: Final = (4.0, 16.0)
"""Cycles per tile: periods of 32 to 8 px. Below, pictures are strong; above, codecs are coarse and
a halved picture has nothing left."""
_SYNC_SHARE: Final = 0.25
_LAYOUT_SEED: Final = 20240410
"""Draws which line carries what; part of the format, as all constants here."""


@dataclass(frozen=True, slots=True)
class MarkPayload:
    """What a watermark tells.

    Attributes:
        installation: Identity.number.
        session: drawn at random for each session and video; the ledger knows it.
        hour: hours since EPOCH, in which the frames were made.
    """

    installation: int
    session: int
    hour: int

    def to_int(self) -> int:
        """Return the 64 bits."""
        return (
            self.installation << (SESSION_BITS + HOUR_BITS) | self.session << HOUR_BITS | self.hour
        )

    @classmethod
    def from_int(cls, bits: int) -> MarkPayload:
        """Take 64 bits apart."""
        hour = bits & ((1 << HOUR_BITS) - 1)
        session = bits >> HOUR_BITS & ((1 << SESSION_BITS) - 1)
        return cls(bits >> (SESSION_BITS + HOUR_BITS), session, hour)

    @property
    def session_text(self) -> str:
        """The session's number as the ledger writes it."""
        return f"{self.session:05x}"

    @property
    def installation_text(self) -> str:
        """The installation's number: the beginning of its fingerprint."""
        return f"{self.installation:06x}"

    @property
    def begins(self) -> datetime:
        """Beginning of the hour."""
        return EPOCH + timedelta(hours=self.hour)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which lines of the tile's spectrum carry what.

    Attributes:
        sync, data: (N, 2) wave numbers (x, y), cycles per tile, of one half plane.
        phases: (N_sync,) the known values, of magnitude 1.
        code_bits: (2 N_data,) which code bit the real part (even) and the imaginary part (odd) of a
            data line carry.
    """

    sync: Int64Array
    data: Int64Array
    phases: Complex128Array
    code_bits: Int64Array


@cache
def layout() -> Layout:
    """Return the format's one layout."""
    low, high = BAND
    reach = int(high) + 1
    lines = np.array(
        [
            (x, y)
            for y in range(-reach, reach + 1)
            for x in range(reach + 1)
            if (x > 0 or y > 0) and low <= np.hypot(x, y) <= high
        ]
    )
    # A generator whose stream NumPy promises to keep: the layout must never change.
    draw = np.random.RandomState(_LAYOUT_SEED)
    lines = lines[draw.permutation(len(lines))]
    num_sync = int(len(lines) * _SYNC_SHARE)
    phases = np.exp(1j * np.pi / 4 * (1 + 2 * draw.randint(0, 4, num_sync)))
    num_bits = 2 * (len(lines) - num_sync)
    code_bits = np.resize(np.arange(NUM_CODE_BITS), num_bits)[draw.permutation(num_bits)]
    return Layout(lines[:num_sync], lines[num_sync:], phases, code_bits)


def make_pattern(payload: MarkPayload) -> Int8Array:
    """Return the pattern, (MARK_TILE_PX, MARK_TILE_PX) int8; the same payload gives the same."""
    parts = layout()
    signs = encode(payload.to_int())[parts.code_bits]
    values = (signs[0::2] + 1j * signs[1::2]) / np.sqrt(2)
    spectrum = np.zeros((MARK_TILE_PX, MARK_TILE_PX), np.complex128)
    for lines, value in ((parts.sync, parts.phases), (parts.data, values)):
        x, y = lines.T
        spectrum[y % MARK_TILE_PX, x % MARK_TILE_PX] = value
        spectrum[-y % MARK_TILE_PX, -x % MARK_TILE_PX] = np.conj(value)
    tile = np.fft.ifft2(spectrum).real
    scaled = np.rint(tile * (MARK_UNIT / tile.std()))
    pattern: Int8Array = np.clip(scaled, -127, 127).astype(np.int8)
    return pattern


class Mark:
    """The watermark of one session or video; changes with the hour.

    Args:
        installation: Identity.number.
        session: 20 bits; None draws one.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        installation: int,
        session: int | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._installation = installation
        self._session = secrets.randbits(SESSION_BITS) if session is None else session
        self._clock = clock
        self._ends = float("-inf")
        self._begins = float("inf")
        self._pattern = np.zeros((MARK_TILE_PX, MARK_TILE_PX), np.int8)

    @property
    def payload(self) -> MarkPayload:
        """What is marked now."""
        since = self._clock() - EPOCH.timestamp()
        hour = min(max(int(since // HOUR_SECS), 0), (1 << HOUR_BITS) - 1)
        return MarkPayload(self._installation, self._session, hour)

    def pattern(self) -> Int8Array:
        """Return the pattern of now; made anew when the hour has changed."""
        now = self._clock()
        if not self._begins <= now < self._ends:
            payload = self.payload
            self._pattern = make_pattern(payload)
            self._begins = payload.begins.timestamp()
            self._ends = self._begins + HOUR_SECS
        return self._pattern
