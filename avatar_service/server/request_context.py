"""The id of the request that the running code works for; it stands in the log and in the answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

KEY: Final = "x-request-id"
"""Metadata: a client may name its request so; every faulty answer carries it."""
_ALLOWED: Final = re.compile(r"[0-9a-fA-F-]{8,36}")
"""Hexadecimal and dashes, a UUID for one: a name that can hold nothing of a person."""

_current: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """Return the id of the request being served; "" outside of one."""
    return _current.get()


def begin_request(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Take the client's id, or make one, for what runs in this task from now on."""
    given = next((value for key, value in metadata or () if key == KEY), "")
    is_sound = isinstance(given, str) and _ALLOWED.fullmatch(given) is not None
    request_id = str(given) if is_sound else secrets.token_hex(8)
    _current.set(request_id)
    return request_id
