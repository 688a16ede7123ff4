"""Telling what a dead process left behind from what a living one uses.

POSIX: the owner holds an exclusive flock(2) on its file or folder for as long as it lives (a child
forked without exec shares it); the kernel gives the lock back however the owner ends, so what can
be locked is an orphan, in any pid namespace. Windows: an open file cannot be deleted, so what can
be deleted is an orphan.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def lock(fd: int) -> None:
    """Mark an open file or folder as owned until it is closed or the process ends.

    Raises:
        BlockingIOError: somebody owns it.
    """
    if sys.platform != "win32":
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def reclaim(folder: Path, prefix: str) -> list[Path]:
    """Remove this user's orphans in `folder` whose names begin with `prefix`; return them."""
    removed = []
    for path in sorted(folder.glob(prefix + "*")):
        # Owned, somebody else's, or gone since.
        with contextlib.suppress(OSError):
            _remove_orphan(path)
            removed.append(path)
    return removed


def _remove_orphan(path: Path) -> None:
    if sys.platform == "win32":
        _remove(path)
        return
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if os.fstat(fd).st_uid != os.getuid():
            raise PermissionError(f"{path} is another user's")
        lock(fd)
        # Under the lock: its maker, if it is only now being made, fails to lock it and retries.
        _remove(path)
    finally:
        os.close(fd)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
