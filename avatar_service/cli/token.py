"""`avatar token`: make a bearer token, and the line of the service's token file that admits it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

TOKEN_BYTES: Final = 32


def token(
    name: Annotated[
        str, typer.Option(help="The client: its sessions and quotas are under this name.")
    ] = "default",
    scopes: Annotated[
        str, typer.Option(help="animate, observe, admin, separated by commas.")
    ] = "animate",
    file: Annotated[
        Path | None,
        typer.Option(help="Token file of `avatar serve --token-file` to append the line to."),
    ] = None,
) -> None:
    """Print a new bearer token; the service's file gets its SHA-256 only.

    Scopes: animate opens and steers sessions, observe watches those whose id it was given, admin
    makes and deletes avatars and closes any session. A running service takes the file over within
    seconds; two lines of one name let a client change its token without a gap.
    """
    from avatar_service.cli.console import out, say
    from avatar_service.errors import AvatarError, Reason
    from avatar_service.orphans import OwnedFile
    from avatar_service.provenance.private_files import sync_folder
    from avatar_service.server.access import parse_line, read_tokens

    made = secrets.token_urlsafe(TOKEN_BYTES)
    digest = hashlib.sha256(made.encode()).hexdigest()
    line = f"sha256:{digest} name={name} scopes={scopes}"
    parse_line(line, "--name and --scopes")
    if file is None:
        say(f"line for the token file: {line}")
    else:
        try:
            before = file.read_text("utf-8") if file.exists() else ""
            after = before + ("" if before.endswith("\n") or not before else "\n") + line + "\n"
            # The service sees the file before or after, never between.
            with OwnedFile(file.parent, f".{file.name}.") as aside:
                aside.file.write(after.encode())
                if file.exists():
                    _keep_access(file, aside.path)
                aside.sync()
                aside.rename(file)
                sync_folder(file.parent)
        except OSError as error:
            raise AvatarError(
                Reason.INVALID_FIELD, f"--file: cannot write {file}: {error.strerror}", field="file"
            ) from error
        say(f"{file} admits {len(read_tokens(file))} tokens")
    out.print(made, highlight=False)


def _keep_access(old: Path, new: Path) -> None:
    """Give a new file the mode of the old one, and its owner where this user may."""
    found = old.stat()
    new.chmod(found.st_mode & 0o777)
    with contextlib.suppress(OSError, AttributeError):  # AttributeError: Windows
        os.chown(new, found.st_uid, found.st_gid)
