"""Files that are being written, beside the name they will get, and those that a kill left behind.

Each is locked by the process that writes it. A process that is killed lets go of its lock, and the
next one that writes the same output removes what it left.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import sys
import weakref
from pathlib import Path
from typing import Final

from avatar_service.errors import AvatarError, Reason

if sys.platform != "win32":
    import fcntl

SUFFIX: Final = ".part"


class PartFile:
    """An empty, locked file beside `output`; `path` is its name, `fd` its descriptor.

    It is gone once nobody holds it or the process ends, unless it has got another name by then: an
    interrupt may come at any moment, also before its writer could say what to do then.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, output: Path) -> None:
        remove_stale(output)
        self.path = output.with_name(f".{output.name}.{secrets.token_hex(4)}{SUFFIX}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self.fd = os.open(self.path, flags, 0o666)
        self._drop = weakref.finalize(self, _drop, self.path, self.fd, os.getpid())
        _lock(self.fd)

    def close(self) -> None:
        """Remove what has not got another name, and let go of the lock; idempotent."""
        self._drop()
        self.fd = -1


def _drop(path: Path, fd: int, pid: int) -> None:
    if os.getpid() != pid:  # a fork has a copy of everything but the right to remove the file
        return
    if sys.platform == "win32":
        os.close(fd)  # an open file cannot be removed there
        path.unlink(missing_ok=True)
        return
    path.unlink(missing_ok=True)  # before another writer can take it for one that was left behind
    os.close(fd)


def remove_stale(output: Path) -> None:
    """Remove what killed writers of the same output left beside it."""
    if sys.platform == "win32":
        return  # an open file cannot be removed there, but nor can it be told apart
    for name in output.parent.glob(f".{glob.escape(output.name)}.*{SUFFIX}"):
        with contextlib.suppress(OSError):
            fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _lock(fd):
                    name.unlink()
            finally:
                os.close(fd)


def _lock(fd: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def check_writable(path: Path) -> None:
    """Refuse an output file whose folder is absent or cannot be written to.

    Raises:
        AvatarError: INVALID_FILE.
    """
    if path.is_dir():
        raise AvatarError(Reason.INVALID_FILE, f"output {path} is a folder, a file is needed")
    folder = path.parent
    if not folder.is_dir():
        raise AvatarError(Reason.INVALID_FILE, f"output folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise AvatarError(Reason.INVALID_FILE, f"output folder {folder} cannot be written to")
