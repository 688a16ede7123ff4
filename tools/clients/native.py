"""The native client, by its CMake presets."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tools.clients.parts import CLIENTS, MissingTool, locked, need, run

NATIVE: Final = CLIENTS / "native"
PRESETS: Final = ("system", "ring-only", "asan", "tsan", "mingw")
"""What can be built on Debian; the presets of vcpkg are for releases."""
INSTALL: Final = "sudo engine_clients/native/install_debian.sh all"

_BASE: Final = ("cmake", "ninja")
_SYSTEM: Final = (*_BASE, "g++", "pkg-config", "protoc", "grpc_cpp_plugin")
_TOOLS: Final = {
    "system": _SYSTEM,
    "ring-only": (*_BASE, "g++"),
    "asan": (*_BASE, "clang++"),
    "tsan": (*_SYSTEM, "clang++"),
    "mingw": (*_BASE, "x86_64-w64-mingw32-g++-posix"),
}
_LIBRARIES: Final = ("grpc++", "libzmq", "libturbojpeg", "openh264")
_INCLUDES: Final = ("/usr/include", "/usr/local/include")


def check_tools(preset: str) -> None:
    """Check that a preset can be built and its tests run here.

    Raises:
        MissingTool: what is not there.
    """
    client = f"the native client ({preset})"
    need(client, INSTALL, _TOOLS[preset])
    if "protoc" in _TOOLS[preset]:
        for library in _LIBRARIES:
            if subprocess.run(["pkg-config", "--exists", library], check=False).returncode != 0:
                raise MissingTool(
                    f"{client}: the library {library} is not there; install it by: {INSTALL}"
                )
    if preset == "mingw" and not any(map(shutil.which, ("wine64", "wine"))):
        raise MissingTool(f"{client}: wine is not there; install it by: {INSTALL}")
    if not any(Path(folder, "doctest/doctest.h").exists() for folder in _INCLUDES):
        raise MissingTool(f"{client}: doctest.h is not there; install it by: {INSTALL}")


def build_native(preset: str) -> Path:
    """Build a preset with its tests; return its folder.

    Raises:
        MissingTool: it cannot be built here.
        BuildFailed: it does not compile.
    """
    check_tools(preset)
    folder = NATIVE / "build" / preset
    with locked(folder):
        run(["cmake", "--preset", preset], NATIVE)
        jobs = str(os.cpu_count() or 1)
        run(["cmake", "--build", "--preset", preset, "-j", jobs], NATIVE)
    return folder
