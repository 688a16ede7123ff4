"""What is noted of every call: its id, its span, how long it took and how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc

from avatar_service.errors import AvatarError
from avatar_service.server.metrics import ServiceMetrics
from avatar_service.server.request_context import current_request_id
from avatar_service.server.tracing import Tracing

log = logging.getLogger(__name__)

QUIET: Final = ("Check", "Watch", "List", "GetServerInfo", "GetSession", "ListSessions")
"""Probes and polls: told at the level debug."""


class RequestObserver:
    """Notes calls.

    Args:
        metrics: counts them; None: nobody does.
        tracing: makes spans of them; None: nobody does.
    """

    def __init__(
        self, metrics: ServiceMetrics | None = None, tracing: Tracing | None = None
    ) -> None:
        self._metrics = metrics
        self._tracing = tracing

    @contextmanager
    def observe(self, method: str, metadata: Any) -> Iterator[None]:
        """Note the call that the block serves.

        Args:
            method: "/package.Service/Method".
            metadata: of the call.
        """
        name = method.rpartition("/")[2]
        started, code = time.monotonic(), "CANCELLED"
        span: Any = None
        if self._tracing is not None:
            span = self._tracing.request(name, current_request_id(), metadata)
        try:
            yield
            code = "OK"
        except AvatarError as error:
            code = error.reason.value
            raise
        except grpc.aio.AbortError:  # a servicer of the library has answered
            code = "REFUSED"
            raise
        except Exception:
            code = "BUG"
            raise
        finally:
            if span is not None:
                span.set_attribute("rpc.outcome", code)
                span.end()
            self._note(name, code, time.monotonic() - started)

    def _note(self, name: str, code: str, secs: float) -> None:
        if self._metrics is not None:
            self._metrics.count_request(name, code, secs)
        level = logging.DEBUG if name in QUIET and code == "OK" else logging.INFO
        facts = {"method": name, "code": code, "millis": round(secs * 1e3, 1)}
        log.log(level, "%s %s after %.1f ms", name, code, secs * 1e3, extra=facts)
