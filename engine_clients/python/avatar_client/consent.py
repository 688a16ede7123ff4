"""The statement without which no avatar is made."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from avatar_client.gen.avatar.v1 import avatar_pb2


@dataclass(frozen=True, slots=True)
class Consent:
    """Statement without which no avatar is made; it is stored with the avatar.

    Attributes:
        subject: the person in the photo.
        basis: by what right: "my own photo", "written consent of ...", "public domain, ...".
        stated_by: who states this.
        valid_until: end of the right, with a time zone; None: without end.
    """

    subject: str
    basis: str
    stated_by: str = ""
    valid_until: datetime.datetime | None = None

    def message(self) -> avatar_pb2.ConsentStatement:
        """Build the message."""
        statement = avatar_pb2.ConsentStatement(
            subject=self.subject, basis=self.basis, stated_by=self.stated_by
        )
        if self.valid_until is not None:
            if self.valid_until.tzinfo is None:
                raise ValueError("consent: valid_until needs a time zone")
            end = Timestamp()
            end.FromDatetime(self.valid_until)
            statement.valid_until.CopyFrom(end)
        return statement
