"""Ordering and waking across processes, in plain Python."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import sys
import threading
from pathlib import Path
from typing import Final

# System call numbers of futex(2), which has no wrapper in libc.
_FUTEX_CALL: Final = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "i686": 240, "armv7l": 240}
_FUTEX_WAKE: Final = 1
_WAKE_ALL: Final = 0x7FFFFFFF


class Fence:
    """A full memory fence in plain Python.

    x86 keeps the order of stores anyway. ARM does not, and Python has no fence of its own; giving
    a lock back and taking it again is a store-release followed by a load-acquire, across which
    neither side may be reordered (Arm ARM, B2.3: a release is ordered before a later acquire).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def __call__(self) -> None:
        """Order everything before against everything behind."""
        self._lock.release()
        self._lock.acquire()


class FutexWaker:
    """Wakes all who wait on a 32-bit word in shared memory; does nothing beside Linux."""

    def __init__(self) -> None:
        number = _FUTEX_CALL.get(platform.machine()) if sys.platform == "linux" else None
        self._number = number
        self._libc = None if number is None else ctypes.CDLL(None)

    def __call__(self, address: int) -> None:
        """Wake the waiters on the word at `address`."""
        if self._libc is not None:
            self._libc.syscall(
                ctypes.c_long(self._number or 0),
                ctypes.c_void_p(address),
                _FUTEX_WAKE,
                _WAKE_ALL,
                None,
                None,
                0,
            )


def process_start_ticks() -> int:
    """Return when this process started, clock ticks since boot (proc(5), field 22); 0 unknown."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # The second field, the name in brackets, may hold spaces.
        rest = Path("/proc/self/stat").read_text().rpartition(")")[2]
        return int(rest.split()[19])
    return 0
