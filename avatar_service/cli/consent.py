"""Where the statement of consent comes from: an option, the environment or a question."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import typer

from avatar_service.cli.console import err
from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.consent_book import ConsentBook

HELP: Final = (
    "Who is shown and by what right: TEXT ('NAME; RIGHT' or 'NAME; RIGHT; until YYYY-MM-DD') or "
    "a FILE with it (JSON: subject, basis, stated_by, valid_until). AVATAR_CONSENT counts too."
)
_MAX_FILE_BYTES: Final = 64 << 10


def obtain_consent(option: str | None) -> Consent:
    """Return the statement; asks once where a person sits at a terminal.

    Raises:
        AvatarError: CONSENT_REQUIRED where there is none or it does not hold.
    """
    text = option or os.environ.get("AVATAR_CONSENT") or ""
    if not text.strip() and err.is_terminal and os.isatty(0):
        err.print("A photo may be animated only with consent.")
        subject = typer.prompt("Who is in the photo", err=True)
        basis = typer.prompt("By what right do you animate it", err=True)
        consent = Consent(subject=subject, basis=basis)
    elif text.strip():
        consent = parse_consent(text)
    else:
        raise AvatarError(
            Reason.CONSENT_REQUIRED,
            "a statement of consent is needed: --consent 'NAME; BY WHAT RIGHT' or AVATAR_CONSENT",
            field="consent",
        )
    consent.check()
    return consent


@dataclass(frozen=True, slots=True)
class PhotoConsent:
    """A statement for a photo that nobody has revoked. The book knows of it from `record` on."""

    book: ConsentBook
    consent: Consent
    photo_sha256: str

    def record(self, purpose: str) -> None:
        """Store the statement, signed; once the photo has turned out to be of use.

        Args:
            purpose: see ConsentBook.record, which tells what is raised.
        """
        self.book.record(self.consent, self.photo_sha256, purpose)


def consent_for(option: str | None, photo: Path) -> PhotoConsent:
    """Obtain the statement for a photo.

    Args:
        option: what was given on the command line.
        photo: its file.

    Raises:
        AvatarError: CONSENT_REQUIRED, also for a photo whose consent was revoked; INVALID_IMAGE,
            INVALID_FILE.
    """
    from avatar_service.config import load_config
    from avatar_service.portrait.image_file import read_photo

    consent = obtain_consent(option)
    photo_sha256 = hashlib.sha256(read_photo(photo)).hexdigest()
    book = ConsentBook(load_config().provenance_dir)
    book.check_not_revoked(photo_sha256)
    return PhotoConsent(book, consent, photo_sha256)


def parse_consent(text: str) -> Consent:
    """Read a statement from text, or from the file that the text names.

    Raises:
        AvatarError: CONSENT_REQUIRED for a statement that cannot be read.
    """
    if len(text) < 1024 and "\n" not in text and Path(text).is_file():
        path = Path(text)
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise _unreadable(f"{path} is larger than {_MAX_FILE_BYTES >> 10} KiB")
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise _unreadable(f"{path} cannot be read as text") from None
    if text.lstrip().startswith("{"):
        return _from_json(text)
    subject, _, rest = (part.strip() for part in text.strip().partition(";"))
    if not rest:
        return Consent(subject="the person in the photo", basis=subject)
    basis, found, until = (part.strip() for part in rest.rpartition("; until "))
    return Consent(subject, basis, valid_until=_date(until)) if found else Consent(subject, rest)


def _from_json(text: str) -> Consent:
    try:
        fields = json.loads(text)
    except ValueError:
        raise _unreadable("it begins like JSON but is none") from None
    allowed = {"subject", "basis", "stated_by", "valid_until"}
    if unknown := sorted(set(fields) - allowed):
        raise _unreadable(f"unknown field {unknown[0]!r}; allowed: {', '.join(sorted(allowed))}")
    if not all(isinstance(value, str) for value in fields.values()):
        raise _unreadable("all its fields must be text")
    until = fields.pop("valid_until", "")
    return Consent(
        subject=fields.get("subject", ""),
        basis=fields.get("basis", ""),
        stated_by=fields.get("stated_by", ""),
        valid_until=_date(until) if until else None,
    )


def _date(text: str) -> datetime:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise _unreadable(f"{text!r} is no date; write YYYY-MM-DD") from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _unreadable(problem: str) -> AvatarError:
    return AvatarError(Reason.CONSENT_REQUIRED, f"consent statement: {problem}", field="consent")
