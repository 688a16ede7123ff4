"""The service's log: lines for people, or one JSON object a line for machines.

Neither holds audio, pixels or identity. An exception is told by its type and its places in the
code, never by its own text, which may hold anything.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from avatar_service.server.request_context import current_request_id

FORMATS: Final = ("text", "json")
FACTS: Final = ("session", "method", "code", "millis", "reason")
"""What a call of the logger may add by `extra`."""

_Fault = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def set_up_logging(level: str, form: str) -> None:
    """Send everything to stderr.

    Args:
        level: debug, info, warning or error.
        form: one of FORMATS.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def fault_places(fault: BaseException) -> str:
    """Return an exception's type and places, without its text."""
    frames = "".join(traceback.format_tb(fault.__traceback__))
    return f"{type(fault).__name__}\n{frames}"


class TextFormatter(logging.Formatter):
    """One line for a person, with the request's id where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Add the request's id."""
        line = super().formatMessage(record)
        request_id = current_request_id()
        return f"{line} [request {request_id}]" if request_id else line

    def formatException(self, ei: _Fault) -> str:  # noqa: N802
        """Leave the exception's text out."""
        return fault_places(ei[1]) if ei[1] is not None else ""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what is known of the rest."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record down."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id():
            line["request_id"] = request_id
        line.update({name: getattr(record, name) for name in FACTS if hasattr(record, name)})
        if record.exc_info and record.exc_info[1] is not None:
            line["fault"] = fault_places(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)
