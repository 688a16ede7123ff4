"""`avatar bench picture` and `avatar bench reenact`: the picture measured on pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from avatar_service.cli.console import progress, say
from avatar_service.cli.report import publish
from avatar_service.errors import AvatarError, Reason

_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
OutOption = Annotated[
    Path | None, typer.Option(help="Write contact sheets and strips into this folder.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the figures here.", dir_okay=False)
]


def picture(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of photos, or one; default: the demo's.")
    ] = None,
    out: OutOption = None,
    size: Annotated[int, typer.Option(help="256, 512 or 1024 pixels.")] = 512,
    controls: Annotated[bool, typer.Option(help="Track rendered sweeps of each control.")] = True,
    json: JsonOption = None,
) -> None:
    """Measure the picture: likeness, room, flicker, outlines, stretch, and controls on pixels."""
    from avatar_service.cli.portraits import load_portrait
    from avatar_service.export.pictures import write_png
    from avatar_service.picture.bench import bench_portrait, summarize
    from avatar_service.picture.sheets import pose_sheet, slow_strip
    from avatar_service.picture.stage import Stage

    paths = photos_in(folder)
    _make_folder(out)
    figures: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    with progress() as bar:
        task = bar.add_task("measuring", total=len(paths))
        for path in paths:
            name = path.stem if path else "demo"
            try:
                # As a session of that size has it: never fitted at less than 512.
                portrait = load_portrait(path, size_px=max(size, 512))
            except AvatarError as error:
                if len(paths) == 1:
                    raise
                say(f"{name} is left out: {error.message}")
                refused[name] = error.reason.value
                bar.advance(task)
                continue
            figures[name] = bench_portrait(portrait, size, with_controls=controls)
            if out is not None:
                stage = Stage(portrait, size)
                write_png(out / f"{name}_poses.png", pose_sheet(stage))
                write_png(out / f"{name}_slow.png", slow_strip(stage))
            bar.advance(task)
    if not figures:
        raise AvatarError(Reason.NO_FACE, f"{folder}: no photo in it can be animated")
    one = next(iter(figures.values()))
    details: dict[str, Any] = {"portraits": figures, "refused": refused}
    publish(
        f"picture, {len(figures)} portrait(s), {size}x{size}",
        one if len(figures) == 1 else summarize(figures),
        json,
        details=details if len(figures) > 1 else {},
    )


def reenact(
    video: Annotated[Path, typer.Argument(help="A video that shows one face.", dir_okay=False)],
    out: OutOption = None,
    start: Annotated[float, typer.Option(help="Begin here, seconds.")] = 0.0,
    duration: Annotated[float, typer.Option(help="How many seconds.")] = 8.0,
    json: JsonOption = None,
) -> None:
    """Track a video, animate its first frame with the motion, and compare with the real frames."""
    from avatar_service.export.pictures import write_png
    from avatar_service.picture.reenact import reenact as run
    from avatar_service.picture.sheets import pair_sheet
    from avatar_service.portrait.models import ensure_models
    from avatar_service.tracking.video import VideoClip

    _make_folder(out)
    clip = VideoClip(video, start_secs=start, duration_secs=duration)
    ensure_models(say)
    with progress() as bar:
        task = bar.add_task("tracking", total=None)

        def advance(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, done) or None)

        result = run(clip, advance=advance)
    if out is not None:
        write_png(out / f"{video.stem}_reenacted.png", pair_sheet(result.pairs))
        result.capture.track.save(out / f"{video.stem}_motion.npz")
    publish(f"self-reenactment of {video.name}", result.figures, json)


def photos_in(folder: Path | None) -> list[Path | None]:
    """Return the photos of a folder, or the one named; [None] stands for the demo's."""
    if folder is None:
        return [None]
    if folder.is_dir():
        photos = sorted(p for p in folder.iterdir() if p.suffix.lower() in _PHOTO_SUFFIXES)
        if not photos:
            raise AvatarError(
                Reason.INVALID_FILE, f"{folder} holds no photo ({', '.join(_PHOTO_SUFFIXES)})"
            )
        return list(photos)
    return [folder]


def _make_folder(out: Path | None) -> None:
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FILE, f"cannot make the folder {out}: {error.strerror}"
        ) from error
