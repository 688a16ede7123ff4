"""The README keeps its word: its error table is the code's, its folders and pictures exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from avatar_service.errors import ANSWERS, Reason

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_error_table_is_the_one_of_the_code() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \| ([A-Z_]+) \| (yes)? ?\|", README, re.MULTILINE)
    told = {reason: (code, bool(retry)) for reason, code, retry in rows}
    assert told == {
        reason.value: (ANSWERS[reason].code, ANSWERS[reason].retry_secs is not None)
        for reason in Reason
    }


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"(?:^ {4}|`)make ([a-z]+)", README, re.MULTILINE))
    assert targets >= {"demo", "test", "lint"}
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.MULTILINE)] == []


EXAMPLES = {
    "csharp": "engine_clients/unity/com.avatarservice.client/Samples~/TenLines/Npc.cs",
    "cpp": "engine_clients/unreal/Example/TalkingActor.cpp",
    "gdscript": "engine_clients/godot/demo/npc.gd",
    "c": "engine_clients/native/examples/speak.c",
}


@pytest.mark.parametrize("language", EXAMPLES)
def test_its_engine_examples_are_the_code_that_the_tests_run(language: str) -> None:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    code = (ROOT / EXAMPLES[language]).read_text("utf-8")
    without_indent = re.sub(r"^ {2}", "", code, flags=re.MULTILINE)
    assert blocks[0].strip() in (code if language != "c" else without_indent)
