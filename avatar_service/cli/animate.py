"""`avatar animate`: a photo and speech or motion into a video, as fast as the machine goes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from avatar_service.cli import completion
from avatar_service.cli.consent import HELP as CONSENT_HELP
from avatar_service.cli.motion_options import EmotionOption, StyleOption
from avatar_service.signals import Background, Controls


class Crop(StrEnum):
    """What part of the photo becomes the frame."""

    FACE = "face"
    KEEP = "keep"


def animate(
    portrait: Annotated[Path, typer.Argument(help="A photo with one face.", dir_okay=False)],
    source: Annotated[
        Path,
        typer.Argument(
            help="Speech (sound or video that FFmpeg reads), or captured motion: Live Link .csv, "
            ".npz, .glb, .gltf, .vrm."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help=".mp4, .mov or .mkv; with alpha .mov or .webm.")
    ],
    track: Annotated[
        bool,
        typer.Option("--track", help="SOURCE is a video: take its face's motion, not its voice."),
    ] = False,
    audio: Annotated[
        Path | None, typer.Option(help="Sound of captured motion; its start is the motion's.")
    ] = None,
    save_motion: Annotated[Path | None, typer.Option(help="Write the latents (.npz).")] = None,
    report: Annotated[Path | None, typer.Option(help="Write figures (.json).")] = None,
    fps: Annotated[str, typer.Option(help="Frames per second, as 40 or 30000/1001.")] = "40",
    size: Annotated[int, typer.Option(help="256, 512 or 1024 pixels.")] = 512,
    crop: Annotated[Crop, typer.Option(help="face, or keep for the whole photo.")] = Crop.FACE,
    emotion: EmotionOption = None,
    gaze: Annotated[
        str | None, typer.Option(help="YAW,PITCH degrees: + is the subject's left, + is down.")
    ] = None,
    distance: Annotated[float, typer.Option(help="1 as photographed, 0.5 half as far.")] = 1.0,
    head_motion: Annotated[float, typer.Option(help="Strength, 0 to 2.")] = 1.0,
    expression: Annotated[float, typer.Option(help="Strength, 0 to 2.")] = 1.0,
    style: StyleOption = "neutral",
    motion_model: Annotated[
        str,
        typer.Option(
            help="Who moves head and face: mixed, transformer or rules.",
            autocompletion=completion.motion_models,
        ),
    ] = "mixed",
    blink_rate: Annotated[float, typer.Option(help="Factor on the natural rate, 0 to 4.")] = 1.0,
    background: Annotated[str, typer.Option(help="keep, transparent or #RRGGBB.")] = "keep",
    badge: Annotated[
        bool, typer.Option("--badge", help="Show 'AI-generated' in a corner of the picture.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of everything drawn at random.", min=0)] = 0,
    start: Annotated[float, typer.Option(help="Begin here in audio and motion, seconds.")] = 0.0,
    duration: Annotated[float | None, typer.Option(help="Only so many seconds.")] = None,
    consent: Annotated[str | None, typer.Option(help=CONSENT_HELP)] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
) -> None:
    """Animate a photo with speech or with a captured performance."""
    from avatar_service.cli import options
    from avatar_service.cli.decoding import decode_photo
    from avatar_service.config import parse_fps
    from avatar_service.motion.control_checks import check_controls
    from avatar_service.portrait.image_file import read_photo
    from avatar_service.render.devices import open_render_device

    backdrop, color = options.parse_background(background)
    controls = Controls(
        gaze=options.parse_gaze(gaze),
        distance=distance,
        emotion=options.parse_emotion(emotion or []),
        head_motion=head_motion,
        expression=expression,
        speaking_style=style,
        motion_model=motion_model,
        blink_rate=blink_rate,
        background=backdrop,
        background_color=color,
        badge=badge,
        seed=seed,
    )
    check_controls(controls)
    rate = parse_fps(fps, name="--fps")
    rendering = open_render_device(device)
    # What is no photo is told before all else is loaded, which takes seconds.
    decode_photo(read_photo(portrait))

    from avatar_service.cli.animation import Animation
    from avatar_service.cli.consent import consent_for
    from avatar_service.cli.motion_source import is_motion_file
    from avatar_service.export.part_file import check_writable
    from avatar_service.export.video import check_video_path
    from avatar_service.session.offline import OfflineSettings

    _check_source(source, audio, controls, is_motion=track or is_motion_file(source))
    options.check_distinct([output, save_motion, report], [portrait, source, audio])
    check_video_path(output, with_alpha=backdrop is Background.TRANSPARENT)
    for path in (save_motion, report):
        if path is not None:
            check_writable(path)
    job = Animation(
        consent=consent_for(consent, portrait),
        photo=portrait,
        source=source,
        output=output,
        is_tracked=track,
        sound=audio,
        settings=OfflineSettings(
            rate=rate,
            size_px=size,
            controls=controls,
        ),
        crop=crop.value,
        start_secs=start,
        duration_secs=duration,
        save_motion=save_motion,
        report=report,
        device=rendering,
    )
    job.run()


def _check_source(source: Path, audio: Path | None, controls: Controls, *, is_motion: bool) -> None:
    """Refuse options that would have no effect on this kind of source. Raises INVALID_FIELD."""
    from avatar_service.cli import options
    from avatar_service.errors import AvatarError, Reason

    if not is_motion:
        if audio is not None:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"--audio: {source.name} is heard itself; --audio goes with captured motion",
                field="audio",
            )
        return
    options.refuse_speech_options(controls, source)
