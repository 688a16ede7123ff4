"""Make the plugin complete: the sources with the native client's headers and libraries.

    python engine_clients/unreal/package.py OUT --linux libavatar_client.so.1
    python engine_clients/unreal/package.py OUT --win64 avatar_client.dll avatar_client.lib \
        --mac libavatar_client.1.dylib --linux libavatar_client.so.1

OUT/AvatarService then goes into a project's Plugins folder. Platforms that are not given are left
out, and Build.cs refuses to build for them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parent / "native" / "include"
HEADERS = ("avatar_client.h", "avatar_client/*.h")
THIRD_PARTY = Path("Source/ThirdParty/AvatarClient")
BINARIES = Path("Binaries/ThirdParty/AvatarClient")


def package(out: Path, libraries: dict[Path, Path]) -> Path:
    """Write the plugin and return its folder.

    Args:
        out: folder to put AvatarService into; an older one there is replaced.
        libraries: place inside the plugin -> file to copy there.
    """
    headers = {
        THIRD_PARTY / "include" / header.relative_to(INCLUDE): header
        for pattern in HEADERS
        for header in INCLUDE.glob(pattern)
    }
    missing = [str(source) for source in libraries.values() if not source.is_file()]
    if missing:
        sys.exit(f"not there: {', '.join(missing)}")
    plugin = out / "AvatarService"
    if plugin.exists():
        shutil.rmtree(plugin)
    ignored = shutil.ignore_patterns("Binaries", "Intermediate", "include", "lib", ".gitignore")
    shutil.copytree(HERE / "AvatarService", plugin, ignore=ignored)
    for place, source in {**headers, **libraries}.items():
        target = plugin / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.resolve(), target)
    return plugin


def main() -> None:
    """Parse the command line and package."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("out", type=Path)
    parser.add_argument("--linux", type=Path, metavar="SO")
    parser.add_argument("--mac", type=Path, metavar="DYLIB")
    parser.add_argument("--win64", type=Path, nargs=2, metavar=("DLL", "LIB"))
    arguments = parser.parse_args()
    libraries: dict[Path, Path] = {}
    if arguments.linux:
        # The linker looks for the first name, the game for the second.
        for name in ("libavatar_client.so", "libavatar_client.so.1"):
            libraries[BINARIES / "Linux" / name] = arguments.linux
    if arguments.mac:
        libraries[BINARIES / "Mac" / "libavatar_client.1.dylib"] = arguments.mac
    if arguments.win64:
        libraries[BINARIES / "Win64" / "avatar_client.dll"] = arguments.win64[0]
        libraries[THIRD_PARTY / "lib" / "Win64" / "avatar_client.lib"] = arguments.win64[1]
    if not libraries:
        parser.error("give the library of one platform at least")
    sys.stdout.write(f"{package(arguments.out, libraries)}\n")


if __name__ == "__main__":
    main()
