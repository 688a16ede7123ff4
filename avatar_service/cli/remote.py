"""Reaching a running service from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_client import Client

DEFAULT_TARGET: Final = "127.0.0.1:50551"
TokenFile = Annotated[Path | None, typer.Option(help="File with the bearer token.")]
TlsCa = Annotated[Path | None, typer.Option(help="PEM of who signed the service's certificate.")]


@contextmanager
def connected(target: str, token_file: Path | None, tls_ca: Path | None) -> Iterator[Client]:
    """Connect to a service for the length of a command.

    Args:
        target: HOST:PORT.
        token_file: holds the bearer token; None for a service that asks for none.
        tls_ca: PEM of the authority; None for a connection without TLS.

    Raises:
        AvatarError: INVALID_FILE for a file that cannot be read; INVALID_FIELD, in one line, for
            whatever the service or the connection says, also inside the `with`.
    """
    from avatar_client import AvatarClientError, Tls, connect

    token = None if token_file is None else _read_token(token_file)
    tls = None if tls_ca is None else Tls(root_certificates=read_whole(tls_ca))
    try:
        with connect(target, token=token, tls=tls, timeout_secs=5.0) as client:
            yield client
    except AvatarClientError as error:
        where = "" if target in error.message else f"{target}: "
        raise AvatarError(Reason.INVALID_FIELD, f"{where}{error}") from error


def _read_token(path: Path) -> str:
    token = read_whole(path).decode("utf-8", "replace").strip()
    if not (token.isascii() and token.isprintable() and token):
        raise AvatarError(
            Reason.INVALID_FILE, f"{path} holds no token: one line of printable ASCII is needed"
        )
    return token


def read_whole(path: Path) -> bytes:
    """Read a file that the user named.

    Raises:
        AvatarError: INVALID_FILE.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise AvatarError(Reason.INVALID_FILE, f"cannot read {path}: {error.strerror}") from error
