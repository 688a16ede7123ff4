"""grpc.health.v1 for single sessions too: the service name is "session/SESSION_ID"."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from grpc_health.v1 import health, health_pb2

from avatar_service.errors import AvatarError
from avatar_service.session.health import SessionHealth, health_of
from avatar_service.session.manager import SessionManager

PREFIX: Final = "session/"
WATCH_SECS: Final = 0.5
"""Session states are looked at this often for whoever watches one."""
_STATUS: Final = health_pb2.HealthCheckResponse
_SERVING: Final = (SessionHealth.HEALTHY, SessionHealth.LATE)


class HealthServicer(health.aio.HealthServicer):  # type: ignore[misc]
    """The library's servicer, which knows the services, with the sessions beside them."""

    def __init__(self, manager: SessionManager) -> None:
        super().__init__()
        self._manager = manager

    async def Check(self, request: Any, context: Any) -> Any:
        """Answer for a service or a session; NOT_FOUND for neither."""
        if not request.service.startswith(PREFIX):
            return await super().Check(request, context)
        status = self._status_of(request.service)
        if status == _STATUS.SERVICE_UNKNOWN:
            import grpc

            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such session")
        return _STATUS(status=status)

    async def Watch(self, request: Any, context: Any) -> None:
        """Tell every change of a service's or a session's state."""
        if not request.service.startswith(PREFIX):
            await super().Watch(request, context)
            return
        told = None
        while True:
            status = self._status_of(request.service)
            if status != told:
                told = status
                await context.write(_STATUS(status=status))
            await asyncio.sleep(WATCH_SECS)

    def _status_of(self, name: str) -> Any:
        try:
            managed = self._manager.get(name.removeprefix(PREFIX))
        except AvatarError:
            return _STATUS.SERVICE_UNKNOWN
        is_serving = health_of(managed, time.monotonic_ns()) in _SERVING
        return _STATUS.SERVING if is_serving else _STATUS.NOT_SERVING
