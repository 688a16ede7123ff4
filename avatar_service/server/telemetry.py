"""All that is told about the service to those who operate it, in one place."""

from __future__ import annotations

import asyncio
import logging

from avatar_service.config import Config
from avatar_service.server.gpu_usage import GpuUsage
from avatar_service.server.metrics import HOST, ServiceMetrics
from avatar_service.server.request_observer import RequestObserver
from avatar_service.server.tracing import Tracing
from avatar_service.session.manager import SessionManager

log = logging.getLogger(__name__)


class Telemetry:
    """Metrics and traces of one service, as the configuration asks for them.

    Args:
        device: that renders, "cpu" or "cuda:N".

    Attributes:
        observer: notes every call.
        tracing: None where nobody collects traces.
        metrics_port: where metrics are served; None: nowhere.
    """

    def __init__(self, config: Config, manager: SessionManager, device: str) -> None:
        self._port = config.metrics.port
        self._metrics = ServiceMetrics(manager, GpuUsage(device))
        self.tracing = Tracing(config.traces.endpoint) if config.traces.endpoint else None
        self.observer = RequestObserver(self._metrics, self.tracing)
        self.metrics_port: int | None = None

    def start(self) -> None:
        """Serve metrics where asked. Raises INVALID_FIELD where the port is taken."""
        if self._port is not None:
            self.metrics_port = self._metrics.serve(self._port)
            log.info("metrics on http://%s:%d/metrics", HOST, self.metrics_port)

    async def close(self) -> None:
        """Send what waits and stop; idempotent."""
        await asyncio.to_thread(self._metrics.close)
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)
