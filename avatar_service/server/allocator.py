"""How the C library keeps the service's memory: what a session gives back leaves the process.

glibc raises its limit for blocks mapped on their own whenever such a block is freed, up to 32 MiB
(mallopt(3), "dynamic mmap threshold"). Textures of sessions that come and go then lie in arenas
among small blocks that stay, and the arenas grow: 288 short visits took 780 MiB without the limits
below, and 540 with them.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""malloc.h of glibc."""
MAPPED_FROM_BYTES: Final = 1 << 20
"""Larger blocks are mapped on their own. Smaller ones, such as a frame's JPEG, are not: a mapping
costs a system call and a fault per page."""
KEPT_FREE_BYTES: Final = 1 << 20
"""At the top of the heap, for the next to ask."""
MAX_ARENAS: Final = 2
"""The main one and one for all other threads, of which the scheduler's workers allocate little."""


def return_freed_memory() -> bool:
    """Set glibc's limits for this process; call it before threads start.

    Returns:
        Whether they were set; other C libraries have no such limits.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # TypeError: Windows wants a name
        return False
    limits = {
        _M_MMAP_THRESHOLD: MAPPED_FROM_BYTES,
        _M_TRIM_THRESHOLD: KEPT_FREE_BYTES,
        _M_ARENA_MAX: MAX_ARENAS,
    }
    return all(mallopt(name, value) for name, value in limits.items())
