"""Options that several commands have, of how the person moves."""

from __future__ import annotations

from typing import Annotated

import typer

from avatar_service.cli import completion

EmotionOption = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME:WEIGHT, as happy:0.6; may be repeated.", autocompletion=completion.emotions
    ),
]
StyleOption = Annotated[
    str, typer.Option(help="Speaking style.", autocompletion=completion.speaking_styles)
]
