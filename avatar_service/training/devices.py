"""Where a training runs."""

from __future__ import annotations

import re

import torch

from avatar_service.errors import AvatarError, Reason


def torch_device(name: str) -> str:
    """Choose torch's device.

    Args:
        name: auto (a GPU where there is one), cpu or cuda:N.

    Raises:
        AvatarError: INVALID_FIELD or DEVICE_NOT_AVAILABLE.
    """
    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not re.fullmatch(r"cuda(:\d+)?", name):
        message = f"--device {name!r}: auto, cpu or cuda:N is allowed"
        raise AvatarError(Reason.INVALID_FIELD, message, field="device")
    if name != "cpu" and not torch.cuda.is_available():
        raise AvatarError(
            Reason.DEVICE_NOT_AVAILABLE, f"--device {name}: torch sees no GPU", field="device"
        )
    return name
