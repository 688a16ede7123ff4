"""Files named on the command line, decoded in bounded processes: what the commands open with.

A file from the net may be made to crash its decoder or to fill the memory; the command then ends
with one line, and the machine does not suffer.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from avatar_service.cli.console import say
from avatar_service.confined import (
    GIB,
    Bounds,
    ConfinedWorker,
    WorkFailed,
    confined_items,
    failed_as,
)
from avatar_service.errors import Reason

if TYPE_CHECKING:
    from avatar_service.portrait.image_file import LoadedImage
    from avatar_service.signals import Float32Array, MotionFrame

Value = TypeVar("Value")

BOUNDS: Final = Bounds(memory_bytes=2 * GIB, cpu_secs=120.0, wall_secs=120.0, is_sealed=True)
"""Of one answer. The largest photo takes 1.2 GiB."""
STREAM_BOUNDS: Final = Bounds(memory_bytes=2 * GIB, cpu_secs=1e6, wall_secs=60.0, is_sealed=True)
"""Of a file that is read bit by bit: hours of sound are no fault, a minute without any is."""


@lru_cache(maxsize=1)
def decode_photo(data: bytes) -> LoadedImage:
    """Decode as image_file.load_image does, once where the same one is asked for again."""
    from avatar_service.portrait.image_file import load_image

    return once(Reason.INVALID_IMAGE, "the photo", load_image, data)


def stream_audio(
    path: Path, *, start_secs: float = 0.0, duration_secs: float | None = None
) -> Iterator[Float32Array]:
    """Yield what audio.file.stream_audio yields; tell of a file that lacks its end."""
    from avatar_service.audio import file

    if path.is_file() and (cut := once(Reason.INVALID_FILE, path.name, file.probe_cut, path)):
        promised, there = cut
        say(
            f"note: {path.name} is cut short: {there:.2f} of the {promised:.2f} s "
            "that its header promises are there"
        )
    work = partial(file.stream_audio, start_secs=start_secs, duration_secs=duration_secs)
    return items(path, work, path)


def stream_sound(path: Path, *, start_secs: float, num_channels: int) -> Iterator[Float32Array]:
    """Yield what export.sound.stream_sound yields."""
    from avatar_service.export import sound

    work = partial(sound.stream_sound, start_secs=start_secs, num_channels=num_channels)
    return items(path, work, path)


def count_channels(path: Path) -> int:
    """Tell what export.sound.count_channels tells."""
    from avatar_service.export import sound

    return once(Reason.INVALID_FILE, path.name, sound.count_channels, path)


def has_sound(path: Path) -> bool:
    """Tell what export.sound.has_sound tells."""
    from avatar_service.export import sound

    return once(Reason.INVALID_FILE, path.name, sound.has_sound, path)


def probe_seconds(path: Path) -> float | None:
    """Tell what audio.file.probe_seconds tells."""
    from avatar_service.audio import file

    return once(Reason.INVALID_FILE, path.name, file.probe_seconds, path)


def import_motion(path: Path) -> Iterator[MotionFrame]:
    """Yield what export.formats.import_motion yields."""
    from avatar_service.export import formats

    return items(path, formats.import_motion, path)


@cache
def _worker() -> ConfinedWorker:
    worker = ConfinedWorker(BOUNDS)
    atexit.register(worker.close)
    return worker


def once(reason: Reason, what: str, work: Callable[..., Value], *arguments: object) -> Value:
    """Do one piece of work over there; its failure is blamed on `what` with `reason`."""
    try:
        return _worker().run(work, *arguments)
    except WorkFailed as error:
        raise failed_as(reason, what, error) from error


def items(path: Path, work: Callable[..., Iterator[Any]], *arguments: object) -> Iterator[Any]:
    """Yield what work on a file yields over there; its failure is the file's, INVALID_FILE."""
    try:
        yield from confined_items(STREAM_BOUNDS, work, *arguments)
    except WorkFailed as error:
        raise failed_as(Reason.INVALID_FILE, path.name, error) from error
