"""What this process takes of the machine, by Linux's proc(5); elsewhere it is not known."""

from __future__ import annotations

import os
from pathlib import Path

PROC: Path = Path("/proc/self")


def resident_bytes() -> int:
    """Return the resident memory, shared memory included; 0 where it is not known."""
    try:
        pages = int((PROC / "statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    """Return the number of open file descriptors; 0 where it is not known."""
    try:
        return len(os.listdir(PROC / "fd")) - 1  # the listing's own
    except OSError:
        return 0
