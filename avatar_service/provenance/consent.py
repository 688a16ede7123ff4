"""Consent: who is shown, by what right, until when. Without it no avatar is made.

The statement is stored beside the avatar it allows, as JSON that a person can read, and is erased
with it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from avatar_service.errors import AvatarError, Reason

MAX_SUBJECT_CHARS: Final = 200
MAX_BASIS_CHARS: Final = 2000
MAX_STATED_BY_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Consent:
    """A statement of consent.

    Attributes:
        subject: the person in the photo, as the one who states it names them.
        basis: by what right the likeness is animated.
        stated_by: who states it; "" for the holder of the token.
        valid_until: end of the right, aware; None without end.
        stated_at: when it was recorded, aware; None before.
    """

    subject: str
    basis: str
    stated_by: str = ""
    valid_until: datetime | None = None
    stated_at: datetime | None = None

    def check(self, now: datetime | None = None) -> None:
        """Raise CONSENT_REQUIRED unless the statement is complete and holds at `now`."""
        for name, limit in (
            ("subject", MAX_SUBJECT_CHARS),
            ("basis", MAX_BASIS_CHARS),
            ("stated_by", MAX_STATED_BY_CHARS),
        ):
            text = getattr(self, name)
            if not text.strip() and name != "stated_by":
                raise _required(f"consent.{name} is empty; say {_MEANING[name]}", name)
            if len(text) > limit:
                raise _required(
                    f"consent.{name} has {len(text)} characters; {limit} are allowed", name
                )
        if self.valid_until is not None and self.valid_until <= (now or datetime.now(UTC)):
            raise _required("the consent has expired; a new statement is needed", "valid_until")


_MEANING: Final = {
    "subject": "who the person in the photo is",
    "basis": "by what right their likeness is animated",
}


def write_consent(path: Path, consent: Consent) -> None:
    """Store a statement, with the time of now where it has none."""
    record = asdict(consent)
    record["stated_at"] = _text(consent.stated_at or datetime.now(UTC))
    record["valid_until"] = _text(consent.valid_until)
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_consent(path: Path) -> Consent:
    """Read a stored statement. Raises INVALID_FILE if it is damaged."""
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return Consent(
            subject=str(record["subject"]),
            basis=str(record["basis"]),
            stated_by=str(record.get("stated_by", "")),
            valid_until=_time(record.get("valid_until")),
            stated_at=_time(record.get("stated_at")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AvatarError(
            Reason.INVALID_FILE, f"the stored consent {path.name} cannot be read"
        ) from error


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _required(message: str, name: str) -> AvatarError:
    return AvatarError(Reason.CONSENT_REQUIRED, message, field=f"consent.{name}")
