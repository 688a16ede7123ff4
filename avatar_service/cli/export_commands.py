"""`avatar export`, `avatar import`, `avatar stream`, `avatar a2f`, `avatar bench export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avatar_service.cli import completion
from avatar_service.cli.motion_options import EmotionOption, StyleOption
from avatar_service.export.conventions import NameSet

if TYPE_CHECKING:
    from avatar_service.export.formats import ExportOptions
    from avatar_service.motion.track import MotionTrack
    from avatar_service.signals import Controls

SourceArgument = Annotated[
    Path,
    typer.Argument(
        help="Speech (any file that FFmpeg reads) or motion (.npz .csv .glb .gltf .vrm)."
    ),
]
NamesOption = Annotated[
    list[NameSet] | None,
    typer.Option("--names", help="Expression names of VRM models; choose your model's set."),
]


def register(app: typer.Typer, bench: typer.Typer | None = None) -> None:
    """Mount the commands; with `bench` also its `export`."""
    app.command(name="export")(export)
    app.command(name="import")(import_)
    app.command(name="stream")(stream)
    app.command(name="a2f")(a2f)
    if bench is not None:
        bench.command(name="export")(bench_export)


def _controls(
    emotion: list[str] | None,
    *,
    head_motion: float = 1.0,
    expression: float = 1.0,
    style: str = "neutral",
    motion_model: str = "mixed",
    seed: int,
) -> Controls:
    from avatar_service.cli.options import parse_emotion
    from avatar_service.motion.control_checks import check_controls
    from avatar_service.signals import Controls

    controls = Controls(
        emotion=parse_emotion(emotion or []),
        head_motion=head_motion,
        expression=expression,
        speaking_style=style,
        motion_model=motion_model,
        seed=seed,
    )
    check_controls(controls)
    return controls


def export(
    source: SourceArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="One of those below; else the suffix tells.",
            autocompletion=completion.export_formats,
        ),
    ] = None,
    track: Annotated[
        bool,
        typer.Option("--track", help="SOURCE is a video: take its face's motion, not its voice."),
    ] = False,
    fps: Annotated[str, typer.Option(help="Keyframes per second, 30 or 30000/1001.")] = "30",
    emotion: EmotionOption = None,
    head_motion: Annotated[float, typer.Option(help="Strength, 0 to 2.")] = 1.0,
    expression: Annotated[float, typer.Option(help="Strength, 0 to 2.")] = 1.0,
    style: StyleOption = "neutral",
    motion_model: Annotated[
        str,
        typer.Option(
            help="Who moves head and face: mixed, transformer, or rules (the fastest).",
            autocompletion=completion.motion_models,
        ),
    ] = "mixed",
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
    start: Annotated[float, typer.Option(min=0, help="Begin here, seconds.")] = 0.0,
    duration: Annotated[float | None, typer.Option(help="Only so many seconds.")] = None,
    portrait: Annotated[
        Path | None, typer.Option(help="glTF, USD: this photo's own mesh instead of the neutral.")
    ] = None,
    consent: Annotated[
        str | None, typer.Option(help="Consent statement of the person in the photo.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="glTF: animate this model by its morph targets' names.")
    ] = None,
    names: Annotated[NameSet, typer.Option(help="VRM animation: expression names.")] = NameSet.VRM1,
    unity_path: Annotated[
        str, typer.Option(help="Unity: path of the SkinnedMeshRenderer below the Animator.")
    ] = "Body",
    unity_scale: Annotated[
        float, typer.Option(help="Unity: 100 for FBX meshes, 1 for glTF ones.")
    ] = 100.0,
    unity_head: Annotated[
        str | None, typer.Option(help="Unity: path of the head bone, to turn it.")
    ] = None,
) -> None:
    """Write the motion of speech, of a capture or of a video's face for another tool.

    Without a portrait no picture is made. Formats: livelink (.csv), gltf (.glb), unity (.anim),
    vrma, usd (.usda .usdc), unreal-csv, unreal-json, csv, jsonl, npz, rhubarb (.tsv), oculus.
    """
    from avatar_service.cli.console import out, progress, say
    from avatar_service.cli.motion_source import is_motion_file, motion_frames, seconds_of
    from avatar_service.cli.options import check_distinct, refuse_speech_options
    from avatar_service.config import parse_fps
    from avatar_service.export.formats import ExportOptions, export_motion, format_for
    from avatar_service.export.part_file import check_writable
    from avatar_service.export.unity_anim import UnityOptions

    rate = parse_fps(fps, name="--fps")
    row = format_for(output, format_name)
    controls = _controls(
        emotion,
        head_motion=head_motion,
        expression=expression,
        style=style,
        motion_model=motion_model,
        seed=seed,
    )
    if track or is_motion_file(source):
        refuse_speech_options(controls, source)
    check_distinct([output], [source, portrait, into])
    check_writable(output)
    options = ExportOptions(
        head=None,
        into=into,
        names=names,
        unity=UnityOptions(mesh_path=unity_path, scale=unity_scale, head_path=unity_head),
        sound=source.name,
        report=say,
    )
    if portrait is not None:
        _check_shows_portrait(row.name, into)
        options = _with_portrait(options, portrait, consent)
    captured: MotionTrack | None = None
    if track:
        from avatar_service.cli.track import capture

        captured = capture(source, start_secs=start, duration_secs=duration).track
    with progress() as bar:
        total = None if captured else seconds_of(source, start_secs=start, duration_secs=duration)
        task = bar.add_task(f"writing {output.name}, seconds", total=total)
        frames = (
            captured.frames()
            if captured
            else motion_frames(
                source,
                rate=rate,
                controls=controls,
                start_secs=start,
                duration_secs=duration,
                advance=lambda secs: bar.update(task, completed=round(secs)),
            )
        )
        count = export_motion(output, frames, rate, format_name=row.name, options=options)
    out.print(f"{output}: {row.name}, {count} keyframes or cues", highlight=False)


def _check_shows_portrait(format_name: str, into: Path | None) -> None:
    """Refuse a portrait that would not be in the file. Raises INVALID_FIELD."""
    from avatar_service.errors import AvatarError, Reason

    if format_name not in ("gltf", "usd") or into is not None:
        where = f"not {format_name}" if into is None else "not a model of your own (--into)"
        raise AvatarError(
            Reason.INVALID_FIELD, f"--portrait goes with glTF and USD, {where}", field="portrait"
        )


def _with_portrait(options: ExportOptions, photo: Path, consent: str | None) -> ExportOptions:
    from dataclasses import replace

    from avatar_service.cli.consent import consent_for
    from avatar_service.cli.portrait_head import head_from_portrait
    from avatar_service.cli.portraits import load_portrait

    allowed = consent_for(consent, photo)
    head = head_from_portrait(load_portrait(photo))
    allowed.record("head")
    return replace(options, head=head)


def import_(
    capture: Annotated[Path, typer.Argument(help="Live Link Face .csv, .glb, .gltf, .vrm, .npz.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="motion.npz to write.")],
    fps: Annotated[str, typer.Option(help="Frames per second of the result.")] = "60",
) -> None:
    """Read another tool's motion into motion.npz."""
    from avatar_service.cli.console import out
    from avatar_service.cli.decoding import import_motion
    from avatar_service.cli.options import check_distinct
    from avatar_service.config import parse_fps
    from avatar_service.errors import AvatarError, Reason
    from avatar_service.export.formats import export_motion
    from avatar_service.export.part_file import check_writable

    if output.suffix.lower() != ".npz":
        raise AvatarError(
            Reason.INVALID_FIELD, f"{output.name}: motion is written as .npz", field="output"
        )
    check_distinct([output], [capture])
    check_writable(output)
    frames = import_motion(capture)
    count = export_motion(output, frames, parse_fps(fps, name="--fps"), format_name="npz")
    out.print(f"{output}: {count} frames", highlight=False)


