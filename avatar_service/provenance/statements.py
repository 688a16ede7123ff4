"""Statements of consent as files: signed by the installation, bound to the photo they allow.

The ledger holds a statement's SHA-256, salted by the statement's own random number, and never a
name: a statement can be forgotten while the ledger stays whole.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.installation import Identity, Installation
from avatar_service.provenance.ledger import canonical
from avatar_service.provenance.private_files import write_private

_MAX_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Statement:
    """A consent as it was stated for one photo.

    Attributes:
        digest: SHA-256 of the statement with its salt, hexadecimal; names the file.
        photo_sha256: of the photo's bytes, hexadecimal.
    """

    digest: str
    photo_sha256: str
    consent: Consent


def sign_statement(consent: Consent, photo_sha256: str, installation: Installation) -> bytes:
    """Return the file of a statement; it gets the time of now where it has none."""
    record = asdict(consent)
    record["stated_at"] = _text(consent.stated_at or datetime.now(UTC))
    record["valid_until"] = _text(consent.valid_until)
    content = {
        "consent": record,
        "photo_sha256": photo_sha256,
        "salt": secrets.token_hex(16),
        "installation": installation.identity.fingerprint,
    }
    signature = base64.b64encode(installation.sign(canonical(content))).decode()
    signed = {**content, "signature": signature}
    return json.dumps(signed, indent=2, ensure_ascii=False).encode() + b"\n"


def parse_statement(data: bytes, identity: Identity) -> Statement:
    """Read a statement's file.

    Raises:
        AvatarError: INVALID_FILE where it is damaged or the installation has not signed it.
    """
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError("too long")
        content: dict[str, Any] = json.loads(data)
        signature = base64.b64decode(content.pop("signature"), validate=True)
        record = content["consent"]
        signed = canonical(content)
        statement = Statement(
            digest=hashlib.sha256(signed).hexdigest(),
            photo_sha256=str(content["photo_sha256"]),
            consent=Consent(
                subject=str(record["subject"]),
                basis=str(record["basis"]),
                stated_by=str(record["stated_by"]),
                valid_until=_time(record["valid_until"]),
                stated_at=_time(record["stated_at"]),
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AvatarError(Reason.INVALID_FILE, "a stored consent is damaged") from error
    if not identity.is_signed(signed, signature):
        raise AvatarError(
            Reason.INVALID_FILE, "a stored consent was changed: its signature does not fit"
        )
    return statement


class StatementStore:
    """The statements of an installation, a file each, readable by this user only."""

    def __init__(self, folder: Path, installation: Installation) -> None:
        self._folder = folder
        self._installation = installation

    def add(self, consent: Consent, photo_sha256: str) -> Statement:
        """Sign and store. Raises OSError where it cannot be written."""
        data = sign_statement(consent, photo_sha256, self._installation)
        statement = parse_statement(data, self._installation.identity)
        write_private(self._path(statement.digest), data)
        return statement

    def read(self, digest: str) -> Statement | None:
        """Return a statement; None where it was forgotten. Raises INVALID_FILE."""
        data = self.read_bytes(digest)
        if data is None:
            return None
        statement = parse_statement(data, self._installation.identity)
        if statement.digest != digest:
            raise AvatarError(Reason.INVALID_FILE, "a stored consent was exchanged for another")
        return statement

    def read_bytes(self, digest: str) -> bytes | None:
        """Return a statement's file as it is; None where there is none."""
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AvatarError(
                Reason.INVALID_FILE, f"a stored consent cannot be read: {error.strerror}"
            ) from error

    def forget(self, digest: str) -> None:
        """Erase a statement's text."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest[:32]}.json"


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
