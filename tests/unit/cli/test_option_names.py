"""Every fault of a command names the option that was given, wherever its value was refused."""

from __future__ import annotations

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from avatar_service.cli.app import app
from avatar_service.cli.option_names import named
from avatar_service.errors import AvatarError, Reason

pytestmark = pytest.mark.unit

PHOTO, SOUND, OUT = "photo.jpg", "speech.wav", "out.mp4"
ANIMATE = ("animate", PHOTO, SOUND, "-o", OUT, "--consent", "A; B")


def refusal_of(*arguments: str) -> AvatarError:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, AvatarError), result.output
    return result.exception


@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        ((*ANIMATE, "--head-motion", "5"), "--head-motion is 5.0; allowed: 0 to 2"),
        ((*ANIMATE, "--blink-rate", "nan"), "--blink-rate is nan"),
        ((*ANIMATE, "--style", "loud"), "--style"),
        ((*ANIMATE, "--motion-model", "x"), "--motion-model"),
        ((*ANIMATE, "--gaze", "90,0"), "--gaze '90,0'"),
        ((*ANIMATE, "--fps", "500"), "--fps is 500"),
        ((*ANIMATE, "--device", "cuda:x"), "--device"),
        (("export", SOUND, "-o", "o.glb", "--expression", "9"), "--expression is 9.0"),
        (("stream", SOUND, "--fps", "0"), "--fps is 0"),
        (("serve", "--max-sessions", "0"), "--max-sessions is 0"),
        (("serve", "--live-allowed", "1.2.3.4/99"), "--live-allowed holds"),
        (("serve", "--listen", "here"), "--listen is 'here'"),
        (("serve", "--metrics-port", "-1"), "--metrics-port is -1"),
    ],
)
def test_a_value_out_of_range_is_blamed_on_its_option(
    arguments: tuple[str, ...], beginning: str
) -> None:
    message = refusal_of(*arguments).message
    assert message.startswith(beginning)
    assert message.count(beginning.split()[0]) == 1


def test_what_the_environment_holds_keeps_its_name(monkeypatch) -> None:
    monkeypatch.setenv("AVATAR_LIMITS_MAX_SESSIONS", "0")
    assert refusal_of("serve").message.startswith("limits.max_sessions is 0")


def test_a_message_that_begins_otherwise_gets_the_option_in_front() -> None:
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    serve = command.commands["serve"]
    context = serve.make_context("serve", ["--listen", "127.0.0.1:1", "--record", "there"])
    taken = AvatarError(Reason.INVALID_FIELD, "cannot listen on 127.0.0.1:1", field="listen")
    assert named(taken, context).message == "--listen: cannot listen on 127.0.0.1:1"
    full = AvatarError(Reason.INVALID_FIELD, "there cannot be written", field="record.folder")
    assert named(full, context).message == "--record: there cannot be written"
    assert named(AvatarError(Reason.BUG, "so"), context).message == "so"
