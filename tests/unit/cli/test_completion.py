"""What a shell offers where an option's values are names."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from avatar_service.cli.app import app

pytestmark = pytest.mark.unit


def offered(line: str) -> list[str]:
    """Ask as bash does with the tab key behind `line`."""
    words = line.split(" ")
    environment = {
        "_AVATAR_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return CliRunner().invoke(app, [], env=environment, prog_name="avatar").stdout.split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("avatar animate a.jpg b.wav --style ", ["neutral", "calm", "lively", "formal", "warm"]),
        ("avatar animate a.jpg b.wav --motion-model t", ["transformer"]),
        ("avatar animate a.jpg b.wav --emotion ha", ["happy:"]),
        ("avatar export b.wav --format gl", ["gltf"]),
        ("avatar export b.wav --style w", ["warm"]),
        ("avatar stream b.wav --emotion sad", ["sad:"]),
        ("avatar serve --log-level w", ["warning"]),
        ("avatar serve --log-format ", ["text", "json"]),
        ("avatar bench tick --motion-model r", ["rules"]),
    ],
)
def test_names_are_offered_as_values_of_options(line: str, names: list[str]) -> None:
    assert offered(line)[: len(names)] == names


def test_nothing_is_offered_for_what_begins_no_name() -> None:
    assert offered("avatar animate a.jpg b.wav --style q") == []
