"""Ordering and waiting across processes, in plain Python."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
import time
import weakref
from typing import Final

if sys.platform != "win32":
    import fcntl

# System call numbers of futex(2), which has no wrapper in libc.
_FUTEX_CALL: Final = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "i686": 240, "armv7l": 240}
_FUTEX_WAIT: Final = 0
POLL_SECS: Final = 0.001
"""Where there is no futex, the word is looked at this often."""


class Fence:
    """A full memory fence: a lock given back and taken again (release, then acquire).

    x86 keeps the order of loads by itself; ARM does not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def __call__(self) -> None:
        """Order everything before against everything behind."""
        self._lock.release()
        self._lock.acquire()


class WriterWatch:
    """Tells whether who writes a file still holds it by flock(2), as a ring's writer does.

    The kernel takes the lock back however the writer ends, in any pid namespace. On Windows nobody
    holds anything, and only the ring's heartbeat tells.
    """

    def __init__(self, fd: int) -> None:
        self._fd = -1
        if sys.platform != "win32":
            self._fd = os.dup(fd)
            weakref.finalize(self, os.close, self._fd)
        self._was_held = self._is_held()

    @property
    def has_died(self) -> bool:
        """Whether the file was held and no longer is."""
        return self._was_held and not self._is_held()

    def _is_held(self) -> bool:
        if sys.platform == "win32":
            return False
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return False


class _Timespec(ctypes.Structure):
    _fields_ = (("secs", ctypes.c_long), ("nanos", ctypes.c_long))


class WordWaiter:
    """Waits until a 32-bit word in shared memory is no longer what it was."""

    def __init__(self) -> None:
        self._number = _FUTEX_CALL.get(platform.machine()) if sys.platform == "linux" else None
        self._libc = None if self._number is None else ctypes.CDLL(None)

    def wait(self, address: int, value: int, timeout_secs: float) -> None:
        """Return when the word differs from `value`, after the timeout, or now and then early."""
        if timeout_secs <= 0:
            return
        if self._libc is None:
            time.sleep(min(POLL_SECS, timeout_secs))
            return
        secs = int(timeout_secs)
        timeout = _Timespec(secs, int((timeout_secs - secs) * 1e9))
        self._libc.syscall(
            ctypes.c_long(self._number or 0),
            ctypes.c_void_p(address),
            _FUTEX_WAIT,
            ctypes.c_uint(value),
            ctypes.byref(timeout),
            None,
            0,
        )
