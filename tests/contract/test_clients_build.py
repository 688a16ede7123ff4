"""`make clients` builds what it can, says what it cannot with the apt line, repeats nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.clients import __main__ as command
from tools.clients import parts
from tools.clients.parts import BuildFailed, MissingTool

pytestmark = pytest.mark.contract

ROOT = Path(__file__).resolve().parents[2]


def test_every_client_has_a_build() -> None:
    names = set(command.BUILDS)
    assert {"native-system", "native-asan", "native-tsan", "native-mingw"} <= names
    assert {"unity", "unreal-g++", "unreal-clang++", "godot"} <= names


def test_the_rest_is_built_where_a_tool_is_missing_and_the_apt_line_stands_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []

    def lacks() -> None:
        parts.need("the odd client", "apt-get install oddc", ["oddc"])

    monkeypatch.setattr(command, "BUILDS", {"odd": lacks, "plain": lambda: made.append("plain")})
    assert command.build(["odd", "plain"]) == 2
    assert made == ["plain"]
    said = capsys.readouterr()
    assert "odd ... NOT BUILT" in said.out
    line = "NOT BUILT: the odd client: oddc is not there; install it by: apt-get install oddc"
    assert said.err.splitlines()[-1] == line


def test_what_does_not_compile_fails_with_the_compilers_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks() -> None:
        parts.run([sys.executable, "-c", "import sys; sys.exit('line 3: no such thing')"])

    monkeypatch.setattr(command, "BUILDS", {"broken": breaks})
    assert command.build(["broken"]) == 1
    assert "line 3: no such thing" in capsys.readouterr().err


def test_a_command_that_fails_is_a_build_that_failed() -> None:
    with pytest.raises(BuildFailed, match="oh no"):
        parts.run([sys.executable, "-c", "print('oh no'); raise SystemExit(3)"])
    with pytest.raises(MissingTool, match="apt-get install x"):
        parts.need("x", "apt-get install x", ["no-such-program"])


def test_a_build_is_repeated_when_an_input_or_an_option_changes(tmp_path: Path) -> None:
    source = tmp_path / "source.c"
    source.write_text("int x;")
    first = parts.digest([source], "-O0")
    parts.set_built(tmp_path, first)
    assert parts.is_built(tmp_path, parts.digest([source], "-O0"))
    assert not parts.is_built(tmp_path, parts.digest([source], "-O1"))
    source.write_text("int y;")
    assert not parts.is_built(tmp_path, parts.digest([source], "-O0"))


def test_the_command_runs_without_the_virtual_environment() -> None:
    """A clean clone has no .venv: the standard library has to do (-S: nothing else is seen)."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tools.clients", "no-such-client"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "there is no client no-such-client" in done.stderr
