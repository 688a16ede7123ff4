"""Compiles the Unreal plugin against the stand-ins, or skips loudly where a tool is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from native_build import MUST_RUN, build

ROOT = Path(__file__).resolve().parents[2]
UNREAL = ROOT / "engine_clients" / "unreal"
STUBS = ROOT / "tests" / "unreal_stubs"
MODULE = Path("Source/AvatarService")
WARNINGS = ("-std=c++20", "-Wall", "-Wextra", "-Werror", "-O0")
INSTALL = "sudo engine_clients/native/install_debian.sh all"


def _run(*command: str | Path) -> None:
    done = subprocess.run(["nice", *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-6000:] or done.stdout[-6000:]


def package(folder: Path) -> Path:
    """Make the complete plugin with the library of this machine and return its folder."""
    library = build("system") / "libavatar_client.so"
    _run(sys.executable, UNREAL / "package.py", folder, "--linux", library)
    return folder / "AvatarService"


class Compiler:
    """Builds the packaged plugin, the example and the driver into one program.

    Args:
        name: g++ or clang++.
        is_unity: join the module's sources into one, as the engine's build does by default.
    """

    def __init__(self, name: str, *, is_unity: bool) -> None:
        if shutil.which(name) is None:
            message = f"NOT TESTED: the Unreal plugin with {name}; install it by: {INSTALL}"
            if os.environ.get(MUST_RUN):
                pytest.fail(message)
            pytest.skip(message)
        self.name = name
        self.is_unity = is_unity

    def program(self, plugin: Path, folder: Path) -> Path:
        """Return the program; fails with the compiler's words."""
        generated = folder / "generated"
        for sources in (plugin / MODULE, UNREAL / "Example"):
            _run(sys.executable, STUBS / "header_tool.py", sources, generated)
        module = sorted((plugin / MODULE).rglob("*.cpp"))
        if self.is_unity:
            joined = folder / "unity.cpp"
            joined.write_text("".join(f'#include "{path}"\n' for path in module))
            module = [joined]
        sources = [*module, *generated.glob("*.gen.cpp"), *STUBS.glob("*.cpp")]
        sources.append(UNREAL / "Example" / "TalkingActor.cpp")
        includes = [
            plugin / MODULE / "Public",
            plugin / MODULE / "Private",
            plugin / "Source/ThirdParty/AvatarClient/include",
            generated,
            STUBS / "include",
            UNREAL / "Example",
        ]
        flags = [*WARNINGS, *(f"-I{path}" for path in includes)]

        def compile_one(source: Path) -> Path:
            target = folder / f"{source.name}.o"
            _run(self.name, *flags, "-c", source, "-o", target)
            return target

        with ThreadPoolExecutor(os.cpu_count()) as workers:
            objects = list(workers.map(compile_one, sources))
        binaries = plugin / "Binaries/ThirdParty/AvatarClient/Linux"
        program = folder / "driver"
        _run(self.name, *objects, "-o", program, f"-L{binaries}", "-lavatar_client",
             f"-Wl,-rpath,{binaries}", "-pthread", "-ldl")  # fmt: skip
        return program
