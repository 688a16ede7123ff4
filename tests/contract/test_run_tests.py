"""`make test` in two halves: nothing is left out, and a failure of either is the end's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from avatar_service import jit
from tools import run_tests

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
FILE = """
import os, pytest

@pytest.mark.live
def test_live():
    print("live at", os.nice(0))
    assert {live}

def test_other():
    print("other at", os.nice(0))
    assert {other}
"""


@pytest.mark.parametrize(("live", "other"), [(False, True), (True, False)])
def test_a_failure_of_either_half_is_shown(tmp_path: Path, live: bool, other: bool) -> None:
    (tmp_path / "test_it.py").write_text(FILE.format(live=live, other=other))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = live\n")
    done = subprocess.run(
        [sys.executable, "-m", "tools.run_tests", "-q", "-s", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert done.stdout.index("live at") < done.stdout.index("other at")
    assert done.stdout.count("1 deselected") == 2
    assert done.stdout.count("1 passed") == 1


def test_kernels_are_compiled_once_before_both_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    class Done:
        def __init__(self, command: list[str], **_: Any) -> None:
            started.append(command)
            self._code = int("bench" in command)

        def wait(self) -> int:
            return self._code

    monkeypatch.setattr(jit, "_FOLDER", tmp_path)
    monkeypatch.setattr(subprocess, "Popen", Done)
    run_tests.compile_kernels()
    assert [command[2] for command in started] == [
        "avatar_service.session.compilation",
        "avatar_service.cli",
    ]
    assert jit.is_compiled("motion")
    assert not jit.is_compiled("picture")  # it failed
    jit.note_compiled("picture")
    run_tests.compile_kernels()
    assert len(started) == 2
