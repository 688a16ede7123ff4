"""What an exception that ended one session means to its client; the other sessions go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from avatar_service.errors import AvatarError, Reason

DEVICE_WORDS: Final = ("cuda", "accelerator")
"""Stand in the names of the exception types of CuPy, Numba and PyTorch when a GPU fails, which are
not imported for this (CUDARuntimeError, CudaAPIError, AcceleratorError)."""


def error_of(fault: Exception, on_bug: Callable[[Exception], AvatarError]) -> AvatarError:
    """Return the error that the session's client is told.

    Args:
        fault: what was raised in the session.
        on_bug: logs a fault and names what is ours.

    Returns:
        The fault itself where it is an AvatarError; CAPACITY_EXHAUSTED where memory ran out, the
        GPU's too; DEVICE_FAILED where the GPU failed; else a BUG. All but the first are logged.
    """
    if isinstance(fault, AvatarError):
        return fault
    bug = on_bug(fault)
    name = type(fault).__name__
    if isinstance(fault, MemoryError) or name == "OutOfMemoryError":
        return AvatarError(
            Reason.CAPACITY_EXHAUSTED,
            "memory ran out in this session; open it again with fewer pixels, or when others end",
            metadata=bug.metadata,
        )
    if any(word in name.lower() for word in DEVICE_WORDS):
        return AvatarError(
            Reason.DEVICE_FAILED,
            "the device failed while rendering this session; open it again",
            metadata=bug.metadata,
        )
    return bug
