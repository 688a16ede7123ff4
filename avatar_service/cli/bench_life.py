"""`avatar bench life`: head, face, gaze and blinks beside real people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from avatar_service.cli.console import out, progress
from avatar_service.cli.report import publish


def life(
    speech: Annotated[
        list[Path] | None,
        typer.Argument(help="Clips of speech; without any, the demonstration's own."),
    ] = None,
    video: Annotated[
        list[Path] | None,
        typer.Option(help="Talking video: its speaker's motion is tracked and compared."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Lives on each clip.")] = 5,
    ablations: Annotated[
        bool, typer.Option(help="Also steps, guidance and sources one by one (slow).")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="npz of `avatar train motion`; default: the package's.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.", dir_okay=False)
    ] = None,
) -> None:
    """Compare the transformer, the simple generator and real people (docs/models/motion.md)."""
    from avatar_service.audio.file import read_audio
    from avatar_service.cli.track import capture
    from avatar_service.motion.life_comparison import Voice, compare_lives, own_voice
    from avatar_service.motion.life_stream import LifeModel

    voices = [
        Voice(path.stem, read_audio(path).samples, capture(path).track) for path in video or []
    ]
    voices += [Voice(path.stem, read_audio(path).samples) for path in speech or []]
    with progress() as bar:
        task = bar.add_task("animating", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        figures = compare_lives(
            voices or [own_voice()],
            num_seeds=seeds,
            model=LifeModel.load(weights),
            with_ablations=ablations,
            progress=advance,
        )
    summary = figures.pop("summary")
    out.print(_table(figures))
    publish("life beside the lips", summary, json, details=figures)


def _table(figures: dict[str, Any]) -> Table:
    """One row for each figure, one column for each generator and person."""
    from avatar_service.motion.life_comparison import natural_ranges

    table = Table(title="life beside the lips, means over clips and seeds")
    table.add_column("figure")
    table.add_column("natural", justify="right")
    for name in figures:
        table.add_column(name, justify="right")
    ranges = natural_ranges()
    for key in dict.fromkeys(key for column in figures.values() for key in column):
        span = "{:g}..{:g}".format(*ranges[key]) if key in ranges else ""
        cells = [f"{c[key]:.3g}" if key in c else "" for c in figures.values()]
        table.add_row(key, span, *cells)
    return table
