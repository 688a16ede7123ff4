"""Who lives long does not compile."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fakes.portraits import astronaut

from avatar_service import jit
from avatar_service.provenance.watermark import Mark
from avatar_service.session import compilation, offline
from avatar_service.session.compilation import MOTION, PICTURE, compile_ahead, main

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jit, "_FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_what_is_compiled_is_not_compiled_again(folder: Path, runs: list[list[str]]) -> None:
    compile_ahead(MOTION)
    compile_ahead(PICTURE, folder / "portrait.npz")
    module = [sys.executable, "-m", "avatar_service.session.compilation"]
    assert runs == [[*module, "motion"], [*module, "picture", str(folder / "portrait.npz")]]
    jit.note_compiled(MOTION)
    compile_ahead(MOTION)
    assert len(runs) == 2


def test_who_asks_meanwhile_waits_for_the_one_that_compiles(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that loses patience every ten seconds would else start a compiler each time."""
    runs: list[list[str]] = []
    may_end, has_begun = threading.Event(), threading.Event()

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        runs.append(command)
        has_begun.set()
        assert may_end.wait(10)
        jit.note_compiled(PICTURE)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    asking = [
        threading.Thread(target=compile_ahead, args=(PICTURE, folder / "portrait.npz"))
        for _ in range(3)
    ]
    for one in asking:
        one.start()
    assert has_begun.wait(10)
    asking[-1].join(0.1)
    may_end.set()
    for one in asking:
        one.join(10)
    assert len(runs) == 1


@pytest.mark.parametrize("way", ["code", "time", "absent"])
def test_it_goes_on_and_says_so_where_it_fails(
    folder: Path, way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        if way == "time":
            raise subprocess.TimeoutExpired(command, 1)
        if way == "absent":
            raise FileNotFoundError
        return subprocess.CompletedProcess(command, 3, stderr="Traceback ...\nNoSpace: disk\n")

    monkeypatch.setattr(subprocess, "run", run)
    with caplog.at_level(logging.WARNING):
        compile_ahead(MOTION)
    told = {"code": "NoSpace: disk", "time": "TimeoutExpired", "absent": "FileNotFoundError"}
    assert f"kernels are compiled by this process itself: {told[way]}" in caplog.text
    assert not jit.is_compiled(MOTION)


def test_the_other_process_leaves_word_when_all_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main([MOTION])
    assert jit.is_compiled(MOTION)
    astronaut().save(folder / "portrait.npz")
    main([PICTURE, str(folder / "portrait.npz")])
    assert jit.is_compiled(PICTURE)
    monkeypatch.setattr(compilation, "compile_motion", lambda: 1 / 0)
    (folder / "motion.compiled").unlink()
    with pytest.raises(ZeroDivisionError):
        main([MOTION])
    assert not jit.is_compiled(MOTION)


def test_a_file_moves_by_machine_code_from_the_cache_from_the_first_time_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def compile_ahead(what: str) -> None:
        asked.append(what)
        raise InterruptedError

    monkeypatch.setattr(offline, "compile_ahead", compile_ahead)
    with pytest.raises(InterruptedError):
        next(offline.animate(astronaut(), [], offline.OfflineSettings(), Mark(0, 0)))
    assert asked == [MOTION]
