"""What people see: messages and progress on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def complain(message: str) -> None:
    """Print one error line."""
    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False)


def say(message: str) -> None:
    """Print one line of information on stderr."""
    err.print(escape(message), highlight=False)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show a progress bar on stderr while the block runs; nothing where no terminal is."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bar:
        yield bar
