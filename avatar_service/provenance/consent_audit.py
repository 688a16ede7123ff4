"""Checking a ledger and its statements, here or from an export, by the public key alone."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.installation import Identity
from avatar_service.provenance.ledger import Event, audit
from avatar_service.provenance.statements import parse_statement

EXPORT_KIND: Final = "avatar.consents.v1"


@dataclass(frozen=True, slots=True)
class Audit:
    """What a check found.

    Attributes:
        head: hash of the ledger's last line; whoever notes it finds a later cut.
        hashes: of all lines.
        faults: one line of text each; empty: all is whole.
    """

    num_lines: int
    num_statements: int
    head: str
    hashes: frozenset[str]
    faults: tuple[str, ...]


def audit_all(lines: list[bytes], statements: dict[str, bytes], identity: Identity) -> Audit:
    """Check a ledger and the statements beside it, by file name."""
    faults = list(audit(iter(lines), identity))
    told: set[str] = set()
    forgotten: set[str] = set()
    by_photo: dict[str, list[str]] = {}
    for line in lines:
        try:
            content = json.loads(line)
            facts = content["facts"]
            if content["event"] == Event.CONSENT:
                told.add(facts["statement"])
                by_photo.setdefault(facts["photo_sha256"], []).append(facts["statement"])
            elif content["event"] == Event.FORGOTTEN:
                forgotten.update(by_photo.get(facts["photo_sha256"], []))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # audit has told of it
    found: set[str] = set()
    for name, data in statements.items():
        try:
            statement = parse_statement(data, identity)
        except AvatarError as error:
            faults.append(f"statement {name}: {error.message}")
            continue
        found.add(statement.digest)
        if statement.digest not in told:
            faults.append(f"statement {name} does not stand in the ledger")
    for digest in sorted(told - found - forgotten):
        faults.append(f"statement {digest[:32]} stands in the ledger and is gone")
    hashes = [hashlib.sha256(line.rstrip(b"\n")).hexdigest() for line in lines]
    return Audit(
        len(lines), len(found), hashes[-1] if hashes else "", frozenset(hashes), tuple(faults)
    )


def read_export(data: bytes) -> tuple[list[bytes], dict[str, bytes], Identity]:
    """Take an export apart, for audit_all. Raises INVALID_FILE."""
    try:
        content = json.loads(data)
        if content["kind"] != EXPORT_KIND:
            raise ValueError("another kind")
        key = base64.b64decode(content["public_key"], validate=True)
        lines = [str(line).encode() + b"\n" for line in content["ledger"]]
        statements = {f"{n}": str(text).encode() for n, text in enumerate(content["statements"], 1)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AvatarError(Reason.INVALID_FILE, "this is no export of consents") from error
    return lines, statements, Identity(key)
