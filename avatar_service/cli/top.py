"""`avatar top`: a live view of a running service's sessions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from avatar_service.errors import AvatarError, Reason


def top(
    target: Annotated[str, typer.Argument(help="HOST:PORT of the service.")] = "127.0.0.1:50551",
    interval: Annotated[
        float, typer.Option(min=0.2, max=3600, help="Seconds between looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one look and end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one look as JSON and end.")] = False,
    token_file: Annotated[Path | None, typer.Option(help="File with the bearer token.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="PEM of who signed the service's certificate.")
    ] = None,
) -> None:
    """Watch the sessions of a running service: health, latency, late frames, queues. Ctrl-C ends.

    Sessions are named by the first six characters of their ids, as in the service's log.
    """
    from avatar_client import AvatarClientError, Client, Tls, connect
    from rich.live import Live

    from avatar_service.cli.console import out
    from avatar_service.cli.top_view import Sight, view

    token = None if token_file is None else _read(token_file).decode().strip()
    tls = None if tls_ca is None else Tls(root_certificates=_read(tls_ca))

    def look(client: Client) -> Sight:
        return Sight(time.monotonic(), client.list_sessions())

    try:
        with connect(target, token=token, tls=tls, timeout_secs=5.0) as client:
            sight = look(client)
            if json:
                from google.protobuf.json_format import MessageToJson

                out.print_json(
                    MessageToJson(sight.answer, always_print_fields_with_no_presence=True)
                )
                return
            if once:
                out.print(view(target, sight, None))
                return
            with Live(view(target, sight, None), console=out, screen=out.is_terminal) as live:
                while True:
                    time.sleep(interval)
                    before, sight = sight, look(client)
                    live.update(view(target, sight, before), refresh=True)
    except AvatarClientError as error:
        raise AvatarError(Reason.INVALID_FIELD, f"{target}: {error}", field="target") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AvatarError(Reason.INVALID_FILE, f"cannot read {path}: {error.strerror}") from error
