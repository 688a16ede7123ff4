"""`avatar replay`: repeat a recorded session and compare its latents bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXIT_DIFFERENT = 1


def replay(
    file: Annotated[Path, typer.Argument(help="Written by avatar serve --record.", dir_okay=False)],
) -> None:
    """Repeat a session recorded by `avatar serve --record`; exit code 1 where a latent differs."""
    from avatar_service.cli.console import out, say
    from avatar_service.session.replay import replay as repeat

    report = repeat(file)
    for name, (there, here) in report.environment.items():
        say(f"note: recorded with {name} {there or 'unknown'}, replayed with {here}")
    if report.is_cut:
        say("note: the file ends within a record, as after a crash; what is whole was replayed")
    if report.needs_audio:
        say(
            f"note: speech was not recorded (--record-audio): {report.compared} of "
            f"{report.frames} latents, those before the first speech, can be compared"
        )
    where = f"{report.compared} latents of {report.frames}, {report.secs:.1f} s of session time"
    found = report.difference
    if found is None:
        out.print(f"equal bit for bit: {where}", highlight=False)
        return
    what = f"{found.channel or 'latent'}"
    values = ""
    if found.recorded == found.recorded and found.replayed == found.replayed:  # known
        values = f": recorded {found.recorded!r}, replayed {found.replayed!r}"
    out.print(
        f"different: first at latent {found.frame} ({found.pts_nanos / 1e9:.3f} s), "
        f"{what}{values}; compared {where}",
        highlight=False,
    )
    raise typer.Exit(EXIT_DIFFERENT)
