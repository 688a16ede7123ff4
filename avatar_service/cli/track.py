"""`avatar track`: performance capture from a video file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from avatar_service.cli.console import progress, say
from avatar_service.cli.report import print_figures, write_json
from avatar_service.errors import AvatarError, Reason


def track(
    video: Annotated[Path, typer.Argument(help="A video that shows one face.", dir_okay=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="motion.npz to write.", dir_okay=False)
    ],
    report: Annotated[
        Path | None, typer.Option(help="Write figures on the tracking here, JSON.", dir_okay=False)
    ] = None,
    reference: Annotated[
        str,
        typer.Option(
            help="What is rest: the calmest picture of the first 10 s (neutral) or the first one."
        ),
    ] = "neutral",
    start: Annotated[float, typer.Option(help="Begin here, seconds.")] = 0.0,
    duration: Annotated[float | None, typer.Option(help="Only so many seconds.")] = None,
) -> None:
    """Turn a video of a face into motion: ARKit-52, head and gaze, against its calmest frame."""
    from avatar_service.cli.options import check_distinct
    from avatar_service.export.video import check_writable
    from avatar_service.portrait.models import ensure_models
    from avatar_service.tracking.capture import capture_video
    from avatar_service.tracking.video import VideoClip

    check_distinct([output, report], [video])
    choice = parse_reference(reference)
    for path in (output, report):
        if path is not None:
            check_writable(path)
    clip = VideoClip(video, start_secs=start, duration_secs=duration)
    ensure_models(say)
    with progress() as bar:
        task = bar.add_task("tracking", total=None)

        def advance(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, done) or None)

        capture = capture_video(clip, reference=choice, advance=advance)
    capture.track.save(output)
    figures = capture.report()
    held = figures.pop("held")
    for gap in held:
        say(
            f"note: no face for {gap['frames']} frames from {gap['from_secs']} s on; motion is held"
        )
    if report is not None:
        write_json(report, {**figures, "held": held})
    print_figures(f"{video.name} -> {output.name}", figures)


def parse_reference(value: str) -> Literal["neutral", "first"]:
    """Check the --reference option.

    Raises:
        AvatarError: INVALID_FIELD.
    """
    if value == "neutral":
        return "neutral"
    if value == "first":
        return "first"
    raise AvatarError(
        Reason.INVALID_FIELD, f"--reference {value!r}: neutral or first", field="reference"
    )
