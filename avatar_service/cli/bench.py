"""`avatar bench`: figures with machine, date and commit, never judged by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from avatar_service.cli import (
    bench_endurance,
    bench_life,
    bench_picture,
    bench_watermark,
    completion,
)
from avatar_service.cli.console import progress, say
from avatar_service.cli.option_names import Commands
from avatar_service.cli.report import publish
from avatar_service.errors import AvatarError, Reason

app = Commands(
    help="Measure: render, motion, life, tick, service, transport, picture, reenact, watermark, "
    "export, soak, chaos, telemetry.",
    no_args_is_help=True,
)
app.command()(bench_life.life)
app.command()(bench_picture.picture)
app.command()(bench_picture.reenact)
app.command()(bench_endurance.soak)
app.command()(bench_endurance.chaos)
app.command()(bench_endurance.telemetry)
app.command()(bench_watermark.watermark)

JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the figures here.", dir_okay=False)
]
PortraitOption = Annotated[Path | None, typer.Option(help="A photo; default: the demo's.")]


_TRANSPORT_TARGETS: Final = {
    "ring_p50_us": "<= 150",
    "ring_p99_us": "<= 400",
    "ring_reader_cpu_us": "<= 60",
    "ring_8_per_1_publish_cpu": "about 1",
    "latent_zmq_bytes_per_sec": "<= 10000",
    "latent_grpc_bytes_per_sec": "<= 10000",
}
"""Goals of the native reader on a quiet machine."""


@app.command()
def render(
    portrait: PortraitOption = None,
    frames: Annotated[int, typer.Option(min=10, help="Frames to render, per avatar.")] = 400,
    size: Annotated[int, typer.Option(help="256, 512 or 1024 pixels.")] = 512,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    avatars: Annotated[
        int | None, typer.Option(min=1, max=1024, help="On cuda:N: people in one batch [64].")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Time a renderer: the CPU's per stage on one core, a GPU's against the copy to the host."""
    from avatar_service.cli.portraits import load_portrait
    from avatar_service.render.bench import bench_render
    from avatar_service.render.devices import CudaDevice, open_render_device

    opened = open_render_device(device)
    if isinstance(opened, CudaDevice):
        from avatar_service.render.cuda.bench import bench_batch

        count = avatars or 64
        drawn = bench_batch(
            opened.batch,
            load_portrait(portrait, size_px=size),
            avatars=count,
            ticks=frames,
            size_px=size,
        )
        title = f"render on {opened.name}, {size}x{size}, {count} avatars, {frames} ticks"
        publish(title, drawn, json)
        return
    if avatars is not None:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"--avatars {avatars}: the CPU draws one by one; use it with --device cuda:N",
            field="avatars",
        )
    figures = bench_render(load_portrait(portrait, size_px=size), frames=frames, size_px=size)
    publish(f"render, {size}x{size}, one core, {frames} frames", figures, json)


