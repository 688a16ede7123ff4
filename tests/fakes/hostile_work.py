"""What a decoder may do on a hostile file; run by tests in confined processes."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from avatar_service.errors import AvatarError, Reason


def allocate(gib: float) -> int:
    blocks = [np.ones(1 << 26, np.uint8) for _ in range(int(gib * 16))]
    return len(blocks)


def spin() -> None:
    while True:
        pass


def sleep(secs: float) -> float:
    time.sleep(secs)
    return secs


def crash(number: int = signal.SIGSEGV) -> None:
    os.kill(os.getpid(), number)


def leak_text() -> None:
    raise ValueError("the secret content of the file")


def refuse() -> None:
    raise AvatarError(Reason.INVALID_IMAGE, "no photo", field="photo")


def write_much(path: str, num_bytes: int) -> None:
    with open(path, "wb") as file:
        file.truncate(num_bytes)


def limits() -> tuple[int, int]:
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)[0], os.getpriority(os.PRIO_PROCESS, 0)


def process_id() -> int:
    return os.getpid()


def count_then(last: str) -> Iterator[int]:
    yield 1
    yield 2
    if last == "stall":
        time.sleep(60)
    elif last == "crash":
        crash()
    elif last == "refuse":
        refuse()


def break_out(folder: str) -> dict[str, str]:
    """Try what a decoder has no business to do; tell what came of it."""
    there = Path(folder) / "there"
    tries: dict[str, Callable[[], object]] = {
        "open a socket": socket.socket,
        "reach the network": lambda: socket.create_connection(("127.0.0.1", 1), 1),
        "make a file": lambda: (Path(folder) / "new").touch(),
        "write to a file": lambda: there.open("r+"),
        "append to a file": lambda: there.open("a"),
        "empty a file": lambda: os.truncate(there, 0),
        "remove a file": there.unlink,
        "rename a file": lambda: there.rename(Path(folder) / "new"),
        "make a folder": lambda: (Path(folder) / "new").mkdir(),
        "change rights": lambda: there.chmod(0o666),
        "run a program": lambda: os.execv("/bin/true", ["true"]),
        "start a process": lambda: subprocess.run(["/bin/true"], check=False),
        "fork": os.fork,
        "signal the parent": lambda: os.kill(os.getppid(), 0),
        "read a file": there.read_bytes,
        "start a thread": threading.Thread(target=time.sleep, args=(0,)).start,
    }
    told = {}
    for name, attempt in tries.items():
        try:
            attempt()
        except OSError as error:
            told[name] = errno.errorcode[error.errno or 0]
        else:
            told[name] = "done"
    return told
