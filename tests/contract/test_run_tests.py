"""`make test` in two halves: nothing is left out, and a failure of either is the end's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
