"""The Unreal plugin, packaged and compiled against the stand-ins of tests/unreal_stubs."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.clients.native import INSTALL, build_native
from tools.clients.parts import BUILD, CLIENTS, STUBS, build_once, need, run

UNREAL: Final = CLIENTS / "unreal"
UNREAL_STUBS: Final = STUBS / "unreal_stubs"
COMPILERS: Final = ("g++", "clang++")
FLAGS: Final = ("-std=c++20", "-Wall", "-Wextra", "-Werror", "-O0")
_MODULE: Final = Path("Source/AvatarService")
_BINARIES: Final = Path("Binaries/ThirdParty/AvatarClient/Linux")


@dataclass(frozen=True, slots=True)
class Game:
    """The packaged plugin with the program that stands for a game.

    Attributes:
        plugin: the folder that would go into a project's Plugins.
        driver: tests/unreal_stubs/driver.cpp linked with the plugin, its example and stand-ins.
    """

    plugin: Path
    driver: Path


def build_unreal(compiler: str) -> Game:
    """Package the plugin with this machine's library and compile it.

    clang++ compiles the module as one joined source, as the engine's build does by default.

    Raises:
        MissingTool: the compiler, or what the library needs, is not there.
        BuildFailed: something does not compile, or a header is not what the engine's tool takes.
    """
    need(f"the Unreal plugin ({compiler})", INSTALL, (compiler,))
    library = build_native("system") / "libavatar_client.so"
    out = BUILD / f"unreal-{compiler}"
    game = Game(out / "AvatarService", out / "driver")

    def inputs() -> list[Path]:
        return [
            library,
            *(path for path in UNREAL.rglob("*") if path.is_file() and path.suffix != ".pyc"),
            *(path for path in UNREAL_STUBS.rglob("*") if path.is_file()),
            *(path for path in (CLIENTS / "native/include").rglob("*.h")),
        ]

    def build() -> None:
        run([sys.executable, UNREAL / "package.py", out, "--linux", library])
        _compile(game, compiler, out / "objects")

    build_once(out, inputs, build, compiler, FLAGS)
    return game


def _compile(game: Game, compiler: str, objects: Path) -> None:
    generated = objects / "generated"
    objects.mkdir(exist_ok=True)
    for old in [*objects.glob("*.o"), *generated.rglob("*.*")]:
        if old.is_file():
            old.unlink()
    module = game.plugin / _MODULE
    for sources in (module, UNREAL / "Example"):
        run([sys.executable, UNREAL_STUBS / "header_tool.py", sources, generated])
    parts = sorted(module.rglob("*.cpp"))
    if compiler == "clang++":
        joined = objects / "unity.cpp"
        joined.write_text("".join(f'#include "{path}"\n' for path in parts))
        parts = [joined]
    parts += [*sorted(generated.glob("*.gen.cpp")), *sorted(UNREAL_STUBS.glob("*.cpp"))]
    parts.append(UNREAL / "Example" / "TalkingActor.cpp")
    includes = [
        module / "Public",
        module / "Private",
        game.plugin / "Source/ThirdParty/AvatarClient/include",
        generated,
        UNREAL_STUBS / "include",
        UNREAL / "Example",
    ]
    flags = [*FLAGS, *(f"-I{path}" for path in includes)]

    def compile_one(source: Path) -> Path:
        target = objects / f"{source.name}.o"
        run([compiler, *flags, "-c", source, "-o", target])
        return target

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        compiled = list(workers.map(compile_one, parts))
    binaries = game.plugin / _BINARIES
    libraries = (f"-L{binaries}", "-lavatar_client", f"-Wl,-rpath,{binaries}", "-pthread", "-ldl")
    run([compiler, *compiled, "-o", game.driver, *libraries])
