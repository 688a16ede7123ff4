"""Where torch runs a training, or the networks of a service."""

from __future__ import annotations

import re

import torch

from avatar_service.errors import AvatarError, Reason


def torch_device(name: str, option: str = "--device") -> str:
    """Choose torch's device.

    Args:
        name: auto (a GPU where there is one), cpu or cuda:N.
        option: that named it, to blame.

    Raises:
        AvatarError: INVALID_FIELD or DEVICE_NOT_AVAILABLE.
    """
    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    found = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if not found:
        message = f"{option} {name!r}: auto, cpu or cuda:N is allowed"
        raise AvatarError(Reason.INVALID_FIELD, message, field="device")
    if name != "cpu" and int(found[1] or 0) >= torch.cuda.device_count():
        seen = f"{torch.cuda.device_count()} GPUs" if torch.cuda.device_count() else "no GPU"
        raise AvatarError(
            Reason.DEVICE_NOT_AVAILABLE, f"{option} {name}: torch sees {seen}", field="device"
        )
    return name
