"""What takes long says so where nobody sees a spinner."""

from __future__ import annotations

import threading

import pytest

from avatar_service.cli import console

pytestmark = pytest.mark.unit


def test_slow_work_is_told_once_and_quick_work_is_not(monkeypatch) -> None:
    told: list[str] = []
    is_told = threading.Event()
    monkeypatch.setattr(console, "say", lambda text: (told.append(text), is_told.set()))
    with console.waiting("quick"):
        pass
    monkeypatch.setattr(console, "SILENT_SECS", 0.0)
    with console.waiting("slow"):
        assert is_told.wait(20)
    assert told == ["slow"]
