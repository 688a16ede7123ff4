"""Telling what a dead process left behind from what a living one uses.

POSIX: the owner holds an exclusive flock(2) on its file or folder for as long as it lives (a child
forked without exec shares it); the kernel gives the lock back however the owner ends, so what can
be locked is an orphan, in any pid namespace. Windows: an open file cannot be deleted, so what can
be deleted is an orphan.
"""

from __future__ import annotations

import abc
import contextlib
import glob
import os
import secrets
import shutil
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

WINDOWS_LEFT_OVER_SECS: Final = 3600.0
"""Where nothing tells whose something is: longer than anything takes to be made."""

if sys.platform != "win32":
    import fcntl


def lock(fd: int) -> None:
    """Mark an open file or folder as owned until it is closed or the process ends.

    Raises:
        BlockingIOError: somebody owns it.
    """
    if sys.platform != "win32":
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


class _Owned(abc.ABC):
    @abc.abstractmethod
    def close(self) -> None:
        """Remove it and let go; idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class OwnedFolder(_Owned):
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
        return _is_ours(self._fd, self.path)

    def close(self) -> None:
        """Remove it and let go; idempotent."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class OwnedFile(_Owned):
    """A new file that nobody reclaims before it is closed or the process ends.

    Leaving the block removes it, unless it has got a name of its own by then; so does the end of
    its owner or of the process, as an interrupt may come at any moment. Where a file system cannot
    lock files (NFS), nobody can tell that one is an orphan, and what a killed process left stays.

    Attributes:
        path: its first name.
        file: open for writing.

    Args:
        folder: to make it in.
        prefix, suffix: of its first name.
        mode: its permissions, less the umask.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path, prefix: str, suffix: str = "", *, mode: int = 0o600) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        while True:
            self.path = folder / (prefix + secrets.token_hex(8) + suffix)
            self.file: BinaryIO = os.fdopen(os.open(self.path, flags, mode), "wb")
            self._drop = weakref.finalize(self, _drop, self.path, self.file, os.getpid())
            if _is_ours(self.file.fileno(), self.path):
                return
            self.close()  # taken for an orphan before it was locked

    def sync(self) -> None:
        """Have what was written on disk when this returns. Raises OSError."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def rename(self, path: Path) -> None:
        """Give it its own name; what lies there is replaced, in one step. Raises OSError."""
        self.file.flush()
        if sys.platform == "win32":
            self.file.close()  # an open file gets no other name there
        os.replace(self.path, path)

    def close(self) -> None:
        """Remove what still has the first name and let go; idempotent."""
        self._drop()


def _drop(path: Path, file: BinaryIO, pid: int) -> None:
    if os.getpid() != pid:  # a fork has a copy of everything but the right to remove the file
        return
    if sys.platform == "win32":
        file.close()  # an open file cannot be removed there
    path.unlink(missing_ok=True)  # while it is locked: nobody else does
    file.close()


def _is_ours(fd: int, path: Path) -> bool:
    """Own what was just made; False where it was taken for an orphan before."""
    try:
        lock(fd)
    except BlockingIOError:
        return False
    except OSError:  # no locks here: see OwnedFile
        return True
    return path.exists()


def may_be_owned(path: Path) -> bool:
    """On Windows, where nothing tells whether its maker lives, what is young is left alone."""
    if sys.platform != "win32":
        return False
    return time.time() - path.stat().st_mtime < WINDOWS_LEFT_OVER_SECS


def reclaim(
    folder: Path,
    prefix: str,
    suffix: str = "",
    *,
    spares: Callable[[Path], bool] = lambda _: False,
) -> list[Path]:
    """Remove this user's orphans; return them.

    Args:
        folder: where they lie.
        prefix: begin of their names.
        suffix: end of their names.
        spares: whether one is left where it is, as `may_be_owned` tells it of what its maker may
            have without an open file in it.
    """
    removed: list[Path] = []
    try:
        found = sorted(folder.glob(f"{glob.escape(prefix)}*{glob.escape(suffix)}"))
    except OSError:  # a folder that cannot be looked into
        return removed
    for path in found:
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
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
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
