"""Consent: who is shown, by what right, until when. Without it no avatar is made.

How statements are stored stands in statements.py, what came of them in ledger.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

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


def _required(message: str, name: str) -> AvatarError:
    return AvatarError(Reason.CONSENT_REQUIRED, message, field=f"consent.{name}")
