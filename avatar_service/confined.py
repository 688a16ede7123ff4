"""Work on files from outside in a process of its own, bounded in memory, CPU and time.

Decoders are where hostile files do their harm: a file that makes one allocate without end, loop or
crash takes down a process that holds nothing else. The bounds are the kernel's (setrlimit) where it
has them, Linux and mostly macOS; elsewhere time alone is bounded. Decoders are sealed, too: see
sealed.py.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, TypeVar

from avatar_service import sealed
from avatar_service.errors import AvatarError, Reason

if sys.platform != "win32":
    import resource

GIB: Final = 1 << 30
START_SECS: Final = 120.0
"""Bound for the interpreter's start and the imports of the work, on a machine that is busy."""
MAX_OPEN_FILES: Final = 256
_ENDED_SECS: Final = 5.0

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one piece of work may take.

    Attributes:
        memory_bytes: address space on top of what the process holds when the work begins.
        cpu_secs: of the process, all threads.
        wall_secs: until the result, or from one item to the next.
        file_bytes: largest file it may write.
        is_sealed: whether it may read files and answer, and nothing else (sealed.py), where the
            machine can do that. The process stays so for what comes after.
    """

    memory_bytes: int = GIB
    cpu_secs: float = 600.0
    wall_secs: float = 60.0
    file_bytes: int = GIB
    is_sealed: bool = False


class WorkFailed(Exception):
    """The work hit a bound or took its process down; says which, and nothing of the file."""


class ConfinedWorker:
    """A process that does one piece of work after another; made anew when it was lost.

    Called from any thread; pieces wait for their turn, and the bounds count from there.

    Args:
        bounds: of each piece.
        niceness: added to the priority of the process.
    """

    def __init__(self, bounds: Bounds, *, niceness: int = 0) -> None:
        self._bounds = bounds
        self._niceness = niceness
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._process: _Process | None = None

    def run(self, work: Callable[..., Item], *arguments: object) -> Item:
        """Call a function of a module over there and return what it returns.

        Raises what the function raises where that is an AvatarError; WorkFailed for all else.
        """
        with self._turn:
            with self._lock:
                if self._process is None or not self._process.is_alive:
                    self._process = _Process(self._niceness)
                process = self._process
            try:
                process.begin(self._bounds, work, arguments, is_stream=False)
                (result,) = process.items(self._bounds.wall_secs)
                return result  # type: ignore[no-any-return]
            except BaseException as error:
                if not isinstance(error, AvatarError):
                    self.close()
                raise

    def close(self) -> None:
        """End the process and what it works on; the next piece starts another one."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.end()


def confined_items(
    bounds: Bounds, work: Callable[..., Iterator[Item]], *arguments: object
) -> Iterator[Item]:
    """Yield what a generator of a module yields, run in a process of its own that ends with it.

    Raises what the generator raises where that is an AvatarError; WorkFailed for all else.
    """
    process = _Process(niceness=0)
    try:
        process.begin(bounds, work, arguments, is_stream=True)
        yield from process.items(bounds.wall_secs)
    finally:
        process.end()


class _Process:
    """One spawned interpreter and the pipe to it."""

    def __init__(self, niceness: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, niceness), daemon=True
        )
        self._process.start()
        theirs.close()
        self._is_new = True

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def begin(
        self,
        bounds: Bounds,
        work: Callable[..., object],
        arguments: tuple[object, ...],
        *,
        is_stream: bool,
    ) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died: told by `items`
            self._pipe.send((bounds, work, arguments, is_stream))

    def items(self, wall_secs: float) -> Iterator[Any]:
        """Yield the results up to the end of the work."""
        while True:
            patience = wall_secs + (START_SECS if self._is_new else 0.0)
            if not self._pipe.poll(patience):
                raise WorkFailed(f"it took longer than {wall_secs:g} s")
            try:
                kind, value = self._pipe.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                raise WorkFailed(self._cause()) from None
            self._is_new = False
            if kind == "item":
                yield value
            elif kind == "error":
                raise value
            elif kind == "failed":
                raise WorkFailed(value)
            elif kind == "end":
                return

    def end(self) -> None:
        self._process.kill()
        self._process.join(_ENDED_SECS)
        self._pipe.close()

    def _cause(self) -> str:
        self._process.join(_ENDED_SECS)
        code = self._process.exitcode
        if sys.platform != "win32" and code == -signal.SIGXCPU:
            return "it took too much CPU time"
        return f"its process ended ({code})"


def _serve(pipe: Connection, niceness: int) -> None:
    """Do work until the other end is gone; runs in the spawned process."""
    _settle(niceness)
    with contextlib.suppress(EOFError, BrokenPipeError, OSError):
        while True:
            bounds, work, arguments, is_stream = pipe.recv()
            pipe.send(("began", None))
            pipe.send(_outcome(pipe, bounds, work, arguments, is_stream))


def _outcome(
    pipe: Connection,
    bounds: Bounds,
    work: Callable[..., Any],
    arguments: tuple[object, ...],
    is_stream: bool,
) -> tuple[str, object]:
    try:
        _bind(bounds)
        if is_stream:
            for item in work(*arguments):
                pipe.send(("item", item))
        else:
            pipe.send(("item", work(*arguments)))
    except AvatarError as error:
        return "error", error
    except MemoryError:
        return "failed", f"it needed more than {bounds.memory_bytes / GIB:g} GiB of memory"
    except (BrokenPipeError, EOFError):
        raise
    except Exception as error:  # its text may hold anything of the file
        return "failed", f"{type(error).__name__} in it"
    return "end", None


def _settle(niceness: int) -> None:
    """Set the process up for good: priority, no core dumps, gone with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this one
    if sys.platform != "win32":
        os.nice(niceness)
        _limit(resource.RLIMIT_CORE, 0)  # it would hold the photo or the voice
        _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _bind(bounds: Bounds) -> None:
    """Put the bounds of the next piece of work in force."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + bounds.cpu_secs) + 1)
    _limit(resource.RLIMIT_FSIZE, bounds.file_bytes)
    if bounds.is_sealed:
        _seal_once()
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + bounds.memory_bytes)


@cache
def _seal_once() -> None:
    if sealed.can_seal():
        sealed.seal()


def _limit(kind: int, value: int) -> None:
    """Set a soft limit, within the hard one."""
    _, hard = resource.getrlimit(kind)
    wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (wanted, hard))


def failed_as(reason: Reason, what: str, error: WorkFailed) -> AvatarError:
    """Make the one line of work that failed."""
    return AvatarError(reason, f"{what} cannot be processed: {error}")
