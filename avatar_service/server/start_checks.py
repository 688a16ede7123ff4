"""What is refused before the service listens: each with one line."""

from __future__ import annotations

import ipaddress

from avatar_service.config import ShmConfig
from avatar_service.errors import AvatarError, Reason
from avatar_service.transports.shared_memory import SharedFile


def check_exposure(host: str, *, has_tls: bool, has_token: bool, field: str = "listen") -> None:
    """Refuse to be reachable from other machines without TLS and a token. INVALID_FIELD."""
    if is_loopback(host) or (has_tls and has_token):
        return
    raise AvatarError(
        Reason.INVALID_FIELD,
        f"{field}: listening on {host} is open to other machines: give tls.certificate, "
        "tls.private_key and token_file, or listen on 127.0.0.1",
        field=field,
    )


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_shared_memory(config: ShmConfig) -> None:
    """Make and remove a file as rings are made: folder, space, group. INVALID_FIELD and others."""
    if config.enabled:
        SharedFile(config.folder, 1, group=config.group).close()
