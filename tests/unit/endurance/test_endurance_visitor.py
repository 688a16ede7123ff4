"""A visitor that is killed while it stalls is not woken afterwards."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from avatar_service.endurance import soak
from avatar_service.endurance.visitor import STALL_MARK

pytestmark = pytest.mark.unit


class GoneProcess:
    """A process that has ended and been waited for: its pid is nobody's, or a stranger's."""

    pid = 0  # os.kill(0, ...) would reach the whole group, so the test would notice

    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def join(self) -> None: ...


class OnePipe:
    def __init__(self) -> None:
        self.said = [STALL_MARK]

    def poll(self) -> bool:
        return bool(self.said)

    def recv(self) -> str:
        return self.said.pop()

    def close(self) -> None: ...


class Context:
    Process = GoneProcess

    def Pipe(self) -> tuple[OnePipe, OnePipe]:  # noqa: N802  (multiprocessing's name)
        return OnePipe(), OnePipe()


def test_a_visitor_killed_in_its_stall_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(soak.os, "kill", lambda pid, number: sent.append(number))
    visitor, outcomes = soak._Visitor(Context(), ()), Counter[str]()
    visitor.read(outcomes, must_go_on=True)
    visitor.kill()
    later = time.monotonic() + soak.STALL_SECS + 1
    monkeypatch.setattr(soak.time, "monotonic", lambda: later)
    visitor.read(outcomes, must_go_on=True)
    assert sent == []
    assert outcomes == {STALL_MARK: 1}
