"""`avatar top`: a live view of a running service's sessions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from avatar_service.cli.remote import DEFAULT_TARGET, TlsCa, TokenFile, connected

if TYPE_CHECKING:
    from avatar_client import Client


def top(
    target: Annotated[str, typer.Argument(help="HOST:PORT of the service.")] = DEFAULT_TARGET,
    interval: Annotated[
        float, typer.Option(min=0.2, max=3600, help="Seconds between looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one look and end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one look as JSON and end.")] = False,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
) -> None:
    """Watch the sessions of a running service: health, latency, late frames, queues. Ctrl-C ends.

    Sessions are named by the first six characters of their ids, as in the service's log.
    """
    from rich.live import Live

    from avatar_service.cli.console import out
    from avatar_service.cli.top_view import Sight, view

    def look(client: Client) -> Sight:
        return Sight(time.monotonic(), client.list_sessions())

    with connected(target, token_file, tls_ca) as client:
        sight = look(client)
        if json:
            from google.protobuf.json_format import MessageToJson

            out.print_json(MessageToJson(sight.answer, always_print_fields_with_no_presence=True))
            return
        if once:
            out.print(view(target, sight, None))
            return
        with Live(view(target, sight, None), console=out, screen=out.is_terminal) as live:
            while True:
                time.sleep(interval)
                before, sight = sight, look(client)
                live.update(view(target, sight, before), refresh=True)
