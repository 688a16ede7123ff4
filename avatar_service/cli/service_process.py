"""A service of our own on a free port, for commands that need one for a while."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from avatar_service.errors import AvatarError, Reason

START_SECS: Final = 120.0
"""The first start on a machine also compiles the kernels."""
STOP_SECS: Final = 15.0
_READY: Final = re.compile(r"serving avatar\.v1 on .*:(\d+)")


class ServiceProcess:
    """Starts `avatar serve` on loopback; its avatars live in a temporary folder and die with it.

    Args:
        device: auto, cpu or cuda:N.

    Raises:
        AvatarError: WARMING_UP where the service does not come up, with its last words.
    """

    def __init__(self, *, device: str = "auto") -> None:
        self._home = tempfile.TemporaryDirectory(prefix="avatar-demo-")
        config = Path(self._home.name) / "service.toml"
        config.write_text(f'home = "{Path(self._home.name).as_posix()}"\n')
        command = [sys.executable, "-m", "avatar_service.cli", "serve", "--listen", "127.0.0.1:0"]
        command += ["--device", device, "--config", str(config)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._port: int | None = None
        self._ready = threading.Event()
        self._last_words: deque[str] = deque(maxlen=5)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def target(self) -> str:
        """Where it listens, "127.0.0.1:PORT"; waits until it does."""
        self._ready.wait(START_SECS)
        if self._port is None:
            self.close()
            words = self._last_words[-1] if self._last_words else "it said nothing"
            raise AvatarError(Reason.WARMING_UP, f"the service did not start: {words}")
        return f"127.0.0.1:{self._port}"

    def _read(self) -> None:
        assert self._process.stderr is not None  # a pipe was asked for
        for line in self._process.stderr:
            self._last_words.append(line.strip())
            if match := _READY.search(line):
                self._port = int(match[1])
                self._ready.set()
        self._ready.set()

    def close(self) -> None:
        """Drain and stop it; idempotent."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_SECS)
        self._home.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
