"""How this room's kernels are compiled: without the interpreter lock, cached in the user's folder.

The same choices as the renderer's kernels, which stand in a room beside this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba

from avatar_service.config import cache_dir

_Kernel = TypeVar("_Kernel", bound=Callable[..., object])

# Everything but the flags that assume finite numbers: a NaN must stay a NaN.
_FASTMATH: Final = {"reassoc", "contract", "arcp", "afn", "nsz"}

if "NUMBA_CACHE_DIR" not in os.environ:
    cast(Any, numba.config).CACHE_DIR = str(cache_dir() / "kernels")


def kernel(function: _Kernel) -> _Kernel:
    """Compile a function on its first call: nogil, cached, without bounds checks."""
    compile_lazily: Any = numba.njit(
        nogil=True, cache=True, fastmath=_FASTMATH, error_model="numpy", boundscheck=False
    )
    return cast(_Kernel, compile_lazily(function))
