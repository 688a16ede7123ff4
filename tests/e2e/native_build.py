"""Builds the native client with a CMake preset, or skips loudly where a tool is missing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "engine_clients" / "native"
INSTALL = "sudo engine_clients/native/install_debian.sh all"
MUST_RUN = "AVATAR_TESTS_MUST_RUN"
"""Where this variable is set (in CI) a missing tool is a failure, not a skip."""

SYSTEM_TOOLS = ("cmake", "ninja", "g++", "pkg-config", "protoc", "grpc_cpp_plugin")
CLANG_TOOLS = ("cmake", "ninja", "clang++")
MINGW_TOOLS = ("cmake", "ninja", "x86_64-w64-mingw32-g++-posix")


def missing(what: str) -> None:
    """Skip, or fail in CI, and say how to install what is missing."""
    message = f"NOT TESTED: the native client: {what}; install it by: {INSTALL}"
    if os.environ.get(MUST_RUN):
        pytest.fail(message)
    pytest.skip(message)


def _find_missing(preset: str) -> str:
    tools = {"asan": CLANG_TOOLS, "mingw": MINGW_TOOLS}.get(preset, SYSTEM_TOOLS)
    if preset == "tsan":
        tools += ("clang++",)
    for tool in tools:
        if shutil.which(tool) is None:
            return f"{tool} is not there"
    if preset in ("system", "tsan"):
        for package in ("grpc++", "libzmq", "libturbojpeg", "openh264"):
            if subprocess.run(["pkg-config", "--exists", package], check=False).returncode != 0:
                return f"the library {package} is not there"
    if preset == "mingw" and not any(map(shutil.which, ("wine64", "wine"))):
        return "wine is not there"
    if not any(Path(folder, "doctest/doctest.h").exists() for folder in _INCLUDES):
        return "doctest.h is not there"
    return ""


_INCLUDES = ("/usr/include", "/usr/local/include")


@cache
def _build(preset: str) -> str:
    """Return the output of a build that failed; empty: built."""
    folder = NATIVE / "build"
    folder.mkdir(exist_ok=True)
    with (folder / f"{preset}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of the tests may build here too
        for command in (
            ["cmake", "--preset", preset],
            ["cmake", "--build", "--preset", preset, "-j", str(os.cpu_count() or 1)],
        ):
            done = subprocess.run(["nice", *command], cwd=NATIVE, capture_output=True, text=True)
            if done.returncode != 0:
                return done.stdout[-4000:] + done.stderr[-4000:]
    return ""


def build(preset: str) -> Path:
    """Build a preset and return its folder; skips or fails where that cannot be."""
    lack = _find_missing(preset)
    if lack:
        missing(lack)
    output = _build(preset)
    assert not output, output
    return NATIVE / "build" / preset


def run_ctest(preset: str, folder: Path) -> None:
    """Run a preset's own tests."""
    environ = {**os.environ, "WINEDEBUG": "-all", "WINEPREFIX": str(folder / "wine")}
    done = subprocess.run(
        ["nice", "ctest", "--test-dir", str(folder), "--output-on-failure"],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "No tests were found" not in done.stdout + done.stderr, preset
