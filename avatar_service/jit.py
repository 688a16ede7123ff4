"""How kernels are compiled: mostly without the interpreter lock, cached on disk, safe on NaN.

Kernels are numba functions. Their machine code is cached in the user's cache folder (the install
folder may be read-only) unless NUMBA_CACHE_DIR names another one.

Numba notices changes of the file a kernel stands in, not of kernels that it calls in other files.
Every state of the kernels' rooms therefore has a cache folder of its own; old ones are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

from avatar_service.config import cache_dir

Scalar = Any
"""A number inside a kernel: numba types it from the call, float32 where the caller is careful."""

_Kernel = TypeVar("_Kernel", bound=Callable[..., object])

# Everything but the flags that assume finite numbers: a NaN must stay a NaN.
FASTMATH: Final = {"reassoc", "contract", "arcp", "afn", "nsz"}

_ROOMS: Final = ("render", "motion", "audio")
_OLD_SECS: Final = 14 * 24 * 3600.0


def _kernels_dir() -> Path:
    """Return the cache folder of the kernels as their files are now; drops folders long unused."""
    package = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for file in sorted(path for room in _ROOMS for path in (package / room).glob("*.py")):
        state = file.stat()
        digest.update(f"{file}|{state.st_size}|{state.st_mtime_ns};".encode())
    parent = cache_dir() / "kernels"
    folder = parent / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        for other in parent.iterdir():
            if time.time() - other.stat().st_mtime > _OLD_SECS:
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        pass  # an unwritable cache: numba says so itself where it matters
    return folder


_FOLDER: Final = _kernels_dir()
if "NUMBA_CACHE_DIR" not in os.environ:
    cast(Any, numba.config).CACHE_DIR = str(_FOLDER)


def is_compiled(what: str) -> bool:
    """Whether `note_compiled` was called for a group of kernels as their files are now."""
    return (_FOLDER / f"{what}.compiled").exists()


def note_compiled(what: str) -> None:
    """Remember that the cache holds a group of kernels."""
    with contextlib.suppress(OSError):  # an unwritable cache: it is compiled every time
        (_FOLDER / f"{what}.compiled").touch()


def kernel(function: _Kernel) -> _Kernel:
    """Compile a function on its first call: nogil, cached, without bounds checks."""
    return _compiled(function, nogil=True)


def quick_kernel(function: _Kernel) -> _Kernel:
    """Compile likewise what takes microseconds: it keeps the interpreter lock.

    Who gives the lock up for so short a time may wait for it much longer afterwards.
    """
    return _compiled(function, nogil=False)


def _compiled(function: _Kernel, *, nogil: bool) -> _Kernel:
    compile_lazily: Any = numba.njit(
        nogil=nogil, cache=True, fastmath=FASTMATH, error_model="numpy", boundscheck=False
    )
    return cast(_Kernel, compile_lazily(function))
