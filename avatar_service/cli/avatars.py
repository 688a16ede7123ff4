"""`avatar avatars`: the avatars of a running service, which sessions then name by their ids.

Games hold tokens that may animate and not make avatars; whoever runs the service makes them here.
"""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatar_service.cli.consent import HELP as CONSENT_HELP
from avatar_service.cli.console import out, plain, say
from avatar_service.cli.option_names import Commands
from avatar_service.cli.remote import DEFAULT_TARGET, TlsCa, TokenFile, connected, read_whole
from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_client import Client
    from avatar_client.gen.avatar.v1 import avatar_pb2

app = Commands(
    help="The avatars of a running service: add, list, delete.",
    no_args_is_help=True,
)
Target = Annotated[str, typer.Option("--target", help="HOST:PORT of the service.")]


class Crop(StrEnum):
    """Part of the photo that is used."""

    FACE = "face"
    KEEP = "keep"


@app.command()
def add(
    photo: Annotated[Path, typer.Argument(help="JPEG, PNG or WebP.", dir_okay=False)],
    consent: Annotated[str | None, typer.Option(help=CONSENT_HELP)] = None,
    name: Annotated[str, typer.Option(help="Name to list it by.")] = "",
    crop: Annotated[Crop, typer.Option(help="The square around the face, or all.")] = Crop.FACE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    target: Target = DEFAULT_TARGET,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
) -> None:
    """Make an avatar of a photo and print its id."""
    import avatar_client

    from avatar_service.cli.consent import obtain_consent

    given = obtain_consent(consent)
    statement = avatar_client.Consent(
        given.subject, given.basis, given.stated_by, given.valid_until
    )
    with connected(target, token_file, tls_ca) as client:
        content = _read_photo(photo, client)
        avatar = client.create_avatar(content, statement, display_name=name, crop=crop.value)
    if json:
        out.print_json(data=_facts(avatar))
        return
    for note in avatar.notes:
        say(note)
    out.print(avatar.avatar_id, highlight=False)


@app.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    target: Target = DEFAULT_TARGET,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
) -> None:
    """Show all avatars, newest first."""
    from rich.table import Table

    with connected(target, token_file, tls_ca) as client:
        found = [_facts(avatar) for avatar in client.list_avatars()]
    if json:
        out.print_json(data=found)
        return
    if not found:
        say("the service has no avatar yet")
        return
    table = Table()
    shown = ("avatar_id", "name", "who", "made", "until")
    for column in shown:
        table.add_column(column.replace("_", " "), no_wrap=column == "avatar_id", overflow="fold")
    for facts in found:
        table.add_row(*(plain(str(facts[column] or "")) for column in shown))
    out.print(table)


@app.command()
def delete(
    avatar_id: Annotated[str, typer.Argument(help="See `avatar avatars list`.")],
    end_sessions: Annotated[
        bool, typer.Option("--end-sessions", help="End the sessions that show it.")
    ] = False,
    target: Target = DEFAULT_TARGET,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
) -> None:
    """Delete an avatar and all that was made of its photo."""
    with connected(target, token_file, tls_ca) as client:
        ended = client.delete_avatar(avatar_id, end_sessions=end_sessions)
    say(f"deleted; {ended} sessions ended")


def _read_photo(path: Path, client: Client) -> bytes:
    limit = client.server_info().limits.max_photo_bytes
    if path.is_file() and (size := path.stat().st_size) > limit:  # not to be read at all
        raise AvatarError(
            Reason.INVALID_IMAGE, f"{path} has {size} bytes; the service takes {limit}"
        )
    return read_whole(path)


def _facts(avatar: avatar_pb2.Avatar) -> dict[str, Any]:
    until = avatar.consent.valid_until if avatar.consent.HasField("valid_until") else None
    return {
        "avatar_id": avatar.avatar_id,
        "name": avatar.display_name,
        "made": f"{avatar.create_time.ToDatetime(UTC):%Y-%m-%d %H:%M}",
        "who": avatar.consent.subject,
        "by_what_right": avatar.consent.basis,
        "until": f"{until.ToDatetime(UTC):%Y-%m-%d %H:%M}" if until else None,
        "photo_width_px": avatar.photo_width_px,
        "photo_height_px": avatar.photo_height_px,
        "photo_sha256": avatar.photo_sha256.hex(),
        "notes": list(avatar.notes),
    }
