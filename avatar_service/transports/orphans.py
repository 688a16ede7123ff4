"""Telling what a dead process left behind from what a living one uses.

POSIX: the owner holds an exclusive flock(2) on its file or folder for as long as it lives (a child
forked without exec shares it); the kernel gives the lock back however the owner ends, so what can
be locked is an orphan, in any pid namespace. Windows: an open file cannot be deleted, so what can
be deleted is an orphan.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

if sys.platform != "win32":
    import fcntl


def lock(fd: int) -> None:
    """Mark an open file or folder as owned until it is closed or the process ends.

    Raises:
        BlockingIOError: somebody owns it.
    """
    if sys.platform != "win32":
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


class OwnedFolder:
    """A new folder, mode 0700, that nobody reclaims before it is closed or the process ends.

    Leaving the block removes what still has this name. Where a file system cannot lock folders
    (NFS), nobody can tell that one is an orphan, and it stays.

    Args:
        parent: folder to make it in.
        prefix: begin of its name.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        self._fd = -1
        while True:
            self.path = parent / (prefix + secrets.token_hex(8))
            self.path.mkdir(mode=0o700)
            try:
                if sys.platform == "win32" or self._own():
                    return
            except BaseException:
                self.close()
                raise
            self.close()  # taken for an orphan before it was locked

    def _own(self) -> bool:
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            lock(self._fd)
        except BlockingIOError:
            return False
        except OSError:  # no locks here: see the class
            return True
        return self.path.is_dir()

    def close(self) -> None:
        """Remove it and let go; idempotent."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def reclaim(
    folder: Path, prefix: str, *, spares: Callable[[Path], bool] = lambda _: False
) -> list[Path]:
    """Remove this user's orphans; return them.

    Args:
        folder: where they lie.
        prefix: begin of their names.
        spares: whether one is left where it is: on Windows a folder without open files tells
            nothing of its owner.
    """
    removed = []
    for path in sorted(folder.glob(prefix + "*")):
        # Owned, somebody else's, or gone since.
        with contextlib.suppress(OSError):
            if spares(path):
                continue
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
