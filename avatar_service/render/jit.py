"""How kernels are compiled: without the interpreter lock, cached on disk, safe on NaN.

Kernels are numba functions. Their machine code is cached in the user's cache folder (the install
folder may be read-only) unless NUMBA_CACHE_DIR names another one.

Caution: numba notices changes of the file a kernel stands in, not of kernels it calls in other
files. Small helpers shared between files are therefore inlined by LLVM only within one session's
cache; after editing one, remove the cache folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba

from avatar_service.config import cache_dir

Scalar = Any
"""A number inside a kernel: numba types it from the call, float32 where the caller is careful."""

_Kernel = TypeVar("_Kernel", bound=Callable[..., object])

# Everything but the flags that assume finite numbers: a NaN must stay a NaN.
FASTMATH: Final = {"reassoc", "contract", "arcp", "afn", "nsz"}

if "NUMBA_CACHE_DIR" not in os.environ:
    cast(Any, numba.config).CACHE_DIR = str(cache_dir() / "kernels")


def kernel(function: _Kernel) -> _Kernel:
    """Compile a function on its first call: nogil, cached, without bounds checks."""
    compile_lazily: Any = numba.njit(
        nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy", boundscheck=False
    )
    return cast(_Kernel, compile_lazily(function))
