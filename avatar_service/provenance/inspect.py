"""What a file tells of its making: its watermarks, and whose session they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from avatar_service.provenance.consent_book import ConsentBook
from avatar_service.provenance.mark_reader import CLIP_FRAMES, ClipMean, MarkReading
from avatar_service.provenance.watermark import MarkPayload
from avatar_service.signals import UInt8Array

LAST_CLIP: Final = 4096
"""Without `look_at_all` no later clip is looked at: over an hour into a video."""
ENOUGH: Final = 3
"""Clips with the same mark after which a video is not read further."""


@dataclass(slots=True)
class FoundMark:
    """One mark in a file, and where.

    Attributes:
        clips: seconds at which the clips begin that bear it; 0 for a picture.
        best: the reading with the most agreement.
    """

    best: MarkReading
    clips: list[float] = field(default_factory=list)


def read_clips(
    frames: Iterable[tuple[float, UInt8Array]], *, look_at_all: bool = False
) -> Iterator[tuple[float, MarkReading | None]]:
    """Read the marks of a video, clip by clip.

    Clips of a second are looked at, without `look_at_all` the first three and the 4th, 8th, 16th
    ... until ENOUGH agree; where none bears a mark that can be read, all that was looked at is read
    as one: a mark too faint in a second may stand out in a minute.

    Args:
        frames: seconds and (height, width, 3) uint8 RGB, in order.
        look_at_all: read every clip.

    Yields:
        Where each clip begins, seconds, and its mark; None for no mark or a clip not looked at.
    """
    counts: dict[MarkPayload, int] = {}
    whole = ClipMean()
    for number, (start, clip) in enumerate(_clips(frames), 1):
        if not look_at_all and number & (number - 1) and number > 3:
            yield start, None
            continue
        mean = ClipMean()
        for pixels in clip:
            mean.add(pixels)
            whole.add(pixels)
        reading = mean.read()
        yield start, reading
        if reading is not None:
            counts[reading.payload] = counts.get(reading.payload, 0) + 1
        if not look_at_all and (ENOUGH in counts.values() or number >= LAST_CLIP):
            break
    if not counts:
        yield 0.0, whole.read()


def gather(readings: Iterable[tuple[float, MarkReading | None]]) -> list[FoundMark]:
    """Put the readings of a file together by what they tell, in the order of the first."""
    found: dict[MarkPayload, FoundMark] = {}
    for start, reading in readings:
        if reading is None:
            continue
        mark = found.setdefault(reading.payload, FoundMark(reading))
        mark.clips.append(start)
        if reading.agreement > mark.best.agreement:
            mark.best = reading
    return list(found.values())


def mark_facts(mark: FoundMark, book: ConsentBook | None) -> dict[str, Any]:
    """Return what a mark tells; with the consents of an installation also who was shown."""
    reading, payload = mark.best, mark.best.payload
    facts: dict[str, Any] = {
        "installation": payload.installation_text,
        "session": payload.session_text,
        "hour": payload.begins.isoformat(),
        "seconds": [round(second, 2) for second in mark.clips],
        "agreement": round(reading.agreement, 3),
        "scale": round(reading.scale, 3),
        "turn_degrees": round(reading.turn_degrees, 2),
        "is_mirrored": reading.is_mirrored,
        "is_own": False,
        "shown": [],
    }
    if book is not None and book.installation.identity.number == payload.installation:
        facts["is_own"] = True
        facts["shown"] = [
            {"since": since.isoformat(), "photo_sha256": photo, "purpose": purpose}
            for since, photo, purpose in book.shown_under(payload.session_text)
        ]
    return facts


def _clips(
    frames: Iterable[tuple[float, UInt8Array]],
) -> Iterator[tuple[float, list[UInt8Array]]]:
    """Cut a video into clips; a last one of less than half is left out unless it is alone."""
    start, num_clips = 0.0, 0
    clip: list[UInt8Array] = []
    for seconds, pixels in frames:
        if not clip:
            start = seconds
        clip.append(pixels)
        if len(clip) == CLIP_FRAMES:
            num_clips += 1
            yield start, clip
            clip = []
    if clip and (not num_clips or len(clip) >= CLIP_FRAMES // 2):
        yield start, clip
