"""What the service looks after while it runs: failed and forgotten sessions, changed files."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.access import TokenFile
from avatar_service.server.avatar_store import AvatarStore
from avatar_service.server.interceptor import ServiceInterceptor
from avatar_service.server.statuses import bug_from
from avatar_service.server.tls import TlsFiles
from avatar_service.session.manager import SessionManager

log = logging.getLogger(__name__)

ROUND_SECS: Final = 1.0
COLLECT_ROUNDS: Final = 30
"""Python's own full collections wait until a quarter of what the last one saw is new: here until
some 500 sessions have closed, whose cycles hold 20 kB each. One takes 2 ms (what was there at the
start is frozen)."""
ERASE_ROUNDS: Final = 60
"""What another service that shares this home left when it was killed lies about no longer."""
UNREADABLE_SECS: Final = 30.0
"""Without an answer for so long whether an avatar may be shown, it may not. Less is a disk, a lock
or a lack of descriptors that passes: sessions go on meanwhile."""


class Housekeeping:
    """One round a second; a session that fails is ended at once.

    Args:
        guards: what ends the calls of withdrawn tokens.
        now: clock, seconds.
    """

    def __init__(
        self,
        manager: SessionManager,
        avatars: AvatarStore,
        *,
        tls: TlsFiles | None,
        tokens: TokenFile | None,
        guards: Sequence[ServiceInterceptor],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._manager = manager
        self._avatars = avatars
        self._tls = tls
        self._tokens = tokens
        self._guards = tuple(guards)
        self._now = now
        self._num_rounds = 0
        self._unreadable_since: dict[str, float] = {}

    async def run(self) -> None:
        """Go on until cancelled; a round that fails is logged and does not end the next ones."""
        loop = asyncio.get_running_loop()
        has_failed = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(has_failed.set)

        self._manager.on_failed = tell
        next_round = loop.time() + ROUND_SECS
        try:
            while True:
                try:
                    async with asyncio.timeout_at(next_round):
                        await has_failed.wait()
                    has_failed.clear()
                    await asyncio.to_thread(self._manager.close_failed)
                except TimeoutError:
                    next_round = loop.time() + ROUND_SECS
                    await self._look_after_all()
                except Exception as fault:
                    bug_from(fault)
        finally:
            self._manager.on_failed = _nobody_waits

    async def _look_after_all(self) -> None:
        try:
            await asyncio.to_thread(self._manager.sweep)
            await asyncio.to_thread(self._end_unallowed)
            await self.follow_files()
            self._num_rounds += 1
            if self._num_rounds % COLLECT_ROUNDS == 0:
                await asyncio.to_thread(gc.collect)
            if self._num_rounds % ERASE_ROUNDS == 0:
                await asyncio.to_thread(self._avatars.erase_left_over)
        except Exception as fault:
            bug_from(fault)

    async def follow_files(self) -> None:
        """Take over changed tokens and certificates; calls with a withdrawn token are ended."""
        if self._tls is not None and await asyncio.to_thread(self._tls.poll):
            log.info("new connections get the new certificate")
        if self._tokens is not None and await asyncio.to_thread(self._tokens.poll):
            log.info("the new tokens hold")
            for guard in self._guards:
                guard.end_withdrawn()

    def _end_unallowed(self) -> None:
        """End sessions whose avatar was erased, or whose consent has expired or was revoked.

        Another process may have done it (avatar consents revoke); so it is looked for here.
        """
        shown = {one.request.avatar_id for one in self._manager.sessions} - {""}
        since = self._unreadable_since
        self._unreadable_since = {one: at for one, at in since.items() if one in shown}
        for avatar_id in shown:
            ended = self._end_of_right(avatar_id)
            if ended is None:
                continue
            is_gone = ended.reason is Reason.AVATAR_NOT_FOUND
            message = "the avatar was deleted" if is_gone else ended.message
            reason = Reason.SESSION_CLOSED if is_gone else ended.reason
            for managed in self._manager.uses_of(avatar_id):
                self._manager.close(managed, message, reason)

    def _end_of_right(self, avatar_id: str) -> AvatarError | None:
        """Return what has ended the right to show an avatar; None where it may be shown on."""
        try:
            self._avatars.check_may_show(avatar_id)
        except AvatarError as error:
            fault = error
        except OSError as error:
            fault = AvatarError(Reason.INVALID_FILE, f"the avatar's folder: {error.strerror}")
        else:
            self._unreadable_since.pop(avatar_id, None)
            return None
        if fault.reason in (Reason.AVATAR_NOT_FOUND, Reason.CONSENT_REQUIRED):
            return fault
        # Not told that it ended, but told nothing: one disk's hiccup must not end every session.
        if avatar_id not in self._unreadable_since:
            log.error("whether avatar %s may be shown is unknown: %s", avatar_id, fault.message)
        since = self._unreadable_since.setdefault(avatar_id, self._now())
        return fault if self._now() - since >= UNREADABLE_SECS else None


def _nobody_waits() -> None:
    """Nobody is there to end failed sessions: the service stops."""
