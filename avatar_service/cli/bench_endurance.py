"""`avatar bench soak` and `avatar bench chaos`: long and rough runs of a real service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from avatar_service.cli.console import err, progress, say
from avatar_service.cli.report import publish

JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the figures here.", dir_okay=False)
]
PortraitOption = Annotated[Path | None, typer.Option(help="A photo; default: the demo's.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything drawn by chance.")]

_SOAK_TARGETS: Final = {
    "frames_late_share": "<= 0.001",
    "frames_late_share_machine_idle": "<= 0.001",
    "latents_against_audio_drift_ms": "-10..+10",
    "picture_against_time_drift_ms": "-10..+10",
    "session_against_device_ms": "-10..+10",
    "flat": "True",
    "sessions": "0",
    "rings": "0",
}


def soak(
    minutes: Annotated[float, typer.Option(min=0.2, max=10_000, help="How long.")] = 10.0,
    visitors: Annotated[int, typer.Option(min=0, max=64, help="Clients that come and go.")] = 2,
    seed: SeedOption = 1,
    stall: Annotated[float, typer.Option(min=0, max=1, help="Share of visits that stall.")] = 0.01,
    size: Annotated[int, typer.Option(help="Of the lasting client: 256, 512, 1024.")] = 512,
    portrait: PortraitOption = None,
    json: JsonOption = None,
) -> None:
    """Use a real service for long: clients come, speak, barge in, stall, are killed; watch it."""
    from avatar_service.audio.file import read_audio
    from avatar_service.cli.demo import DEMO_SPEECH
    from avatar_service.cli.portraits import read_photo
    from avatar_service.endurance.soak import SoakPlan, run_soak

    plan = SoakPlan(minutes, visitors, seed, stall, size)
    say(f"{minutes:g} minutes, one client that stays and {visitors} that come and go ...")
    last_tenth = -1
    with progress() as bar:
        task = bar.add_task("soaking", total=1000)

        def advance(share: float, text: str) -> None:
            nonlocal last_tenth
            bar.update(task, completed=round(share * 1000), description=text)
            if not err.is_terminal and int(share * 10) > last_tenth:
                last_tenth = int(share * 10)
                say(f"{share:.0%}: {text}")

        clip = read_audio(DEMO_SPEECH).samples
        figures = run_soak(plan, photo=read_photo(portrait), clip=clip, progress=advance)
    publish(f"soak, {minutes:g} minutes", figures, json, targets=_SOAK_TARGETS)
