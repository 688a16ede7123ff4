"""`avatar avatars`: avatars of a running service are made, listed and deleted from a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.service import running_service
from typer.testing import CliRunner, Result

from avatar_service.cli.app import app
from avatar_service.errors import AvatarError

pytestmark = pytest.mark.unit


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with running_service(tmp_path) as service:
        yield service.address


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"a face")
    return path


def run(address: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["avatars", *arguments, "--target", address])


def refusal(result: Result) -> str:
    assert isinstance(result.exception, AvatarError)
    assert "\n" not in result.exception.message
    return result.exception.message


def test_an_avatar_is_made_listed_and_deleted(address: str, photo: Path) -> None:
    consent = "Ann Example; written consent, 2026-11-01; until 2999-01-31"
    made = run(address, "add", str(photo), "--consent", consent, "--name", "[bold]Ann")
    assert made.exit_code == 0, made.output
    avatar_id = made.stdout.strip()

    (facts,) = json.loads(run(address, "list", "--json").stdout)
    assert facts["avatar_id"] == avatar_id
    assert facts["name"] == "[bold]Ann"
    assert facts["who"] == "Ann Example"
    assert facts["by_what_right"] == "written consent, 2026-11-01"
    assert facts["until"].startswith("2999-0")
    shown = run(address, "list").stdout
    assert avatar_id in shown
    assert "[bol" in shown

    assert run(address, "delete", avatar_id).exit_code == 0
    assert json.loads(run(address, "list", "--json").stdout) == []
    assert "no avatar of this id" in refusal(run(address, "delete", avatar_id))


def test_what_the_service_says_of_a_photo_is_shown(address: str, photo: Path) -> None:
    told = run(address, "add", str(photo), "--consent", "me; my own photo", "--json")
    assert json.loads(told.stdout)["notes"] == ["fitted by a fake"]
    photo.write_bytes(b"cat")
    message = refusal(run(address, "add", str(photo), "--consent", "me; my own photo"))
    assert "no face was found" in message


def test_nothing_is_sent_without_consent_or_photo(
    address: str, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AVATAR_CONSENT", raising=False)
    assert "statement of consent" in refusal(run(address, "add", str(photo)))
    absent = photo.with_name("absent.jpg")
    message = refusal(run(address, "add", str(absent), "--consent", "me; my own photo"))
    assert "absent.jpg" in message
    with photo.open("wb") as file:
        file.truncate(1 << 30)  # holes: nothing is written
    message = refusal(run(address, "add", str(photo), "--consent", "me; my own photo"))
    assert f"{1 << 30} bytes; the service takes" in message


def test_a_service_that_is_not_there_is_named() -> None:
    assert "127.0.0.1:1" in refusal(run("127.0.0.1:1", "list"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"one\ntwo", "t\u00f6ken".encode()])
def test_a_file_that_holds_no_token_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    message = refusal(run("127.0.0.1:1", "list", "--token-file", str(path)))
    assert message == f"{path} holds no token: one line of printable ASCII is needed"
