"""Files that only this user may read, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


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
        OSError: it cannot be written; nothing half-written stays.
    """
    make_private_folder(path.parent)
    handle, scratch = tempfile.mkstemp(prefix=".new-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if keeps_first:
            _link(scratch, path)
        else:
            os.replace(scratch, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)


def _link(scratch: str, path: Path) -> None:
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links: the moment between is the risk that is left
        if not path.exists():
            os.replace(scratch, path)
