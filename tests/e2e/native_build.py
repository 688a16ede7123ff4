"""The engine clients as tools/clients builds them; a test skips loudly where a tool is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from tools.clients.native import INSTALL, NATIVE, build_native
from tools.clients.parts import BuildFailed, MissingTool

__all__ = ["INSTALL", "NATIVE", "build", "built", "missing", "run_ctest", "skip"]

MUST_RUN = "AVATAR_TESTS_MUST_RUN"
"""Where this variable is set (in CI) a missing tool is a failure, not a skip."""

Made = TypeVar("Made")


def skip(message: str) -> NoReturn:
    """Skip, or fail in CI."""
    if os.environ.get(MUST_RUN):
        pytest.fail(f"NOT TESTED: {message}")
    pytest.skip(f"NOT TESTED: {message}")


def missing(what: str) -> NoReturn:
    """Skip, or fail in CI, and say how to install what the native client lacks."""
    skip(f"the native client: {what}; install it by: {INSTALL}")


def built(make: Callable[[], Made]) -> Made:
    """Return what is built; skips where that cannot be, fails with the compiler's words."""
    try:
        return make()
    except MissingTool as error:
        skip(str(error))
    except BuildFailed as error:
        pytest.fail(str(error))


@cache
def _folder(preset: str) -> Path:
    return build_native(preset)


def build(preset: str) -> Path:
    """Build a preset of the native client and return its folder."""
    return built(lambda: _folder(preset))


def run_ctest(preset: str, folder: Path) -> None:
    """Run a preset's own tests."""
    prefix = folder / "wine"
    environ = {**os.environ, "WINEDEBUG": "-all", "WINEPREFIX": str(prefix)}
    done = subprocess.run(
        ["nice", "ctest", "--test-dir", str(folder), "--output-on-failure"],
        env=environ,
        capture_output=True,
        text=True,
    )
    if prefix.exists():
        _end_wine(prefix, environ)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "No tests were found" not in done.stdout + done.stderr, preset


def _end_wine(prefix: Path, environ: dict[str, str]) -> None:
    """End wine's server, which outlives its programs, and remove its folder, which outlives it."""
    server = shutil.which("wineserver") or shutil.which("wineserver-stable")
    if server is not None:
        subprocess.run([server, "-k"], env=environ, check=False)
    note = prefix / "wineserver"  # Debian's wine notes the name of the folder for its socket here
    if note.exists():
        shutil.rmtree(Path(tempfile.gettempdir()) / note.read_text().strip(), ignore_errors=True)
        note.unlink()
