"""`avatar bench telemetry`: what metrics and structured logs cost, counted in CPU time.

Two services run side by side, so that whatever else the machine does meets both: one tells nothing,
the other is scraped every second and logs JSON. Each serves the same sessions of latents alone,
whose frames cost least, so that the telemetry's share is largest.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from avatar_service.session.service_process import ServiceProcess

SCRAPE_SECS: Final = 1.0
SETTLE_SECS: Final = 3.0
_METRICS: Final = re.compile(r"metrics on (http://\S+)")


def bench_telemetry(*, sessions: int = 4, seconds: float = 30.0) -> dict[str, float]:
    """Measure both and return figures by name.

    Args:
        sessions: of latents at 40 frames per second, in each service.
        seconds: to measure, after the sessions have settled.
    """
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(_serving({}, sessions))
        told = stack.enter_context(_serving({"metrics.port": "0", "log_format": "json"}, sessions))
        url = next(found[1] for line in told.service.lines if (found := _METRICS.search(line)))
        time.sleep(SETTLE_SECS)
        before = plain.read(), told.read()
        scrape_ms, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            with urllib.request.urlopen(url.rstrip('",}'), timeout=10) as answer:
                num_bytes = len(answer.read())
            scrape_ms.append((time.monotonic() - began) * 1e3)
            time.sleep(SCRAPE_SECS)
        after = plain.read(), told.read()
    costs = [
        (now[0] - then[0]) / max(now[1] - then[1], 1) * 1e3
        for now, then in zip(after, before, strict=True)
    ]
    return {
        "sessions": float(sessions),
        "scrapes": float(len(scrape_ms)),
        "scrape_ms_mean": sum(scrape_ms) / len(scrape_ms),
        "scrape_kib": num_bytes / 1024,
        "cpu_ms_per_frame_plain": costs[0],
        "cpu_ms_per_frame_told": costs[1],
        "ratio": costs[1] / costs[0],
    }


class _Serving:
    def __init__(self, service: ServiceProcess, client: Any) -> None:
        self.service = service
        self._client = client

    def read(self) -> tuple[float, int]:
        """Return the CPU seconds and the frames of the service so far (proc(5))."""
        stat = Path(f"/proc/{self.service.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(stat[11]) + int(stat[12])
        frames = self._client.list_sessions().service.frames_published
        return ticks / os.sysconf("SC_CLK_TCK"), int(frames)


@contextlib.contextmanager
def _serving(options: dict[str, str], sessions: int) -> Iterator[_Serving]:
    from avatar_client import connect

    with (
        tempfile.TemporaryDirectory(prefix="avatar-bench-") as home,
        ServiceProcess({"home": home, **options}) as service,
        connect(service.address) as client,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(sessions):
            stack.enter_context(client.open_session(transport="shm"))
        yield _Serving(service, client)
