"""Files in shared memory: created whole, private, and reclaimed when their writer has died.

POSIX: files under /dev/shm (else the user's temporary folder), locked by their writer (flock)
for as long as it lives; the kernel gives the lock back however the writer ends, so a file whose
lock is free is an orphan, in any pid namespace. Windows: files in the temporary folder; an orphan
is one that can be deleted, because nobody has it open.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import secrets
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from avatar_service.errors import AvatarError, Reason

if sys.platform != "win32":
    import fcntl
    import grp

PREFIX: Final = "avatar-ring-"
MIB: Final = 1 << 20

# System call numbers of futex(2), which has no wrapper in libc.
_FUTEX_CALL: Final = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "i686": 240, "armv7l": 240}
_FUTEX_WAKE: Final = 1
_WAKE_ALL: Final = 0x7FFFFFFF


def default_folder() -> Path:
    """Return the platform's folder for shared memory."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() else Path(tempfile.gettempdir())


def check_space(folder: Path, num_bytes: int) -> None:
    """Check that a file of this size fits.

    Raises:
        AvatarError: STORAGE_EXHAUSTED, with what is there and what to do.
    """
    if not hasattr(os, "statvfs"):
        return
    try:
        stat = os.statvfs(folder)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FILE, f"shared memory {folder}: {error.strerror}"
        ) from error
    free = stat.f_bavail * stat.f_frsize
    if free < num_bytes:
        raise _exhausted(folder, num_bytes, free, stat.f_blocks * stat.f_frsize)


def _exhausted(folder: Path, num_bytes: int, free: int, total: int) -> AvatarError:
    return AvatarError(
        Reason.STORAGE_EXHAUSTED,
        f"shared memory {folder} has {free / MIB:.1f} of {total / MIB:.0f} MiB free, a ring needs "
        f"{num_bytes / MIB:.1f} MiB; close sessions or enlarge it (containers default to 64 MiB: "
        "docker run --shm-size=1g)",
    )


class SharedFile:
    """A file of fixed size, mapped for writing, that readers find under `path` once shown.

    It is made under a name that no reader knows; `show` renames it into place when its content is
    complete.

    Args:
        folder: where; None: the platform's place.
        num_bytes: size, all of it allotted at once: a later write cannot fail.
        group: group that may read (mode 0640); None: this user alone (0600).

    Raises:
        AvatarError: STORAGE_EXHAUSTED, or INVALID_FIELD for an unknown group.
    """

    def __init__(self, folder: Path | None, num_bytes: int, *, group: str | None = None) -> None:
        self.folder = folder or default_folder()
        check_space(self.folder, num_bytes)
        group_id = None if group is None else _group_id(group)
        name = PREFIX + secrets.token_hex(16)
        self.path = self.folder / name
        self._temporary = self.folder / f"{name}.tmp"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self._temporary, flags, 0o600)
        try:
            # Before the size: who reclaims in between takes the lock first, and `show` fails.
            _lock(self._fd)
            self._allot(num_bytes)
            if group_id is not None:
                os.fchown(self._fd, -1, group_id)
                os.fchmod(self._fd, 0o640)
            self.map = mmap.mmap(self._fd, num_bytes)
        except BaseException:
            os.close(self._fd)
            self._temporary.unlink(missing_ok=True)
            raise

    def _allot(self, num_bytes: int) -> None:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._fd, 0, num_bytes)
            else:
                os.truncate(self._fd, num_bytes)
        except OSError as error:
            raise AvatarError(
                Reason.STORAGE_EXHAUSTED,
                f"shared memory {self.folder} cannot hold {num_bytes / MIB:.1f} MiB more: "
                f"{error.strerror}",
            ) from error

    def show(self) -> None:
        """Let readers find the file under `path`."""
        os.replace(self._temporary, self.path)

    def close(self) -> None:
        """Remove the file; mappings live on until their holders let go. Idempotent."""
        if self._fd < 0:
            return
        if sys.platform == "win32":
            # An open file cannot be deleted there; where a reader still has it open, the next
            # start reclaims it.
            os.close(self._fd)
            with contextlib.suppress(BufferError):
                self.map.close()
            for path in (self.path, self._temporary):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
        else:
            self.path.unlink(missing_ok=True)
            self._temporary.unlink(missing_ok=True)
            os.close(self._fd)
        self._fd = -1


def reclaim(folder: Path | None = None) -> list[Path]:
    """Remove the files of writers that have died; return their paths."""
    removed = []
    for path in sorted((folder or default_folder()).glob(PREFIX + "*")):
        with contextlib.suppress(OSError):
            if _is_orphan(path):
                path.unlink()
                removed.append(path)
    return removed


def _is_orphan(path: Path) -> bool:
    if sys.platform == "win32":
        return True  # deleting fails where somebody has it open
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if os.fstat(fd).st_uid != os.getuid():
            return False
        _lock(fd)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _lock(fd: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _group_id(group: str) -> int:
    if sys.platform != "win32":
        with contextlib.suppress(KeyError):
            return grp.getgrnam(group).gr_gid
    raise AvatarError(
        Reason.INVALID_FIELD, f"shm.group: no group {group!r} on this machine", field="shm.group"
    )


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
