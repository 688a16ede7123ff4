"""Files that only this user may read, written whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from avatar_service.orphans import OwnedFile, may_be_owned, reclaim

_ASIDE: Final = ".new-"


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user can enter, or see that it is one. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_private(path: Path, data: bytes, *, keeps_first: bool = False) -> None:
    """Write a file of mode 0600, on disk when this returns; its folder is made where needed.

    Args:
        path: where; what lies there is replaced.
        data: all of it.
        keeps_first: leave a file that is there as it is: of several processes that make one at the
            same time the first wins.

    Raises:
        OSError: it cannot be written; nothing half-written stays, but for a kill, after which
            `erase_left_over` finds it.
    """
    make_private_folder(path.parent)
    with OwnedFile(path.parent, _ASIDE) as aside:
        aside.file.write(data)
        aside.sync()
        if keeps_first:
            _link(aside, path)
        else:
            aside.rename(path)
        sync_folder(path.parent)


def erase_left_over(folder: Path) -> None:
    """Erase what killed processes had half written with `write_private`."""
    reclaim(folder, _ASIDE, spares=may_be_owned)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 into a folder that is there, on disk when this returns.

    Raises:
        OSError: it cannot be written, or is there.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_synced(scratch: Path, path: Path) -> None:
    """Give a finished file its name, on disk when this returns, also if the power fails then.

    Args:
        scratch: the file, on the same file system.
        path: its name; what lies there is replaced, in one step.

    Raises:
        OSError: it cannot be done.
    """
    sync_file(scratch)
    os.replace(scratch, path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Have what a file holds on disk when this returns. Raises OSError."""
    with open(path, "r+b" if sys.platform == "win32" else "rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk when this returns. Raises OSError."""
    if sys.platform == "win32":
        return  # no folder can be opened there; NTFS keeps a journal of names
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(aside: OwnedFile, path: Path) -> None:
    try:
        os.link(aside.path, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links: the moment between is the risk that is left
        if not path.exists():
            aside.rename(path)
