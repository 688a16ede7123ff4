"""An append-only ledger: one signed line per event, each holding the hash of the line before.

A line is canonical JSON (sorted keys, no spaces, UTF-8). `signature` is the installation's over
the line without it; `previous` is the SHA-256 of the whole line before, zeros in the first. A
changed, left out, added or exchanged line is found by `audit`; lines cut off at the end are found
by whoever has noted the hash of a later one.

Several processes may append: a lock file orders them. A line that a crash left incomplete was
never acknowledged; the next writer takes it away.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.installation import Identity, Installation
from avatar_service.provenance.private_files import make_private_folder, sync_folder

LEDGER_NAME: Final = "ledger.jsonl"
FIRST: Final = "0" * 64
LOCK_TIMEOUT_SECS: Final = 10.0
LOCKED_RETRY_SECS: Final = 2.0
"""A line takes milliseconds: who holds the ledger so long is stopped or on a disk that hangs."""
_MAX_LINE_BYTES: Final = 64 << 10


class Event(StrEnum):
    """What a ledger tells."""

    CONSENT = "consent"
    REVOKED = "revoked"
    REINSTATED = "reinstated"
    ERASED = "erased"
    FORGOTTEN = "forgotten"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes:
        number: counted from 1.
        time: aware.
        facts: texts by name, by kind of event.
        hash: SHA-256 of the line, hexadecimal.
    """

    number: int
    time: datetime
    event: Event
    facts: dict[str, str]
    hash: str


def canonical(content: dict[str, Any]) -> bytes:
    """Return the one way to write something down as JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


class Ledger:
    """The ledger in a folder; see the module. Safe to use from several threads and processes.

    It keeps none of the lines: a service that shows a thousand sessions an hour writes as many.
    """

    def __init__(self, folder: Path, installation: Installation) -> None:
        self._path = folder / LEDGER_NAME
        self._installation = installation
        try:
            make_private_folder(folder)
        except OSError as error:
            raise _unusable(self._path, error) from error
        self._lock = FileLock(folder / "ledger.lock", timeout=LOCK_TIMEOUT_SECS, mode=0o600)
        self._read_bytes = 0
        self._num_entries = 0
        self._last_hash = FIRST
        self._untold: list[Entry] = []

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other writers out while the block runs; reentrant: "look, then append" is one step.

        Raises:
            AvatarError: STORAGE_EXHAUSTED where another process does not let go of the ledger,
                INVALID_FILE where it cannot be locked.
        """
        try:
            self._lock.acquire()
        except Timeout as error:
            raise _locked(self._path) from error
        except OSError as error:
            raise _unusable(self._path, error) from error
        try:
            yield
        finally:
            self._lock.release()

    def append(self, event: Event, **facts: str) -> None:
        """Write a line down, on disk when this returns.

        Raises:
            AvatarError: STORAGE_EXHAUSTED where the disk is full, INVALID_FILE where the ledger
                cannot be written or is damaged; see held.
        """
        with self.held():
            self._catch_up()
            self._write(self._line(event, facts))
            self._catch_up()

    def read_new(self) -> list[Entry]:
        """Return the lines that no call has returned yet, in order.

        Raises INVALID_FILE where the ledger is damaged, STORAGE_EXHAUSTED where it is locked.
        """
        with self.held():
            self._catch_up()
            new, self._untold = self._untold, []
            return new

    def read_all(self) -> Iterator[Entry]:
        """Yield every line that is there, from disk. Raises INVALID_FILE where it is damaged."""
        try:
            with open(self._path, "rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield _parse(line, self._path, number)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(self._path, error) from error

    def _catch_up(self) -> None:
        """Read what is new; under the lock."""
        try:
            with open(self._path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._read_bytes:
                    raise _damaged(self._path, self._num_entries, "lines are gone")
                file.seek(self._read_bytes)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # not acknowledged: see the module
                    entry = _parse(line, self._path, self._num_entries + 1)
                    self._untold.append(entry)
                    self._num_entries += 1
                    self._last_hash = entry.hash
                    self._read_bytes += len(line)
        except FileNotFoundError:
            if self._num_entries:
                raise _damaged(self._path, 1, "the file is gone") from None
        except OSError as error:
            raise _unusable(self._path, error) from error

    def _line(self, event: Event, facts: dict[str, str]) -> bytes:
        content: dict[str, Any] = {
            "number": self._num_entries + 1,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event.value,
            "facts": facts,
            "previous": self._last_hash,
        }
        signature = self._installation.sign(canonical(content))
        return canonical({**content, "signature": base64.b64encode(signature).decode()}) + b"\n"

    def _write(self, line: bytes) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(self._path, flags, 0o600)
            try:
                os.ftruncate(handle, self._read_bytes)  # what a crash left incomplete
                os.lseek(handle, self._read_bytes, os.SEEK_SET)
                try:
                    written = 0
                    while written < len(line):
                        written += os.write(handle, line[written:])
                    os.fsync(handle)
                except OSError:
                    os.ftruncate(handle, self._read_bytes)
                    raise
            finally:
                os.close(handle)
            if not self._read_bytes:
                sync_folder(self._path.parent)  # it may just have been made
        except OSError as error:
            raise _unusable(self._path, error) from error


def audit(lines: Iterator[bytes], identity: Identity) -> Iterator[str]:
    """Yield what is wrong with a ledger, one line of text per fault; nothing: it is whole."""
    previous = FIRST
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            signature = base64.b64decode(content.pop("signature"), validate=True)
            told, told_previous = content["number"], content["previous"]
            is_signed = identity.is_signed(canonical(content), signature)
        except (ValueError, KeyError, TypeError, AttributeError):
            yield f"line {number} cannot be read"
            previous = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
            continue
        if not is_signed:
            yield f"line {number} was changed: its signature does not fit"
        if told != number or told_previous != previous:
            yield f"line {number} does not follow the one before: lines were taken out or added"
        previous = hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def _parse(line: bytes, path: Path, number: int) -> Entry:
    try:
        if len(line) > _MAX_LINE_BYTES:
            raise ValueError("too long")
        content = json.loads(line)
        return Entry(
            number=int(content["number"]),
            time=datetime.fromisoformat(content["time"]),
            event=Event(content["event"]),
            facts={str(key): str(value) for key, value in content["facts"].items()},
            hash=hashlib.sha256(line.rstrip(b"\n")).hexdigest(),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, number, "it cannot be read") from error


def _damaged(path: Path, number: int, what: str) -> AvatarError:
    return AvatarError(
        Reason.INVALID_FILE,
        f"the ledger {path} is damaged at line {number}: {what} (see `avatar consents check`)",
    )


def _locked(path: Path) -> AvatarError:
    return AvatarError(
        Reason.STORAGE_EXHAUSTED,
        f"the ledger {path} is locked by another process; try again",
        retry_secs=LOCKED_RETRY_SECS,
    )


def _unusable(path: Path, error: OSError) -> AvatarError:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
    reason = Reason.STORAGE_EXHAUSTED if is_full else Reason.INVALID_FILE
    return AvatarError(reason, f"the ledger {path} cannot be used: {error.strerror}")
