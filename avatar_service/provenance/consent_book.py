"""The consents of an installation: who may be shown by what right, and what came of it.

    HOME/provenance/installation.pem    the key (installation.py)
    HOME/provenance/ledger.jsonl        what happened, without names (ledger.py)
    HOME/provenance/statements/         what was stated (statements.py)

A photo is known by the SHA-256 of its bytes. The newest statement for it holds, until it expires
or is revoked; a revoked photo takes no new statement until the operator reinstates it.
"""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.consent_audit import EXPORT_KIND, Audit, audit_all
from avatar_service.provenance.installation import Installation
from avatar_service.provenance.ledger import Event, Ledger
from avatar_service.provenance.private_files import erase_left_over
from avatar_service.provenance.statements import Statement, StatementStore
from avatar_service.provenance.watermark import Mark

FOLDER: Final = "provenance"
MIN_PREFIX_CHARS: Final = 8


class State(StrEnum):
    """Whether a photo may be animated."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one photo.

    Attributes:
        consent: the newest statement; None where it was forgotten.
        stated_at: when the newest statement was recorded.
        statements: digests of all statements for the photo, the newest last.
        num_shown: sessions and videos that showed the photo.
    """

    photo_sha256: str
    state: State
    consent: Consent | None
    stated_at: datetime
    statements: tuple[str, ...]
    num_shown: int


@dataclass(slots=True)
class _Record:
    statements: list[str]
    stated_at: datetime
    is_revoked: bool = False
    is_forgotten: bool = False
    num_shown: int = 0


