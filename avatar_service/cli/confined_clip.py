"""Videos named on the command line, opened and decoded in a bounded process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from avatar_service.cli import decoding
from avatar_service.errors import Reason
from avatar_service.tracking.video import Picture, VideoClip


class ConfinedClip(VideoClip):
    """A VideoClip whose file is opened and decoded elsewhere."""

    def __init__(
        self, path: Path, *, start_secs: float = 0.0, duration_secs: float | None = None
    ) -> None:
        work = partial(VideoClip, start_secs=start_secs, duration_secs=duration_secs)
        self._clip = decoding.once(Reason.INVALID_FILE, path.name, work, path)
        self.__dict__.update(self._clip.__dict__)  # what the file's head told

    def pictures(self) -> Iterator[Picture]:
        """Yield what VideoClip yields."""
        return decoding.items(self.path, VideoClip.pictures, self._clip)
