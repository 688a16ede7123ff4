"""Giving a call up of which nothing is heard, where the connection itself is alive."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Self

import grpc

from avatar_client.errors import UNREACHABLE_RETRY_SECS, UnavailableError

LOOK_SECS: Final = 0.5
"""Silence is added up this often, and no more than twice as much at once: a process that was
stopped or starved itself is not to blame the service for it."""


class SilenceWatch:
    """Cancels an Animate call that the service does not open, or goes silent on, in time.

    Its figures, asked for every second, come in a quiet session, too.

    Args:
        call: to watch while the block runs.
        opening_secs: longest wait for the first message.
        silence_secs: longest wait for any further one.
    """

    def __init__(self, call: grpc.Call, *, opening_secs: float, silence_secs: float) -> None:
        self._call = call
        self._opening_secs = opening_secs
        self._silence_secs = silence_secs
        self._is_over = threading.Event()
        self._is_waiting = True
        self._has_opened = False
        self._silent_secs = 0.0
        self.fault: UnavailableError | None = None
        """Why the call was cancelled here; None: it was not."""
        self._thread = threading.Thread(target=self._watch, name="avatar-silence", daemon=True)

    def heard(self) -> None:
        """A message has come, and is worked on until `wait`."""
        self._is_waiting = False
        self._silent_secs = 0.0
        self._has_opened = True

    def wait(self) -> None:
        """The next message is waited for."""
        self._is_waiting = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()

    def _watch(self) -> None:
        step_secs = min(LOOK_SECS, self._opening_secs / 4, self._silence_secs / 4)
        looked_at = time.monotonic()
        while not self._is_over.wait(step_secs):
            now = time.monotonic()
            if self._is_waiting:
                self._silent_secs += min(now - looked_at, 2 * step_secs)
            looked_at = now
            if self._has_opened:
                longest_secs = self._silence_secs
                why = f"nothing came from the service for {longest_secs:g} s"
            else:
                longest_secs = self._opening_secs
                why = f"the service did not open the stream in {longest_secs:g} s"
            if self._silent_secs < longest_secs:
                continue
            self.fault = UnavailableError("TIMEOUT", why, retry_secs=UNREACHABLE_RETRY_SECS)
            self._call.cancel()
            return