class ConsentBook:
    """The consents of an installation; see the module. Thread-safe.

    Args:
        folder: the folder `provenance`; made where it is not there.

    Raises:
        AvatarError: INVALID_FILE for a key or a ledger that cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.installation = Installation(folder)
        self._ledger = Ledger(folder, self.installation)
        self._statements = StatementStore(folder / "statements", self.installation)
        self._folder = folder
        self._lock = threading.RLock()
        self._photos: dict[str, _Record] = {}
        self.erase_left_over()

    def erase_left_over(self) -> None:
        """Erase what killed processes had half written: keys, and statements with names."""
        for folder in (self._folder, self._folder / "statements"):
            erase_left_over(folder)

    def record(self, consent: Consent, photo_sha256: str, purpose: str) -> Statement:
        """Store a statement for a photo.

        Args:
            consent: gets the time of now where it has none.
            photo_sha256: of the photo's bytes, hexadecimal.
            purpose: what is made of it: "avatar", "video" or "head" (of an export).

        Raises:
            AvatarError: CONSENT_REQUIRED for a statement that does not hold or a photo whose
                consent was revoked; STORAGE_EXHAUSTED, INVALID_FILE.
        """
        consent.check()
        try:
            with self._lock, self._ledger.held():
                self.check_not_revoked(photo_sha256)
                statement = self._statements.add(consent, photo_sha256)
                self._ledger.append(
                    Event.CONSENT,
                    photo_sha256=photo_sha256,
                    statement=statement.digest,
                    purpose=purpose,
                )
        except OSError as error:
            raise AvatarError(
                Reason.STORAGE_EXHAUSTED, f"the consent cannot be stored: {error.strerror}"
            ) from error
        return statement

    def check_not_revoked(self, photo_sha256: str) -> None:
        """Raise CONSENT_REQUIRED where the consent for a photo was revoked."""
        record = self._known().get(photo_sha256)
        if record is not None and record.is_revoked:
            raise AvatarError(
                Reason.CONSENT_REQUIRED,
                "the consent for this photo was revoked; only the operator can reinstate it "
                "(avatar consents reinstate)",
                field="consent",
            )

    def read(self, digest: str) -> Consent:
        """Return a stored statement. Raises INVALID_FILE where it is gone or was changed."""
        statement = self._statements.read(digest)
        if statement is None:
            raise AvatarError(Reason.INVALID_FILE, "the stored consent is gone")
        return statement.consent

    def revoke(self, photo_sha256: str, *, forget: bool = False) -> None:
        """Take the consent back.

        Args:
            photo_sha256: a photo that the ledger knows.
            forget: erase what was stated, too; only its hash stays in the ledger.
        """
        with self._lock, self._ledger.held():
            record = self._known()[photo_sha256]
            if not record.is_revoked:
                self._ledger.append(Event.REVOKED, photo_sha256=photo_sha256)
            if forget and not record.is_forgotten:
                for digest in record.statements:
                    self._statements.forget(digest)
                self._ledger.append(Event.FORGOTTEN, photo_sha256=photo_sha256)

    def reinstate(self, photo_sha256: str) -> None:
        """Allow new statements for a photo again."""
        with self._lock, self._ledger.held():
            if self._known()[photo_sha256].is_revoked:
                self._ledger.append(Event.REINSTATED, photo_sha256=photo_sha256)

    def note_erased(self, photo_sha256: str, what: str) -> None:
        """Note that something made of a photo was erased."""
        self._ledger.append(Event.ERASED, photo_sha256=photo_sha256, what=what)

    def note_shown(self, photo_sha256: str, mark: str, purpose: str) -> None:
        """Note under which mark a photo is shown from now on.

        Args:
            photo_sha256: of the photo's bytes, hexadecimal.
            mark: session number of the watermark, hexadecimal.
            purpose: "session" or "video".
        """
        self._ledger.append(Event.SHOWN, photo_sha256=photo_sha256, mark=mark, purpose=purpose)
        self._known()  # takes over what was written, which the ledger then lets go of

    def issue_mark(self, photo_sha256: str, purpose: str) -> Mark:
        """Return a new watermark for showing a photo, and note it; see note_shown."""
        mark = Mark(self.installation.identity.number)
        self.note_shown(photo_sha256, mark.payload.session_text, purpose)
        return mark

    def shown_under(self, mark: str) -> list[tuple[datetime, str, str]]:
        """Return (since when, photo, purpose) of what was shown under a session number."""
        return [
            (entry.time, entry.facts["photo_sha256"], entry.facts["purpose"])
            for entry in self._ledger.read_all()
            if entry.event is Event.SHOWN and entry.facts.get("mark") == mark
        ]

    def standings(self, now: datetime | None = None) -> list[Standing]:
        """Return what holds for every photo, in the order in which they were first stated."""
        now = now or datetime.now(UTC)
        with self._lock:
            return [self._standing(photo, record, now) for photo, record in self._known().items()]

    def find(self, prefix: str) -> str:
        """Return the photo whose SHA-256 begins so.

        Raises:
            AvatarError: INVALID_FIELD where none or several do, or the prefix is too short.
        """
        prefix = prefix.lower()
        if len(prefix) < MIN_PREFIX_CHARS:
            raise _bad_id(f"{prefix!r} is too short; {MIN_PREFIX_CHARS} characters or more")
        found = [photo for photo in self._known() if photo.startswith(prefix)]
        if len(found) != 1:
            what = f"begins the hash of {len(found)} photos" if found else "is no known photo"
            raise _bad_id(f"{prefix!r} {what}; `avatar consents list` shows them")
        return found[0]

    def export(self) -> dict[str, Any]:
        """Return everything, so that it can be checked without this installation."""
        with self._lock, self._ledger.held():
            known = self._known()
            lines = self._lines()
        statements = [
            data.decode("utf-8", "replace")
            for record in known.values()
            for digest in record.statements
            if (data := self._statements.read_bytes(digest)) is not None
        ]
        identity = self.installation.identity
        return {
            "kind": EXPORT_KIND,
            "installation": identity.fingerprint,
            "public_key": base64.b64encode(identity.public_key).decode(),
            "ledger": [line.decode("utf-8", "replace").rstrip("\n") for line in lines],
            "statements": statements,
        }

    def audit(self) -> Audit:
        """Check every line of the ledger and every statement."""
        lines = self._lines()
        statements = {}
        for path in sorted((self._ledger.path.parent / "statements").glob("[!.]*.json")):
            statements[path.name] = path.read_bytes()
        return audit_all(lines, statements, self.installation.identity)

    def _lines(self) -> list[bytes]:
        try:
            data = self._ledger.path.read_bytes()
        except FileNotFoundError:
            return []
        return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]

    def _known(self) -> dict[str, _Record]:
        with self._lock:
            for entry in self._ledger.read_new():
                self._take(entry.event, entry.facts, entry.time)
            return self._photos

    def _take(self, event: Event, facts: dict[str, str], time: datetime) -> None:
        photo = facts.get("photo_sha256", "")
        if event is Event.CONSENT:
            record = self._photos.setdefault(photo, _Record([], time))
            record.statements.append(facts["statement"])
            record.stated_at, record.is_forgotten = time, False
        elif photo in self._photos:
            record = self._photos[photo]
            if event is Event.REVOKED:
                record.is_revoked = True
            elif event is Event.REINSTATED:
                record.is_revoked = False
            elif event is Event.FORGOTTEN:
                record.is_forgotten = True
            elif event is Event.SHOWN:
                record.num_shown += 1

    def _standing(self, photo: str, record: _Record, now: datetime) -> Standing:
        statement = self._statements.read(record.statements[-1])
        consent = None if statement is None else statement.consent
        state = State.VALID
        if record.is_revoked or consent is None:
            state = State.REVOKED
        elif consent.valid_until is not None and consent.valid_until <= now:
            state = State.EXPIRED
        return Standing(
            photo, state, consent, record.stated_at, tuple(record.statements), record.num_shown
        )


def _bad_id(problem: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FIELD, f"photo {problem}", field="photo")
