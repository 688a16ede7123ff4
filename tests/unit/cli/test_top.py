import json
import re
from io import StringIO

import pytest
from fakes.service import running_service
from rich.console import Console
from rich.live import Live
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
    assert shown.exception.message.startswith("no service answers at 127.0.0.1:1: ")
    assert "\n" not in shown.exception.message


def _busy() -> pb.ListSessionsResponse:
    answer = pb.ListSessionsResponse()
    answer.service.sessions_opened = 1
    answer.service.frames_published = 123456
    answer.sessions.add(
        short_id="abc123",
        width_px=512,
        num_waiting_items=17,
        transports=[1, 2, 3],
        statistics={"latency": {"p50_millis": 81, "p99_millis": 103}, "frames_late": 42},
    )
    return answer


def _looked_at(width: int, *, is_terminal: bool = True) -> list[str]:
    """What a console of the command's kind shows, live on a screen so wide or once in a file."""
    written = StringIO()
    console = Console(
        width=width, soft_wrap=True, force_terminal=is_terminal, color_system=None, file=written
    )
    shown = view("127.0.0.1:50551", Sight(1.0, _busy()), None)
    if is_terminal:
        with Live(shown, console=console, screen=True):
            pass
    else:
        console.print(shown)
    return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", written.getvalue()).splitlines()


def test_a_screen_of_80_columns_shows_fewer_columns_and_no_crippled_words() -> None:
    lines = _looked_at(80)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    for what in ("abc123", "81/103", "42", "lost by readers"):
        assert what in text
    assert "queue" not in text
    assert "wider" in text, "it says that there is more"


@pytest.mark.parametrize(("width", "is_terminal"), [(200, True), (80, False)])
def test_all_columns_are_shown_where_they_fit_or_nobody_looks(width, is_terminal) -> None:
    text = "\n".join(_looked_at(width, is_terminal=is_terminal))
    assert "17" in text
    assert "queue" in text
    assert "shm+zmq+grpc" in text
    assert "wider" not in text


def test_one_session_is_no_plural() -> None:
    text = text_of("127.0.0.1:50551", Sight(1.0, _busy()), None)
    assert "1 session " in text
    assert "1 session opened" in text
