"""Files that are being written, beside the name that they will get, until they are whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.orphans import OwnedFile, may_be_owned, reclaim

SUFFIX: Final = ".part"


def begin_part(output: Path) -> OwnedFile:
    """Make an empty file beside `output`, of the mode that a new file gets.

    What killed writers of the same output left there goes.

    Raises:
        OSError: it cannot be made.
    """
    remove_stale(output)
    return OwnedFile(output.parent, _prefix(output), SUFFIX, mode=0o666)


def remove_stale(output: Path) -> None:
    """Remove what killed writers of the same output left beside it."""
    reclaim(output.parent, _prefix(output), SUFFIX, spares=may_be_owned)


def _prefix(output: Path) -> str:
    return f".{output.name}."


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
