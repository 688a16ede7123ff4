"""`avatar train`: train the motion networks on own material."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from avatar_service.cli.console import progress, say
from avatar_service.cli.option_names import Commands
from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_service.motion.innovations import Innovations
    from avatar_service.motion.life_net import LifeNet
    from avatar_service.motion.life_stream import LifeSettings
    from avatar_service.training.sequences import LifeSequence

app = Commands(help="Train on your own material: motion.", no_args_is_help=True)

_CROP_TICKS: Final = 64
_SAY_EVERY: Final = 50


@app.command()
def motion(
    out: Annotated[Path, typer.Option(help="Folder of what is made on the way; resumes from it.")],
    speech: Annotated[
        Path, typer.Option(help="Folder of speech: shards of tools.corpus, or audio files.")
    ],
    videos: Annotated[
        Path | None, typer.Option(help="Folder of talking videos, one face each, with sound.")
    ] = None,
    held_out: Annotated[
        list[str] | None, typer.Option(help="A video (name without suffix) to validate on only.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.02, help="Of conversation to be drawn on.")] = 3.0,
    draws: Annotated[int, typer.Option(min=1, help="Lives drawn on each conversation.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all.")] = 3000,
    batch: Annotated[int, typer.Option(min=1, help="Crops of 2.6 s in a step.")] = 16,
    tracked_share: Annotated[float, typer.Option(min=0, max=1, help="Of the crops.")] = 0.2,
    past_dropped: Annotated[
        float,
        typer.Option(min=0, max=1, help="Of the crops; 1 trains without previous motion."),
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    export: Annotated[
        Path | None, typer.Option(help="npz to write the weights to at the end.", dir_okay=False)
    ] = None,
) -> None:
    """Train head, face, gaze and blinks: the simple generator distilled, real videos on top."""
    import torch

    from avatar_service.cli.track import capture
    from avatar_service.motion.life_parameters import save_weights
    from avatar_service.motion.torch_device import torch_device
    from avatar_service.training.examples import LifeExamples
    from avatar_service.training.life_training import LifeTraining, train, validation_batch
    from avatar_service.training.preparation import teach, tracked_life, videos_in

    if not speech.is_dir():
        raise AvatarError(
            Reason.INVALID_FIELD, f"--speech {speech}: no such folder", field="speech"
        )
    where = torch_device(device)
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    with progress() as bar:
        task = bar.add_task("", total=None)

        def advance(done: int, total: int, what: str) -> None:
            bar.update(task, description=what, completed=done, total=total)

        taught = teach(speech, out, hours=hours, draws=draws, seed=seed, progress=advance)

    def track(video: Path, path: Path) -> None:
        capture(video).track.save(path)

    lives = tracked_life(videos_in(videos), out, track) if videos else {}
    names = held_out or []
    if missing := [name for name in names if name not in lives]:
        known = ", ".join(lives) or "none"
        raise AvatarError(
            Reason.INVALID_FIELD, f"--held-out {missing[0]}: videos are {known}", field="held_out"
        )
    examples = LifeExamples(
        taught[1:],
        [life for name, life in lives.items() if name not in names],
        tracked_share=tracked_share,
        crop_ticks=_CROP_TICKS,
        seed=seed,
        past_dropped=past_dropped,
    )
    validation = {"simple": validation_batch(examples, taught[0], _CROP_TICKS)}
    for name in names:
        validation[name] = validation_batch(examples, lives[name], _CROP_TICKS)
    say(f"{examples.hours:.1f} h of lives, {len(lives) - len(names)} videos; {steps} steps")
    with progress() as bar:
        task = bar.add_task("training", total=steps)

        def told(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total)
            if done % _SAY_EVERY == 0 or "validation" in what:
                say(f"step {done}: {what}")

        settings = LifeTraining(steps, batch, out, seed, where)
        net, innovations, figures = train(examples, settings, validation, told)
    if past_dropped == 1:
        net.forget_past()
    if export is not None:
        metadata: dict[str, Any] = {
            "trained": datetime.now(UTC).strftime("%Y-%m-%d"),
            "commit": _commit(),
            "seed": seed,
            "batch": batch,
            "hours_of_lives": round(examples.hours, 1),
            "past_dropped": past_dropped,
            "videos": len(lives) - len(names),
            **figures,
            "settings": asdict(_calibrated(net, innovations, lives, names)),
        }
        save_weights(net.parameters_now(), innovations, export, metadata)
        say(f"wrote {export}")


def _calibrated(
    net: LifeNet, innovations: Innovations, lives: dict[str, LifeSequence], held_out: list[str]
) -> LifeSettings:
    from avatar_service.motion.life_stream import LifeModel, LifeSettings
    from avatar_service.training.calibration import calibrate

    settings = LifeSettings(realness=1.0 if lives else 0.0)
    tracked = [life for name, life in lives.items() if name not in held_out]
    if not tracked:
        return settings
    return calibrate(LifeModel(net.parameters_now(), innovations, settings), tracked).settings


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
