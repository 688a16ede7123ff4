"""Build every engine client that this machine can build, and say what it cannot.

    python3 -m tools.clients [NAME ...]

NAME: native-PRESET, unity, unreal-g++, unreal-clang++, godot; none: all of them. Ends with 1 where
something does not build, else with 2 where a tool was missing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from tools.clients.godot import check_godot
from tools.clients.native import PRESETS, build_native
from tools.clients.parts import BuildFailed, MissingTool
from tools.clients.unity import build_unity
from tools.clients.unreal import COMPILERS, build_unreal

BUILDS: Final[dict[str, Callable[[], object]]] = {
    **{f"native-{preset}": partial(build_native, preset) for preset in PRESETS},
    "unity": build_unity,
    **{f"unreal-{compiler}": partial(build_unreal, compiler) for compiler in COMPILERS},
    "godot": check_godot,
}


def build(names: list[str]) -> int:
    """Build clients one after the other; return the exit code."""
    missing: list[str] = []
    failed: list[str] = []
    for name in names:
        started = time.monotonic()
        print(f"{name} ...", end=" ", flush=True)
        try:
            BUILDS[name]()
        except MissingTool as error:
            print("NOT BUILT")
            missing.append(str(error))
        except BuildFailed as error:
            print("FAILED")
            failed.append(f"{name}: {error}")
        else:
            print(f"built in {time.monotonic() - started:.0f} s")
    for line in failed:
        print(f"FAILED: {line}", file=sys.stderr)
    for line in missing:
        print(f"NOT BUILT: {line}", file=sys.stderr)
    return 1 if failed else 2 if missing else 0


def main() -> int:
    """Parse the command line and build."""
    program = Path(__file__).parent.name
    parser = argparse.ArgumentParser(prog=f"tools.{program}", description="Build engine clients.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUILDS))
    names = parser.parse_args().names
    for name in names:
        if name not in BUILDS:
            parser.error(f"there is no client {name}; there are {', '.join(BUILDS)}")
    return build(names or list(BUILDS))


if __name__ == "__main__":
    sys.exit(main())
