"""What the service looks after by itself."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from avatar_service.server import housekeeping
from avatar_service.server.housekeeping import Housekeeping

pytestmark = pytest.mark.unit


class _Manager:
    on_failed: Any = None
    sessions: tuple[Any, ...] = ()

    def sweep(self) -> None:
        """No session is there."""

    def close_failed(self) -> None:
        """None has failed."""


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_cycles_of_closed_sessions_do_not_wait_for_pythons_own_collection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager: Any = _Manager()
    avatars: Any = None
    keeping = Housekeeping(manager, avatars, tls=None, tokens=None, guards=())
    monkeypatch.setattr(housekeeping, "ROUND_SECS", 0.0)
    left = weakref.ref(_Cycle())

    async def until_collected() -> None:
        rounds = asyncio.create_task(keeping.run())
        async with asyncio.timeout(60):
            while left() is not None:  # noqa: ASYNC110  polled: nobody tells of a collection
                await asyncio.sleep(0.001)
        rounds.cancel()

    gc.disable()
    try:
        assert left() is not None
        asyncio.run(until_collected())
    finally:
        gc.enable()
