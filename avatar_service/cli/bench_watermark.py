"""`avatar bench watermark`: visibility, cost, survival and false alarms of the watermark."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from avatar_service.cli.bench_picture import photos_in
from avatar_service.cli.console import progress, say
from avatar_service.cli.report import publish
from avatar_service.errors import AvatarError, Reason

_TARGETS: Final = {
    "psnr_db_min": ">= 42",
    "kernel_cpu_ms_p50": "<= 0.6",
    "false_alarms": "0",
    **dict.fromkeys(("jpeg_q50", "h264_crf28", "resize_50", "crop_10", "rotate_5"), ">= 99 %"),
}


def watermark(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of photos, or one; default: the demo's.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="One-second clips of each photo.")] = 3,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin no further round of clips after so long.")
    ] = None,
    size: Annotated[int, typer.Option(help="256, 512 or 1024 pixels.")] = 512,
    unmarked: Annotated[
        list[Path] | None,
        typer.Option(help="A video that bears no mark, for false alarms; may be repeated."),
    ] = None,
    harder: Annotated[bool, typer.Option(help="Attacks beyond those promised, too.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the payloads.")] = 0,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.", dir_okay=False)
    ] = None,
) -> None:
    """Mark rendered clips, attack them, read them back; look for marks where there are none."""
    from avatar_service.cli.portraits import load_portrait
    from avatar_service.picture.mark_bench import MarkFigures, PortraitMarks

    figures = MarkFigures()
    paths = photos_in(folder)
    people: list[PortraitMarks] = []
    began = time.monotonic()
    with progress() as bar:
        task = bar.add_task("marking and reading", total=clips * len(paths))
        for number, path in enumerate(paths):
            try:
                portrait = load_portrait(path, size_px=size)
            except AvatarError as error:
                if len(paths) == 1:
                    raise
                say(f"{path.stem if path else 'demo'} is left out: {error.message}")
                continue
            people.append(
                PortraitMarks(portrait, figures, size_px=size, seed=seed + number, harder=harder)
            )
        bar.update(task, total=clips * len(people))
        # Round by round, so that a run that ends early has seen everybody.
        for number in range(clips):
            if minutes is not None and time.monotonic() - began > 60 * minutes:
                say(f"ended after {number} clips of each photo, {minutes:g} min being over")
                break
            for person in people:
                person.try_clip(number)
                bar.advance(task)
        for video in unmarked or []:
            _read_unmarked(video, figures, bar)
    if not figures.num_clips:
        raise AvatarError(Reason.NO_FACE, f"{folder}: no photo in it can be animated")
    publish(
        f"watermark, {sum(figures.num_clips.values())} clips of 1 s, {size}x{size}",
        figures.summary(),
        json,
        targets=_TARGETS,
    )


def _read_unmarked(video: Path, figures: Any, bar: Any) -> None:
    """Read every second of a video, and half a second later again."""
    from avatar_service.picture.mark_bench import read_frames
    from avatar_service.provenance.mark_reader import CLIP_FRAMES
    from avatar_service.signals import UInt8Array
    from avatar_service.tracking.video import VideoClip

    clip = VideoClip(video)
    task = bar.add_task(f"reading {video.name}", total=clip.num_frames_hint or None)
    window: list[UInt8Array] = []
    for picture in clip.pictures():
        window.append(picture.pixels)
        bar.advance(task)
        if len(window) == CLIP_FRAMES:
            figures.num_unmarked += 1
            figures.imagined += read_frames(window) is not None
            del window[: CLIP_FRAMES // 2]
