"""What the service looks after by itself."""

import asyncio
import gc
import os
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.service import fake_fit

from avatar_service.errors import Reason
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.consent_book import ConsentBook
from avatar_service.server import housekeeping
from avatar_service.server.avatar_store import AvatarStore
from avatar_service.server.housekeeping import UNREADABLE_SECS, Housekeeping

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


class _Shown(_Manager):
    """Shows one avatar."""

    def __init__(self, avatar_id: str) -> None:
        self.ended: list[Reason] = []
        self.sessions = (SimpleNamespace(request=SimpleNamespace(avatar_id=avatar_id)),)

    def uses_of(self, avatar_id: str) -> tuple[Any, ...]:
        return self.sessions

    def close(self, managed: object, message: str, reason: Reason) -> None:
        self.ended.append(reason)


@pytest.fixture
def house(tmp_path: Path) -> Any:
    """A house with one avatar that is shown, and hands to do it harm."""
    book = ConsentBook(tmp_path / "provenance")
    avatars = AvatarStore(tmp_path, book, rig_version=1, fit=fake_fit, max_avatars=3)
    consent = Consent("A. Person", "my own photo")
    made = avatars.create(b"photo", crop="face", display_name="", consent=consent)
    manager, clock = _Shown(made.avatar_id), SimpleNamespace(secs=0.0)
    keeping: Any = Housekeeping(
        manager,  # type: ignore[arg-type]
        avatars,
        tls=None,
        tokens=None,
        guards=(),
        now=lambda: clock.secs,
    )
    return SimpleNamespace(
        look=keeping._end_unallowed, manager=manager, clock=clock, book=book, made=made
    )


@pytest.mark.parametrize("error", [PermissionError(13, "no"), OSError(24, "Too many open files")])
def test_a_store_that_cannot_be_read_for_a_moment_ends_no_session(
    house: Any, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_text = Path.read_text

    def fail(path: Path, *args: Any, **kwargs: Any) -> str:
        raise error

    for _ in range(3):  # each time anew
        monkeypatch.setattr(Path, "read_text", fail)
        house.look()
        house.clock.secs += UNREADABLE_SECS - 1.0
        house.look()
        monkeypatch.setattr(Path, "read_text", read_text)
        house.look()
    assert house.manager.ended == []


@pytest.mark.parametrize("harm", ["unreadable", "damaged"])
def test_nobody_is_shown_for_long_without_a_consent_that_can_be_read(
    house: Any, harm: str, tmp_path: Path
) -> None:
    path = tmp_path / "avatars" / house.made.avatar_id / "avatar.json"
    if harm == "damaged":
        path.write_text("{")
    else:
        path.unlink()
        os.mkdir(path)
    house.look()
    house.clock.secs += UNREADABLE_SECS - 1.0
    house.look()
    assert house.manager.ended == []
    house.clock.secs += 1.0
    house.look()
    assert house.manager.ended == [Reason.INVALID_FILE]


@pytest.mark.parametrize("forget", [False, True])
def test_a_revoked_consent_ends_its_sessions_at_once(house: Any, forget: bool) -> None:
    house.book.revoke(house.made.photo_sha256, forget=forget)
    house.look()
    assert house.manager.ended == [Reason.CONSENT_REQUIRED]


def test_what_other_services_left_is_looked_for_every_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager: Any = _Manager()
    avatars: Any = SimpleNamespace(erase_left_over=lambda: erased_at.append(keeping._num_rounds))
    erased_at: list[int] = []
    keeping = Housekeeping(manager, avatars, tls=None, tokens=None, guards=())

    async def two_minutes() -> None:
        for _ in range(2 * int(60 / housekeeping.ROUND_SECS)):
            await keeping._look_after_all()

    asyncio.run(two_minutes())
    assert erased_at == [60, 120]
