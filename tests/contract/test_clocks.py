"""What is timed is timed by the monotonic clock: the wall clock is for dates alone."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

PACKAGE = Path(__file__).resolve().parents[2] / "avatar_service"
ROOMS = ("audio", "motion", "render", "session", "transports")
WALL = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_of_a_session_never_ask_for_the_date(room: str) -> None:
    for file in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in WALL, f"{file}:{node.lineno}"