@app.command()
def motion(
    folder: Annotated[
        Path | None, typer.Argument(help="Clips with phone labels: NAME.wav and NAME.json.")
    ] = None,
    conditions: Annotated[
        bool, typer.Option("--conditions", help="Score noisy, coded and band-limited speech too.")
    ] = False,
    life: Annotated[
        bool, typer.Option(help="Score head, eyes and controls too (a minute or two).")
    ] = True,
    json: JsonOption = None,
) -> None:
    """Score lips, head, eyes and controls on labelled speech, beside goals and simple baselines."""
    from avatar_service.cli.neutral_vertices import neutral_vertices
    from avatar_service.motion.bench import bench_motion
    from avatar_service.motion.labelled import read_clips_or_own
    from avatar_service.motion.life_bench import LIFE_TARGETS, bench_life
    from avatar_service.motion.metrics import TARGETS

    with progress() as bar:
        task = bar.add_task("scoring lips", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        figures = bench_motion(
            folder, head=neutral_vertices(), conditions=conditions, progress=advance
        )
        if life:
            bar.update(task, description="scoring life", completed=0, total=None)
            clips = [clip.samples for clip in read_clips_or_own(folder)]
            figures["life"] = bench_life(clips, progress=advance)
    publish("motion on labelled speech", figures, json, targets=TARGETS | LIFE_TARGETS)


@app.command()
def service(
    sessions: Annotated[int, typer.Option(min=1, max=256, help="Clients at once.")] = 1,
    seconds: Annotated[float, typer.Option(min=2, help="How long to stream.")] = 60.0,
    size: Annotated[int, typer.Option(help="256, 512 or 1024 pixels.")] = 512,
    find_max: Annotated[
        bool,
        typer.Option("--find-max", help="Find the largest number without a late frame, 8 s a run."),
    ] = False,
    portrait: PortraitOption = None,
    json: JsonOption = None,
) -> None:
    """Stream speech in real time through a real service to real clients and time it."""
    from avatar_service.cli.portraits import read_photo
    from avatar_service.session.bench import bench_service, find_max_sessions

    photo = read_photo(portrait)
    if find_max:
        say("streaming through 1, 2, 4 ... sessions until a frame is late ...")
        found, curve = find_max_sessions(photo=photo, size_px=size, progress=_say_run)
        runs = {f"of_{run['sessions']:.0f}": run for run in curve}
        title = f"service, largest number of sessions at {size}x{size}"
        publish(title, {"max_sessions": found}, json, details={"curve": runs})
        return
    say(f"{sessions} session(s), {seconds:g} s of speech each in real time ...")
    figures = bench_service(photo=photo, sessions=sessions, seconds=seconds, size_px=size)
    publish(f"service, {sessions} session(s), {size}x{size}", figures, json)


@app.command()
def tick(
    sessions: Annotated[
        list[int] | None,
        typer.Option(min=1, max=256, help="Sessions at once; may be given again. [1, 8, 32]"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Speech of each.")] = 10.0,
    motion_model: Annotated[
        str,
        typer.Option(help="mixed, transformer or rules.", autocompletion=completion.motion_models),
    ] = "mixed",
    device: Annotated[
        str, typer.Option(help="Where the networks run: cpu, or cuda:N for all sessions at once.")
    ] = "cpu",
    json: JsonOption = None,
) -> None:
    """Time the one thread that runs the motion of all sessions, on a clock moved by hand."""
    from avatar_service.motion.nets import motion_nets
    from avatar_service.session.tick_bench import bench_tick

    nets = motion_nets(device, "--device")
    figures = {
        f"{name}.{count}": value
        for count in sessions or [1, 8, 32]
        for name, value in bench_tick(
            sessions=count, seconds=seconds, motion_model=motion_model, nets=nets
        ).items()
    }
    publish(f"motion of live sessions, {motion_model}, {device}", figures, json)


def _say_run(run: dict[str, float]) -> None:
    say(
        f"{run['sessions']:.0f} session(s): latency {run['latency_ms_p50']:.0f} ms, p99 "
        f"{run['latency_ms_p99']:.0f} ms, late {run['late_frames']:.0f}, dropped "
        f"{run['frames_dropped']:.0f}, {run['cpu_ms_per_frame']:.1f} ms CPU a frame, "
        f"{run['cpu_cores']:.2f} cores, {run.get('memory_mb', 0):.0f} MiB"
    )


@app.command()
def transport(
    frames: Annotated[int, typer.Option(min=60, help="Frames per transport.")] = 600,
    reader: Annotated[
        Path | None,
        typer.Option(help="The native reader; default: engine_clients/native, where built."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Time publish until copied, 512x512 RGBA at 60 fps, for each transport and iceoryx2."""
    from avatar_service.transports import bench_iceoryx2
    from avatar_service.transports.bench import bench_transport, native_reader

    native = reader or native_reader()
    if native is None:
        say("the native reader is not built (make clients): Python reads, which is slower")
    if not bench_iceoryx2.is_installed():
        say("iceoryx2 is left out: pip install iceoryx2")
    with progress() as bar:
        task = bar.add_task("publishing", total=None)
        figures = bench_transport(
            frames=frames,
            reader=native,
            advance=lambda part: bar.update(task, description=part),
        )
    title = "transports, 1 MiB frames at 60 fps"
    publish(title, figures, json, targets=_TRANSPORT_TARGETS)
