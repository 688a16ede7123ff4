"""The option --device."""

from __future__ import annotations

import re

from avatar_service.errors import AvatarError, Reason


def check_device(device: str) -> None:
    """Refuse a device that is no name or that is not here.

    Raises:
        AvatarError: INVALID_FIELD or DEVICE_NOT_AVAILABLE.
    """
    if device in ("auto", "cpu"):
        return
    if not re.fullmatch(r"cuda(:\d+)?", device):
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"--device {device!r}: auto, cpu or cuda:N is allowed",
            field="device",
        )
    raise AvatarError(
        Reason.DEVICE_NOT_AVAILABLE,
        f"--device {device}: there is no GPU renderer in this version; use auto or cpu",
        field="device",
    )
