"""Values made of files, made anew when the files change: rotation without a restart.

A new value takes the old one's place whole, or not at all: files that are missing, half-written or
wrong leave the value that holds in force and are told to the log once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from avatar_service.errors import AvatarError, Reason

log = logging.getLogger(__name__)

SETTLE_NANOS: Final = 2_000_000_000
"""Files written this shortly before they were read may have been written on within the same tick
of the file system's clock: they are read once more."""
MAX_FILE_BYTES: Final = 1 << 20

Value = TypeVar("Value")
_Stamp = tuple[tuple[int, int, int, int] | None, ...]


class ReloadedFiles(Generic[Value]):
    """The newest good value of some files.

    Args:
        paths: the files; links are followed, so that a swapped link counts as a change.
        load: makes the value; raises AvatarError where it cannot.

    Raises:
        AvatarError: of `load`, at the start only.
    """

    def __init__(self, paths: Sequence[Path], load: Callable[[], Value]) -> None:
        self._paths = tuple(paths)
        self._load = load
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._is_settled = self._is_old(self._stamp)
        self.value: Value = load()

    def poll(self) -> bool:
        """Read again where something changed; return whether there is another value. Blocking."""
        with self._lock:
            return self._poll()

    def _poll(self) -> bool:
        stamp = self._look()
        if stamp == self._stamp and self._is_settled:
            return False
        is_new = stamp != self._stamp
        self._stamp, self._is_settled = stamp, self._is_old(stamp)
        try:
            value = self._load()
        except AvatarError as error:
            if is_new:
                log.error("not taken over, what was read before holds: %s", error.message)
            return False
        has_changed = value != self.value
        self.value = value
        return has_changed

    def _look(self) -> _Stamp:
        return tuple(_stamp_of(path) for path in self._paths)

    def _is_old(self, stamp: _Stamp) -> bool:
        newest = max((one[0] for one in stamp if one is not None), default=0)
        return time.time_ns() - newest > SETTLE_NANOS


def read_small(path: Path, field: str) -> bytes:
    """Read a file of an option. Raises INVALID_FIELD with one line."""
    try:
        if not path.is_file() and path.exists():  # a FIFO or a device would be waited for
            raise AvatarError(Reason.INVALID_FIELD, f"{field}: {path} is not a file", field=field)
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FIELD, f"{field}: cannot read {path}: {error.strerror}", field=field
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"{field}: {path} is larger than {MAX_FILE_BYTES} bytes",
            field=field,
        )
    return content


def warn_if_readable_by_others(path: Path, field: str) -> None:
    """Tell the log of a secret that other users of this machine can read."""
    if os.name == "posix" and path.stat().st_mode & 0o007:
        log.warning("%s: %s can be read by every user of this machine; chmod 600", field, path)


def _stamp_of(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
