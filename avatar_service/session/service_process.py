"""A service in a process of its own, for the demo, the benchmark and the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from avatar_service.errors import AvatarError, Reason

START_TIMEOUT_SECS: Final = 300.0
STOP_TIMEOUT_SECS: Final = 20.0
_READY: Final = re.compile(r"serving avatar\.v1 on (\S+):(\d+)")


class ServiceProcess:
    """Starts a service on a free loopback port and stops it; a context manager.

    Args:
        options: configuration by dotted path, beside `listen`.
        environ: variables on top of this process's own.

    Raises:
        AvatarError: BUG where the service does not get ready; its last lines are in the message.
    """

    def __init__(
        self,
        options: Mapping[str, str] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        settings = {"listen": "127.0.0.1:0", **(options or {})}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "avatar_service.server",
                *(f"{key}={value}" for key, value in settings.items()),
            ],
            env={**os.environ, **(environ or {})},
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        self.lines: deque[str] = deque(maxlen=200)
        """The newest lines of its log."""
        self._ready = threading.Event()
        self.address = ""
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def stop(self) -> int:
        """Ask it to end (SIGTERM), insist after a while; return its exit code. Idempotent."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(STOP_TIMEOUT_SECS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join(5.0)
        return code

    def kill(self) -> None:
        """End it without warning, as a crash would."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _read_log(self) -> None:
        if self.process.stderr is None:
            return
        with self.process.stderr as log:
            for line in log:
                self.lines.append(line.rstrip())
                found = _READY.search(line)
                if found:
                    self.address = f"{found[1]}:{found[2]}"
                    self._ready.set()
        self._ready.set()  # it has ended; nobody needs to wait any longer

    def _wait_until_ready(self) -> None:
        in_time = self._ready.wait(START_TIMEOUT_SECS)
        if self.address:
            return
        self.kill()
        why = "in time" if not in_time else "and ended: " + " / ".join(list(self.lines)[-3:])
        raise AvatarError(Reason.BUG, f"the service did not get ready {why}")
