"""What a decoder may do on a hostile file; run by tests in confined processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

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
