"""`avatar models`: the landmark models, fetched once and checked."""

from __future__ import annotations

import typer

from avatar_service.cli.console import out, progress, say
from avatar_service.cli.option_names import Commands

app = Commands(help="The landmark models: where they are, fetch them.", no_args_is_help=True)


@app.command()
def fetch() -> None:
    """Fetch the landmark models (35 MB, from the mediapipe wheel, Apache-2.0), once."""
    from avatar_service.portrait.models import are_models_present, fetch_models, models_dir

    if are_models_present():
        say(f"landmark models are here: {models_dir()}")
        return
    with progress() as bar:
        task = bar.add_task("landmark models", total=100)

        def advance(what: str, fraction: float) -> None:
            bar.update(task, description=what, completed=round(100 * fraction))

        folder = fetch_models(advance)
    say(f"landmark models fetched and checked: {folder}")


@app.command()
def path() -> None:
    """Print the folder of the models; exit code 1 when they are not there."""
    from avatar_service.portrait.models import are_models_present, models_dir

    out.print(str(models_dir()), highlight=False)
    if not are_models_present():
        raise typer.Exit(1)
