"""One thread per process that shows the readers of all rings that their writer lives.

A session may publish nothing for minutes (BURST, waiting for audio); a reader must still be able
to tell that from a writer that was killed.
"""

from __future__ import annotations

import threading
import weakref
from typing import Final, Protocol

INTERVAL_SECS: Final = 1.0


class Beating(Protocol):
    """Something that shows signs of life."""

    def beat(self) -> None:
        """Show one."""
        ...


class Heart:
    """Beats for everything added that is still referenced elsewhere; the thread ends with it."""

    def __init__(self, interval_secs: float = INTERVAL_SECS) -> None:
        self._interval_secs = interval_secs
        self._lock = threading.Lock()
        self._members: weakref.WeakSet[Beating] = weakref.WeakSet()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, member: Beating) -> None:
        """Beat for `member` from now on."""
        with self._lock:
            self._members.add(member)
            if self._thread is None or not self._thread.is_alive():
                self._wake.clear()
                self._thread = threading.Thread(target=self._run, name="ring-heart", daemon=True)
                self._thread.start()

    def remove(self, member: Beating) -> None:
        """Beat no longer for `member`."""
        with self._lock:
            self._members.discard(member)
            if not self._members:
                self._wake.set()

    def _run(self) -> None:
        while not self._wake.wait(self._interval_secs):
            with self._lock:
                members = list(self._members)
                if not members:
                    self._thread = None
                    return
            for member in members:
                member.beat()
            del members


HEART: Final = Heart()
