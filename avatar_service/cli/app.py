"""The tree of commands; each one lives in a file of its own and imports what it needs late."""

from __future__ import annotations

from typing import Annotated

import typer

from avatar_service import __version__
from avatar_service.cli import (
    animate,
    avatars,
    bench,
    consents,
    demo,
    export_commands,
    models,
    serve,
    train,
)
from avatar_service.cli.console import out
from avatar_service.cli.doctor import doctor
from avatar_service.cli.option_names import Commands
from avatar_service.cli.replay import replay
from avatar_service.cli.token import token
from avatar_service.cli.top import top
from avatar_service.cli.track import track
from avatar_service.cli.verify import verify

app = Commands(
    name="avatar",
    help="One portrait photo and speech in, a living face out.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
app.command()(demo.demo)
app.command()(animate.animate)
app.command()(serve.serve)
app.command()(token)
app.command()(doctor)
app.command()(track)
app.command()(verify)
app.command()(top)
app.command()(replay)
app.add_typer(avatars.app, name="avatars")
app.add_typer(models.app, name="models")
app.add_typer(consents.app, name="consents")
app.add_typer(bench.app, name="bench")
app.add_typer(train.app, name="train")
export_commands.register(app, bench.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(__version__, highlight=False)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """One portrait photo and speech in, a living face out."""
