"""docs/security.md keeps its word: each row's test exists, and every fuzzing target is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from avatar_service.server.access import Scope
from tools.fuzz.targets import TARGETS

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/security.md").read_text("utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|") and "::" in line]


def test_every_row_names_a_test_that_exists() -> None:
    assert len(ROWS) > 30
    for row in ROWS:
        file, name = re.search(r"\| (tests/\S+\.py)::(\w+) \|$", row).groups()
        source = (ROOT / file).read_text("utf-8")
        assert f"def {name}(" in source, f"{file} has no {name}"


def test_every_threat_has_a_row_that_holds_it() -> None:
    table = TEXT.split("| threat |")[1].split("\n\n")[0].splitlines()[2:]
    assert table == ROWS


def test_every_scope_and_target_is_told() -> None:
    assert all(f"| {scope} |" in TEXT for scope in Scope)
    targets = TEXT.split("Targets: ")[1].split(".")[0]
    assert targets.split(", ") == list(TARGETS)
