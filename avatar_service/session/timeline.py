"""The audio line of a session: speech segments laid out in time, virtual silence between them.

Positions are samples of 16 kHz mono since session start; one sample is exactly 62 500 ns, so that
sample positions and pts convert without rounding. The line knows no clock: whoever appends says
the earliest position that is still possible, whoever reads says how far.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import AudioChunk, AudioRole, Float32Array, SegmentEnd

SAMPLE_RATE_HZ: Final = 16_000
SAMPLE_NANOS: Final = 62_500


def sample_from(pts_nanos: int) -> int:
    """Return the first sample that is not before `pts_nanos`."""
    return -(-pts_nanos // SAMPLE_NANOS)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where appended samples came to stand.

    Attributes:
        pts_nanos: time of the first appended sample.
        starts_segment: True for the first samples of their segment.
        gap_nanos: silence that had to stand in for this segment's late samples, 0 if none.
    """

    pts_nanos: int
    starts_segment: bool
    gap_nanos: int


@dataclass(frozen=True, slots=True)
class Starvation:
    """An open segment ran out of samples here; silence stands in until more arrive."""

    pts_nanos: int
    segment_id: str


LineItem = AudioChunk | SegmentEnd | Starvation


@dataclass(slots=True)
class _OpenSegment:
    segment_id: str
    is_placed: bool = False
    starved_at: int | None = None


class AudioLine:
    """One voice's line. `append` lays samples down, `read` hands out everything up to a time."""

    def __init__(self, *, role: AudioRole, ahead_limit_secs: float) -> None:
        self.epoch = 0
        self._role = role
        self._limit = round(ahead_limit_secs * SAMPLE_RATE_HZ)
        self._front = 0
        self._end = 0
        self._spans: deque[tuple[int, Float32Array]] = deque()
        self._ends: deque[tuple[int, str]] = deque()
        self._open: _OpenSegment | None = None

    @property
    def front(self) -> int:
        """First sample that was not yet read."""
        return self._front

    @property
    def end(self) -> int:
        """Where the queued samples and segment ends stop; not before `front`."""
        return max(self._end, self._front)

    @property
    def open_segment_id(self) -> str | None:
        """The segment that still receives samples."""
        return None if self._open is None else self._open.segment_id

    @property
    def has_queued(self) -> bool:
        """Whether samples or segment ends wait to be read."""
        return bool(self._spans or self._ends)

    def check_room(self, num_samples: int) -> None:
        """Raise AUDIO_TOO_FAR_AHEAD if `num_samples` more would pass the limit."""
        ahead = self.end - self._front + num_samples
        if ahead > self._limit:
            raise AvatarError(
                Reason.AUDIO_TOO_FAR_AHEAD,
                f"{ahead / SAMPLE_RATE_HZ:.1f} s of audio would wait; "
                f"{self._limit / SAMPLE_RATE_HZ:.1f} s is allowed",
                field="audio",
            )

    def begin(self, segment_id: str) -> None:
        """Open a segment; an open one ends where its samples stop."""
        self.finish()
        self._open = _OpenSegment(segment_id)

    def append(self, samples: Float32Array, earliest: int) -> Placement:
        """Lay `samples` (num_samples,) behind what waits, but not before sample `earliest`.

        Within a segment samples follow each other without gaps, unless it has starved.
        """
        if self._open is None:
            raise ValueError("no open segment")
        segment, gap = self._open, 0
        if not segment.is_placed:
            start = max(self.end, earliest)
        elif segment.starved_at is not None:
            start = max(self.end, earliest)
            gap = start - segment.starved_at
            segment.starved_at = None
        else:
            start = self._end
        placement = Placement(start * SAMPLE_NANOS, not segment.is_placed, gap * SAMPLE_NANOS)
        if len(samples):
            segment.is_placed = True
            self._spans.append((start, samples))
            self._end = start + len(samples)
        return placement

    def finish(self) -> None:
        """End the open segment where its samples stop."""
        if self._open is None:
            return
        starved = self._open.starved_at
        at = self.end if starved is None else max(starved, self._front)
        self._ends.append((at, self._open.segment_id))
        self._end = at
        self._open = None

    def clear(self, epoch: int) -> list[str]:
        """Drop what waits and start `epoch`; return the ids of the segments cut short."""
        cut = [segment_id for _, segment_id in self._ends]
        if self._open is not None:
            cut.append(self._open.segment_id)
        self._spans.clear()
        self._ends.clear()
        self._open = None
        self._end = self._front
        self.epoch = epoch
        return cut

    def read(self, until: int) -> list[LineItem]:
        """Hand out everything from `front` up to sample `until`, without gaps."""
        items: list[LineItem] = []
        while self._front < until or (self._ends and self._ends[0][0] <= self._front):
            if self._ends and self._ends[0][0] <= self._front:
                at, segment_id = self._ends.popleft()
                items.append(SegmentEnd(at * SAMPLE_NANOS, self.epoch, segment_id, self._role))
            elif self._spans and self._spans[0][0] <= self._front:
                items.append(self._take_span(until))
            else:
                self._note_starvation(items)
                stops = [until]
                if self._spans:
                    stops.append(self._spans[0][0])
                if self._ends:
                    stops.append(self._ends[0][0])
                items.append(self._take_silence(min(stops)))
        return items

    def _take_span(self, until: int) -> AudioChunk:
        """Take the speech that waits here in one piece, up to a segment's end at most."""
        first, parts = self._front, []
        if self._ends:
            until = min(until, self._ends[0][0])
        while self._front < until and self._spans and self._spans[0][0] <= self._front:
            start, samples = self._spans.popleft()
            taken = samples[: until - start]
            if len(taken) < len(samples):
                self._spans.appendleft((start + len(taken), samples[len(taken) :]))
            self._front = start + len(taken)
            parts.append(taken)
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return AudioChunk(joined, first * SAMPLE_NANOS, self.epoch, self._role, is_speech=True)

    def _take_silence(self, until: int) -> AudioChunk:
        start, self._front = self._front, until
        silence = np.zeros(until - start, np.float32)
        return AudioChunk(silence, start * SAMPLE_NANOS, self.epoch, self._role, is_speech=False)

    def _note_starvation(self, items: list[LineItem]) -> None:
        segment = self._open
        if segment is None or not segment.is_placed or self._spans:
            return
        if segment.starved_at is None:
            segment.starved_at = self._front
            items.append(Starvation(self._front * SAMPLE_NANOS, segment.segment_id))


def join(speak: list[LineItem], listen: AudioLine) -> list[LineItem]:
    """Add the partner's voice, read in step, to the stretches of the avatar's own line.

    The own line stays without gaps; the partner's chunks stand before the stretch they accompany.
    """
    joined: list[LineItem] = []
    for item in speak:
        if isinstance(item, AudioChunk):
            for heard in listen.read(item.pts_nanos // SAMPLE_NANOS + len(item.samples)):
                if isinstance(heard, SegmentEnd) or (
                    isinstance(heard, AudioChunk) and heard.is_speech
                ):
                    joined.append(heard)
        joined.append(item)
    return joined
