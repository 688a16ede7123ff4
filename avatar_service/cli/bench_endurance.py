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


_CHAOS_TARGETS: Final = {
    "unsound_faults": "0",
    "left_after_restart": "0",
    "sessions": "0",
    "rings": "0",
    "files": "0",
    "exit_code": "0",
}


def chaos(
    cycles: Annotated[int, typer.Option(min=1, max=1_000_000, help="Kills.")] = 1000,
    clients: Annotated[int, typer.Option(min=1, max=64, help="That stream at once.")] = 3,
    service_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the kills that meet the service.")
    ] = 0.1,
    seed: SeedOption = 1,
    json: JsonOption = None,
) -> None:
    """Kill the service and its clients (SIGKILL) at random moments; count what is left behind."""
    from avatar_service.audio.file import read_audio
    from avatar_service.cli.demo import DEMO_SPEECH
    from avatar_service.endurance.chaos import ChaosPlan, run_chaos

    plan = ChaosPlan(cycles, clients, service_share, seed)
    say(f"{cycles} kills; a killed service is started again, which takes a few seconds ...")
    with progress() as bar:
        task = bar.add_task("killing", total=cycles)

        def advance(done: int, text: str) -> None:
            bar.update(task, completed=done, description=text)
            if not err.is_terminal and done % max(cycles // 10, 1) == 0:
                say(f"{done} of {cycles}; {text}")

        speech = read_audio(DEMO_SPEECH).samples
        figures = run_chaos(plan, speech=speech, progress=advance)
    publish(f"chaos, {cycles} kills", figures, json, targets=_CHAOS_TARGETS)


def telemetry(
    sessions: Annotated[int, typer.Option(min=1, max=64, help="In each of two services.")] = 4,
    seconds: Annotated[float, typer.Option(min=5, help="How long to measure.")] = 30.0,
    json: JsonOption = None,
) -> None:
    """Count what metrics and JSON logs cost in CPU time: two services side by side."""
    from avatar_service.endurance.telemetry_cost import bench_telemetry

    say(f"two services, {sessions} sessions of latents each, {seconds:g} s ...")
    publish("telemetry", bench_telemetry(sessions=sessions, seconds=seconds), json)
