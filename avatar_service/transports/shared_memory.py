"""Files in shared memory: created whole, private, and reclaimed when their writer has died.

POSIX: under /dev/shm, else in the user's temporary folder. Windows: in the temporary folder.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.orphans import lock, reclaim

if sys.platform != "win32":
    import grp

PREFIX: Final = "avatar-ring-"
MIB: Final = 1 << 20


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
        self._fd = self._create()
        try:
            self._allot(num_bytes)
            if group_id is not None:
                self._share_with(group_id, group)
            self.map = _map(self._fd, num_bytes)
        except BaseException:
            os.close(self._fd)
            self._temporary.unlink(missing_ok=True)
            raise

    def _create(self) -> int:
        """Open a new file under a temporary name and own it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        while True:
            name = PREFIX + secrets.token_hex(16)
            self.path = self.folder / name
            self._temporary = self.folder / f"{name}.tmp"
            try:
                fd = os.open(self._temporary, flags, 0o600)
            except OSError as error:
                raise AvatarError(
                    Reason.STORAGE_EXHAUSTED
                    if error.errno in (errno.ENOSPC, errno.EMFILE, errno.ENFILE)
                    else Reason.INVALID_FILE,
                    f"shared memory {self.folder}: {error.strerror}",
                ) from error
            try:
                lock(fd)
            except BlockingIOError:
                is_ours = False
            else:
                is_ours = os.fstat(fd).st_nlink > 0
            if is_ours:
                return fd
            # Another service, starting up, took it for an orphan before it was locked.
            os.close(fd)

    def _share_with(self, group_id: int, group: str | None) -> None:
        try:
            os.fchown(self._fd, -1, group_id)
        except OSError as error:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"shm.group: this user cannot give files to {group!r} ({error.strerror}); it must "
                "be a member",
                field="shm.group",
            ) from error
        os.fchmod(self._fd, 0o640)

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


def _map(fd: int, num_bytes: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(fd, num_bytes)
    # All pages at once: else the first frames of a session pay for them, one fault each.
    return mmap.mmap(fd, num_bytes, flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))


def reclaim_rings(folder: Path | None = None) -> list[Path]:
    """Remove the rings of writers that have died; return their paths."""
    return reclaim(folder or default_folder(), PREFIX)


def _group_id(group: str) -> int:
    if sys.platform != "win32":
        with contextlib.suppress(KeyError):
            return grp.getgrnam(group).gr_gid
    raise AvatarError(
        Reason.INVALID_FIELD, f"shm.group: no group {group!r} on this machine", field="shm.group"
    )
