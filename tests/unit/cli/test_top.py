import json

import pytest
from fakes.service import running_service
from rich.console import Console
from typer.testing import CliRunner

from avatar_service.cli.app import app
from avatar_service.cli.top_view import Sight, view
from avatar_service.errors import AvatarError
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb

pytestmark = pytest.mark.unit


def text_of(*arguments) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(view(*arguments))
    return console.export_text()


def test_top_shows_a_running_service(tmp_path) -> None:
    with running_service(tmp_path) as service:
        session = service.stub.CreateSession(pb.CreateSessionRequest()).session
        shown = CliRunner().invoke(app, ["top", service.address, "--json"])
        assert shown.exit_code == 0, shown.output
        told = json.loads(shown.stdout)
        assert told["sessions"][0]["shortId"] == session.session_id[:6]
        answer = service.stub.ListSessions(pb.ListSessionsRequest())
        first = Sight(100.0, answer)
        later = pb.ListSessionsResponse()
        later.CopyFrom(answer)
        later.service.frames_published += 80
        later.service.cpu_seconds += 1.0
        text = text_of(service.address, Sight(102.0, later), first)
    assert session.session_id[:6] in text
    assert session.session_id not in text
    assert "40 frames/s" in text
    assert "50% CPU" in text
    assert "latents" in text


def test_top_without_a_service_says_so() -> None:
    shown = CliRunner().invoke(app, ["top", "127.0.0.1:1", "--once"])
    assert isinstance(shown.exception, AvatarError)
    assert "127.0.0.1:1" in shown.exception.message
    assert "\n" not in shown.exception.message
