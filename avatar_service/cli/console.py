"""What people see: messages and progress on stderr, results on stdout."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

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
SILENT_SECS: Final = 3.0


def complain(message: str) -> None:
    """Print one error line."""
    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False)


def say(message: str) -> None:
    """Print one line of information on stderr."""
    err.print(escape(message), highlight=False)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Tell what takes so long: a spinner, and where no terminal is, one line after SILENT_SECS."""
    if err.is_terminal:
        with err.status(escape(what)):
            yield
        return
    timer = threading.Timer(SILENT_SECS, say, [what])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


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


def plain(text: str) -> str:
    """Show text that others wrote: no markup, no control characters."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else " " for c in text))
