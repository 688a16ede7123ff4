"""`avatar track`: performance capture from a video file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from avatar_service.cli.console import progress, say
from avatar_service.cli.report import print_figures, write_json
from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_service.tracking.capture import Capture


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
    from avatar_service.export.part_file import check_writable

    check_distinct([output, report], [video])
    choice = parse_reference(reference)
    for path in (output, report):
        if path is not None:
            check_writable(path)
    captured = capture(video, choice, start_secs=start, duration_secs=duration)
    captured.track.save(output)
    figures = captured.report()
    if report is not None:
        write_json(report, figures)
    print_figures(f"{video.name} -> {output.name}", {**figures, "held": len(figures["held"])})


def capture(
    video: Path,
    reference: Literal["neutral", "first"] = "neutral",
    *,
    start_secs: float = 0.0,
    duration_secs: float | None = None,
) -> Capture:
    """Track the face of a video, with a progress bar; gaps without a face are told.

    Raises:
        AvatarError: INVALID_FILE, NO_FACE and what else a video may lack.
    """
    from avatar_service.cli.confined_clip import ConfinedClip
    from avatar_service.portrait.models import ensure_models
    from avatar_service.tracking.capture import capture_video

    clip = ConfinedClip(video, start_secs=start_secs, duration_secs=duration_secs)
    ensure_models(say)
    with progress() as bar:
        task = bar.add_task("tracking", total=None)

        def advance(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, done) or None)

        captured = capture_video(clip, reference=reference, advance=advance)
    for gap in captured.report()["held"]:
        say(
            f"note: no face for {gap['frames']} frames from {gap['from_secs']} s on; motion is held"
        )
    return captured


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
