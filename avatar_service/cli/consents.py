"""`avatar consents`: who may be shown by what right, and taking it back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from avatar_service.cli.console import out, plain, say
from avatar_service.cli.option_names import Commands
from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_service.provenance.consent_book import ConsentBook, Standing

app = Commands(
    help="Who may be shown by what right: list, export, revoke, reinstate, check.",
    no_args_is_help=True,
)
EXIT_DAMAGED: Final = 1
PhotoArgument = Annotated[
    str,
    typer.Argument(help="The photo's file, or the first 8 or more characters of its SHA-256."),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(help="Home of the service, where it is not this user's.", file_okay=False),
]


@app.command("list")
def list_(
    home: HomeOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every photo, what was stated for it, and whether it may be animated."""
    from rich.table import Table

    standings = _book(home).standings()
    if json:
        out.print_json(data=[_facts(one) for one in standings])
        return
    if not standings:
        say("no consent was recorded yet")
        return
    table = Table()
    for name in ("photo", "state", "who", "by what right", "until", "stated", "shown"):
        table.add_column(
            name, justify="right" if name == "shown" else "left", no_wrap=name == "photo"
        )
    for one in standings:
        given = one.consent
        table.add_row(
            one.photo_sha256[:12],
            one.state.value,
            plain(given.subject if given else "(forgotten)"),
            plain(given.basis if given else ""),
            f"{given.valid_until:%Y-%m-%d %H:%M}" if given and given.valid_until else "",
            f"{one.stated_at:%Y-%m-%d %H:%M}",
            str(one.num_shown),
        )
    out.print(table)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="JSON to write.", dir_okay=False)],
    home: HomeOption = None,
) -> None:
    """Write the ledger, the statements and the public key; `avatar consents check` reads it."""
    from avatar_service.cli.report import write_json
    from avatar_service.export.part_file import check_writable

    check_writable(file)
    content = _book(home).export()
    write_json(file, content)
    say(f"{file}: {len(content['ledger'])} lines, {len(content['statements'])} statements")


@app.command()
def revoke(
    photo: PhotoArgument,
    forget: Annotated[
        bool, typer.Option("--forget", help="Erase who was named and why, too.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Take a consent back: erases photo, rig and cached textures, ends live sessions.

    A running service notices within two seconds. The ledger keeps that there was a consent.
    """
    from avatar_service.portrait.archive import erase_cached

    book = _book(home)
    sha256 = _photo(book, photo)
    book.revoke(sha256, forget=forget)
    num_avatars = _store(home, book).delete_photo(sha256)
    num_cached = erase_cached(sha256)
    if num_cached:
        book.note_erased(sha256, "cache")
    say(f"revoked; erased {num_avatars} avatar(s) and {num_cached} cached portrait(s)")


@app.command()
def reinstate(photo: PhotoArgument, home: HomeOption = None) -> None:
    """Allow new statements for a photo whose consent was revoked."""
    book = _book(home)
    book.reinstate(_photo(book, photo))
    say("a new statement may be given for this photo")


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="An export; default: this installation.", dir_okay=False)
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="A hash noted earlier that the ledger must still hold.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Check every signature and the chain of hashes; exit code 1 where something is wrong."""
    from avatar_service.provenance.consent_audit import audit_all, read_export

    if file is None:
        found = _book(home).audit()
    else:
        try:
            data = file.read_bytes()
        except OSError as error:
            message = f"cannot read {file}: {error.strerror}"
            raise AvatarError(Reason.INVALID_FILE, message) from error
        found = audit_all(*read_export(data))
    faults = list(found.faults)
    if head is not None and head.lower() not in found.hashes:
        faults.append(f"no line has the hash {head}: lines were cut off, or it is another ledger")
    for fault in faults:
        out.print(fault, markup=False, highlight=False)
    say(f"{found.num_lines} lines, {found.num_statements} statements, head {found.head or '-'}")
    if faults:
        say(f"{len(faults)} fault(s)")
        raise typer.Exit(EXIT_DAMAGED)
    say("all signatures fit and nothing is missing")


def _folders(home: Path | None) -> tuple[Path, Path]:
    from avatar_service.config import load_config

    config = load_config()
    if home is not None:
        return home, home / "provenance"
    return config.home, config.provenance_dir


def _book(home: Path | None) -> ConsentBook:
    from avatar_service.provenance.consent_book import ConsentBook

    folder = _folders(home)[1]
    if home is not None and not folder.is_dir():
        raise AvatarError(
            Reason.INVALID_FIELD, f"--home {home}: holds no folder provenance", field="home"
        )
    return ConsentBook(folder)


def _store(home: Path | None, book: ConsentBook) -> Any:
    from avatar_service.portrait.portrait import FORMAT_VERSION
    from avatar_service.server.avatar_store import AvatarStore, FitFacts

    def fit(photo: bytes, crop: str, size_px: int, path: Path) -> FitFacts:
        raise AvatarError(Reason.BUG, "nothing is fitted here")

    return AvatarStore(_folders(home)[0], book, rig_version=FORMAT_VERSION, fit=fit, max_avatars=1)


def _photo(book: ConsentBook, text: str) -> str:
    """Return the SHA-256 of the photo meant."""
    path = Path(text)
    if path.is_file():
        from avatar_service.portrait.image_file import read_photo

        return book.find(hashlib.sha256(read_photo(path)).hexdigest())
    return book.find(text)


def _facts(one: Standing) -> dict[str, object]:
    given = one.consent
    until = given.valid_until if given else None
    return {
        "photo_sha256": one.photo_sha256,
        "state": one.state.value,
        "subject": given.subject if given else None,
        "basis": given.basis if given else None,
        "stated_by": given.stated_by if given else None,
        "valid_until": until.isoformat() if until else None,
        "stated_at": one.stated_at.isoformat(),
        "statements": list(one.statements),
        "num_shown": one.num_shown,
    }
