"""Content credentials of the videos that commands write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from avatar_service.cli.console import say
from avatar_service.config import load_config
from avatar_service.provenance.certificates import signing_pair
from avatar_service.provenance.credentials import SEALABLE, Origin, seal


def sealer(output: Path, origin: Origin) -> Callable[[Path], None] | None:
    """Return what signs a finished video before it gets its name.

    Returns:
        None, with a note to the user, where the format cannot hold credentials.

    Raises:
        AvatarError: INVALID_FIELD where the configured certificate cannot be used; better before
            the video is made than after.
    """
    if output.suffix.lower() not in SEALABLE:
        names = ", ".join(sorted(SEALABLE))
        say(f"note: {output.suffix} cannot hold content credentials ({names} can)")
        return None
    config = load_config()
    pair = signing_pair(config.credentials, config.provenance_dir)

    def sign(path: Path) -> None:
        seal(path, output.suffix, output.name, origin, pair)

    return sign
