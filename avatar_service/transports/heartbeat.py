"""One thread per process that shows the readers of all rings that their writer lives.

A session may publish nothing for minutes (BURST, waiting for audio); a reader must still be able
to tell that from a writer that was killed.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import Final, Protocol

INTERVAL_SECS: Final = 1.0


class Beating(Protocol):
    """Something that shows signs of life."""

    def beat(self) -> None:
        """Show one."""
        ...


class Heart:
    """Beats for everything added that is still referenced elsewhere; the thread ends with them."""

    def __init__(self, interval_secs: float = INTERVAL_SECS) -> None:
        self._interval_secs = interval_secs
        self._lock = threading.Lock()
        self._members: weakref.WeakSet[Beating] = weakref.WeakSet()
        self._thread: threading.Thread | None = None

    def add(self, member: Beating) -> None:
        """Beat for `member` from now on."""
        with self._lock:
            self._members.add(member)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ring-heart", daemon=True)
                self._thread.start()

    def remove(self, member: Beating) -> None:
        """Beat no longer for `member`."""
        with self._lock:
            self._members.discard(member)

    def _run(self) -> None:
        while self._beat_all():
            time.sleep(self._interval_secs)

    def _beat_all(self) -> bool:
        """Beat once; False when nobody is left and the thread is to end.

        A function of its own, so that the sleeping thread holds no member.
        """
        with self._lock:
            members = list(self._members)
            if not members:
                # Under the lock: whoever is added next starts a new thread.
                self._thread = None
                return False
        for member in members:
            member.beat()
        return True


HEART: Final = Heart()
