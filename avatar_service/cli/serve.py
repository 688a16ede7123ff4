"""`avatar serve`: run the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avatar_service.cli import completion


def serve(
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT; port 0 takes a free one. [127.0.0.1:50551]")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda:N.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token; needed beyond loopback.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM; needed beyond loopback.")
    ] = None,
    tls_private_key: Annotated[Path | None, typer.Option(help="PEM.")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="PEM; asks clients for one.")] = None,
    reuse_port: Annotated[
        bool | None,
        typer.Option(
            "--reuse-port", help="Share the port with a service that takes over or is taken over."
        ),
    ] = None,
    drain_secs: Annotated[
        float | None, typer.Option(help="On SIGTERM sentences get this long to end. [5]")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Rendering threads; 0: one per core.")] = None,
    max_sessions: Annotated[int | None, typer.Option(help="Most sessions at once.")] = None,
    zmq_endpoint: Annotated[
        str | None, typer.Option(help="ZeroMQ: ipc://FOLDER, or tcp://HOST (free ports) for both.")
    ] = None,
    shm_group: Annotated[
        str | None, typer.Option(help="Group whose members may read the shared-memory rings.")
    ] = None,
    live_allowed: Annotated[
        str | None,
        typer.Option(
            help="Hosts and networks, separated by commas, that Live Link and VMC may be sent to "
            "besides this machine."
        ),
    ] = None,
    a2f_listen: Annotated[
        str | None,
        typer.Option(help="HOST:PORT for Audio2Face-3D clients, as 127.0.0.1:52000. [off]"),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            help="Prometheus metrics on this port of 127.0.0.1; 0 takes a free one. [off]"
        ),
    ] = None,
    traces_endpoint: Annotated[
        str | None,
        typer.Option(help="OpenTelemetry collector (OTLP/gRPC), as http://127.0.0.1:4317. [off]"),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Record sessions in this folder, for avatar replay; no speech."),
    ] = None,
    record_audio: Annotated[
        bool | None, typer.Option("--record-audio", help="Record speech and latents too.")
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            help="text, or json: an object a line.", autocompletion=completion.log_formats
        ),
    ] = None,
    badge: Annotated[
        bool | None, typer.Option("--badge", help="Show 'AI-generated' in a corner of all frames.")
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(help="debug, info, warning or error.", autocompletion=completion.log_levels),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file; every setting also has AVATAR_* variables.")
    ] = None,
) -> None:
    """Run the service: gRPC for control; shared memory, ZeroMQ and gRPC for frames and motion."""
    from avatar_service.cli.console import say

    say("starting the service")
    from avatar_service.config import load_config
    from avatar_service.portrait.models import ensure_models
    from avatar_service.server.main import run

    options: dict[str, object] = {
        "listen": listen,
        "device": device,
        "token_file": token_file,
        "tls.certificate": tls_certificate,
        "tls.private_key": tls_private_key,
        "tls.client_ca": tls_client_ca,
        "reuse_port": reuse_port,
        "drain_secs": drain_secs,
        "workers": workers,
        "limits.max_sessions": max_sessions,
        "zmq.endpoint": zmq_endpoint,
        "shm.group": shm_group,
        "live.allowed_destinations": live_allowed,
        "a2f.listen": a2f_listen,
        "metrics.port": metrics_port,
        "traces.endpoint": traces_endpoint,
        "record.folder": record,
        "record.audio": record_audio,
        "log_format": log_format,
        "badge": badge,
        "log_level": log_level,
    }
    settings = load_config(options, toml_file=config)
    ensure_models(say)
    run(settings)
