"""What building a client needs: tools that are there, commands, work that is not repeated."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

ROOT: Final = Path(__file__).resolve().parents[2]
CLIENTS: Final = ROOT / "engine_clients"
STUBS: Final = ROOT / "tests"
BUILD: Final = ROOT / "build/clients"
"""Where what is not the native library is built."""


class MissingTool(Exception):
    """A client cannot be built here; the message says what is missing and how to install it."""


class BuildFailed(Exception):
    """A command failed; the message holds what it said last."""


def need(client: str, install: str, tools: Iterable[str]) -> None:
    """Check that programs are there.

    Raises:
        MissingTool: the first that is not.
    """
    for tool in tools:
        if shutil.which(tool) is None:
            raise MissingTool(f"{client}: {tool} is not there; install it by: {install}")


def run(
    command: Sequence[str | Path], cwd: Path = ROOT, *, environ: dict[str, str] | None = None
) -> str:
    """Run a command with low priority and return what it printed.

    Raises:
        BuildFailed: it failed.
    """
    nice = ["nice", "-n", "5"] if shutil.which("nice") else []
    done = subprocess.run(
        [*nice, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise BuildFailed(f"{command[0]}: {done.stdout[-6000:]}")
    return done.stdout


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and build in it alone; another process that builds there is waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(files: Iterable[Path], *words: object) -> str:
    """Return what stands for the content of files and for words, such as a compiler's options."""
    total = hashlib.sha256(repr(words).encode())
    for file in sorted(files):
        total.update(f"{file}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def is_built(folder: Path, wanted: str) -> bool:
    """Whether the folder holds what was built from inputs with this digest."""
    stamp = folder / ".built"
    return stamp.is_file() and stamp.read_text() == wanted


def set_built(folder: Path, wanted: str) -> None:
    """Take note of what the folder was built from."""
    (folder / ".built").write_text(wanted)


def build_once(
    folder: Path, files: Callable[[], Iterable[Path]], build: Callable[[], None], *words: object
) -> None:
    """Build in a folder unless it holds what these inputs make; see `locked` and `digest`."""
    with locked(folder):
        wanted = digest(files(), *words)
        if not is_built(folder, wanted):
            build()
            set_built(folder, wanted)
