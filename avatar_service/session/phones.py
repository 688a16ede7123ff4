"""Known phones on their way to the motion stage: they wait for the place of their segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone, canonical_phones, split_symbol

MAX_PHONES: Final = 10_000
MAX_WAITING: Final = 64
"""Lists of phones that may wait for their audio."""


@dataclass(frozen=True, slots=True)
class KnownPhones:
    """Phones of one segment, checked.

    Attributes:
        segment_id: "" for the open segment, or the next where none is open.
        phones: symbols of `alphabet`, seconds from the segment's first sample.
        num_ignored: symbols that the alphabet does not have.
    """

    segment_id: str
    alphabet: str
    phones: tuple[TimedPhone, ...]
    num_ignored: int = 0


@dataclass(frozen=True, slots=True)
class PlacedPhones:
    """Phones with the session time of their zero."""

    known: KnownPhones
    pts_nanos: int


def check_number(count: int) -> None:
    """Raise INVALID_FIELD for more phones than come at once."""
    if count > MAX_PHONES:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"phones: {count} at once; {MAX_PHONES} are allowed",
            field="phones",
        )


def check_phones(segment_id: str, alphabet: str, phones: Sequence[TimedPhone]) -> KnownPhones:
    """Leave out unknown symbols and check the rest. Raises INVALID_FIELD for times and number."""
    check_number(len(phones))
    voiced = [phone for phone in phones if phone.symbol]  # the empty symbol is silence, as a gap is
    usable = tuple(phone for phone in voiced if _is_known(phone.symbol, alphabet))
    canonical_phones(usable, alphabet)
    return KnownPhones(segment_id, alphabet, usable, len(voiced) - len(usable))


class PhoneQueue:
    """Phones that wait for their segment, and phones that wait for the scheduler."""

    def __init__(self) -> None:
        self._waiting: list[KnownPhones] = []
        self._placed: list[PlacedPhones] = []

    def add(self, known: KnownPhones, open_segment: tuple[str, int] | None) -> None:
        """Take phones in; `open_segment` is the id and pts of the segment that now has a place.

        Raises QUOTA_EXCEEDED where too many wait.
        """
        if open_segment is not None and known.segment_id in ("", open_segment[0]):
            self._placed.append(PlacedPhones(known, open_segment[1]))
        elif len(self._waiting) >= MAX_WAITING:
            raise AvatarError(
                Reason.QUOTA_EXCEEDED, f"phones of {MAX_WAITING} segments wait for their audio"
            )
        else:
            self._waiting.append(known)

    def place(self, segment_id: str, pts_nanos: int) -> None:
        """Take note that a segment has found its place."""
        mine = [known for known in self._waiting if known.segment_id in ("", segment_id)]
        self._waiting = [known for known in self._waiting if known not in mine]
        self._placed += [PlacedPhones(known, pts_nanos) for known in mine]

    def take(self) -> list[PlacedPhones]:
        """Hand out what can go to the motion stage."""
        placed, self._placed = self._placed, []
        return placed

    def clear(self) -> None:
        """Forget everything (barge-in)."""
        self._waiting, self._placed = [], []


def _is_known(symbol: str, alphabet: str) -> bool:
    try:
        split_symbol(symbol, alphabet)
    except AvatarError:
        return False
    return True