def stream(
    source: SourceArgument,
    live_link: Annotated[
        str | None, typer.Option(help="HOST[:11111] of Unreal's Live Link.")
    ] = None,
    vmc: Annotated[str | None, typer.Option(help="HOST[:39539] of a VMC receiver.")] = None,
    subject: Annotated[str, typer.Option(help="Live Link subject.")] = "Avatar",
    names: NamesOption = None,
    fps: Annotated[str, typer.Option(help="Frames per second.")] = "60",
    emotion: EmotionOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Host or network that may be sent to besides this machine."),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of a running service that makes the motion and sends it."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="AVATAR_TOKEN", help="Bearer token of the service.")
    ] = None,
    tls_root: Annotated[
        Path | None, typer.Option(help="PEM of who signed the service's certificate.")
    ] = None,
) -> None:
    """Play motion in real time into Unreal (Live Link) or VTuber software (VMC).

    With --service the receivers' hosts are as the service sees them, and its own list decides
    what may be sent to.
    """
    from avatar_service.cli.console import out
    from avatar_service.cli.live import open_senders, play
    from avatar_service.cli.motion_source import is_motion_file, motion_frames
    from avatar_service.cli.options import refuse_speech_options
    from avatar_service.config import parse_fps

    rate = parse_fps(fps, name="--fps")
    controls = _controls(emotion, seed=seed)
    if is_motion_file(source):
        refuse_speech_options(controls, source)
    if service is not None:
        from avatar_service.cli.live_service import Receivers, stream_through_service

        secs = stream_through_service(
            source,
            service,
            Receivers(live_link, vmc, subject, tuple(names or [NameSet.VRM0])),
            rate=rate,
            controls=controls,
            has_own_list=bool(allow),
            token=token,
            tls_root=tls_root,
        )
        out.print(f"{secs:.1f} s of speech sent through {service}", highlight=False)
        return
    senders = open_senders(
        live_link=live_link,
        vmc=vmc,
        subject=subject,
        names=names or [NameSet.VRM0],
        fps=rate,
        allowed=allow or [],
    )
    frames = motion_frames(source, rate=rate, controls=controls)
    count, late = play(frames, senders)
    out.print(f"{count} frames sent, {late} of them late", highlight=False)


def a2f(
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 52000,
) -> None:
    """Serve NVIDIA Audio2Face-3D clients: speech in, ARKit weights out."""
    import asyncio

    from avatar_service.server.a2f.server import run_a2f_server

    asyncio.run(run_a2f_server(host, port))


def bench_export(
    seconds: Annotated[float, typer.Option(min=5, help="Speech to export.")] = 60.0,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.", dir_okay=False)
    ] = None,
) -> None:
    """Time speech to file and motion to file, on one core, as multiples of real time."""
    from avatar_service.cli.bench_export import bench_exports
    from avatar_service.cli.report import publish

    publish(f"export, {seconds:g} s of speech, one core", bench_exports(seconds), json)
