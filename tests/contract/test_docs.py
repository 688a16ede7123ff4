"""The documents keep their word: what they tell to type, to open and to set is there.

Commands are parsed by the parser of the command itself, never run.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import avatar_client
import pytest
import typer

from avatar_service.cli.app import app

pytestmark = pytest.mark.contract

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("docs", "engine_clients/python", "engine_clients/unity", "tests")
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")),
]
TEXTS = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in DOCUMENTS}
LISTING = re.compile(r"^(?:    \S.*|```\w*\n.*?^```)$", re.MULTILINE | re.DOTALL)
AVATAR: Any = typer.main.get_command(app)


def listed_lines() -> Iterator[tuple[str, str]]:
    """Yield (document, line) of indented and fenced listings, continued lines joined."""
    for name, text in TEXTS.items():
        for listing in LISTING.findall(text):
            for line in listing.replace("\\\n", " ").splitlines():
                yield name, line.strip()


def inline_code() -> Iterator[tuple[str, str]]:
    for name, text in TEXTS.items():
        for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.S)):
            yield name, re.sub(r"\s+", " ", code)


def words_of(line: str) -> list[str]:
    """Split a line as a shell does; options in [brackets] count, comments do not."""
    text = re.sub(r"[][]", "", line.split(" #")[0]).rstrip().removesuffix(" &").removesuffix(" ...")
    return shlex.split(text.replace(" | ", "|"))


def alternatives(words: list[str]) -> Iterator[list[str]]:
    """Yield one command for each word of a|b|c."""
    for i, word in enumerate(words):
        if re.fullmatch(r"[a-z]+(\|[a-z]+)+", word):
            for one in word.split("|"):
                yield [*words[:i], one, *words[i + 1 :]]
            return
    yield words


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words name, and its arguments. Raises KeyError for none."""
    command, rest = AVATAR, words[1:]
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def test_listed_avatar_commands_are_whole_and_understood() -> None:
    faults, count = [], 0
    for name, line in listed_lines():
        if not re.match(r"(\S*/bin/)?avatar [a-z-]", line):
            continue
        for words in alternatives(words_of(line)):
            count += 1
            try:
                command, arguments = command_of(words)
                command.make_context("avatar", arguments)
            except KeyError as error:
                faults.append(f"{name}: {line}: there is no command {error}")
            except Exception as error:  # Typer brings a Click of its own: its classes vary
                faults.append(f"{name}: {line}: {error}")
    assert count > 40
    assert not faults, "\n".join(faults)


def test_avatar_commands_in_sentences_name_commands_and_options_that_exist() -> None:
    faults, count = [], 0
    for name, code in inline_code():
        if not re.match(r"avatar [a-z-]", code):
            continue
        for words in alternatives(words_of(code)):
            count += 1
            try:
                command, arguments = command_of(words)
            except KeyError as error:
                faults.append(f"{name}: {code}: there is no command {error}")
                continue
            known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
            known |= {"--help", "--install-completion"}
            given = {word.split("=")[0] for word in arguments if word.startswith("-")}
            faults += [f"{name}: {code}: no option {flag}" for flag in sorted(given - known)]
    assert count > 60
    assert not faults, "\n".join(faults)


def test_listed_programs_of_the_repository_exist_and_know_their_options() -> None:
    faults, count = [], 0
    everywhere = [*listed_lines(), *inline_code()]
    for name, line in everywhere:
        for program, tail in re.findall(
            r"\bpython3? (-m tools[.\w]*|[\w/]+\.py)((?: [^#`]*)?)", line
        ):
            if program.startswith("-m "):
                path = ROOT / program.removeprefix("-m ").replace(".", "/")
                sources = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
            else:
                sources = [ROOT / program]
            count += 1
            if not sources or not all(source.is_file() for source in sources):
                faults.append(f"{name}: {line}: there is no {program}")
                continue
            code = "".join(source.read_text("utf-8") for source in sources)
            for flag in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", tail):
                if f'"{flag}"' not in code:
                    faults.append(f"{name}: {line}: {program} has no option {flag}")
    assert count > 15
    assert not faults, "\n".join(faults)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        (name, target)
        for name, line in (*listed_lines(), *inline_code())
        for target in re.findall(r"^make ([a-z]+)", line)
    }
    assert named
    assert sorted(one for one in named if one[1] not in targets) == []


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


def test_links_and_their_anchors_lead_somewhere() -> None:
    faults, count = [], 0
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
            count += 1
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            where = f"{path.relative_to(ROOT)}: {link}"
            if not target.exists():
                faults.append(where)
            elif anchor and anchor not in anchors(target.read_text("utf-8")):
                faults.append(f"{where}: no such heading")
    assert count > 80
    assert not faults, "\n".join(faults)


def test_paths_in_sentences_exist() -> None:
    roots = "avatar_service|docs|engine_clients|protos|tests|tools"
    faults, count = [], 0
    for name, code in inline_code():
        path = re.fullmatch(rf"((?:{roots})/[\w./~-]+)(?:::\w+)?", code)
        if path:
            count += 1
            if not (ROOT / path[1]).exists():
                faults.append(f"{name}: {code}")
    for name, text in TEXTS.items():
        for test in re.findall(r"\btest_\w+\.py\b", text):
            count += 1
            if not any((ROOT / "tests").rglob(test)):
                faults.append(f"{name}: {test}")
    assert count > 60
    assert not faults, "\n".join(faults)


OTHERS_OPTIONS = {
    "--build", "--index-url", "--no-install-recommends", "--preset", "--test-dir",
}  # fmt: skip
"""Of cmake, ctest, pip and apt-get."""


def flags_of(command: Any) -> set[str]:
    own = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    return own.union(*map(flags_of, getattr(command, "commands", {}).values()))


def test_options_in_sentences_are_options_of_something() -> None:
    tools = "".join(
        path.read_text("utf-8")
        for folder in ("tools", "engine_clients/unreal", "engine_clients/godot")
        for path in (ROOT / folder).rglob("*.py")
    )
    known = flags_of(AVATAR) | OTHERS_OPTIONS | {"--help", "--install-completion"}
    told = {
        (name, flag)
        for name, text in TEXTS.items()
        for flag in re.findall(r"(?<![-\w])--[a-z][a-z0-9-]+", text)
    }
    assert len(told) > 80
    assert sorted(one for one in told if one[1] not in known and f'"{one[1]}"' not in tools) == []


def test_python_examples_use_what_the_client_has() -> None:
    blocks = [
        (name, block)
        for name, text in TEXTS.items()
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ]
    owners = {"client": avatar_client.Client, "session": avatar_client.Session}
    faults, count = [], 0
    for name, block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "avatar_client":
                count += len(node.names)
                missing = [one.name for one in node.names if not hasattr(avatar_client, one.name)]
                faults += [f"{name}: avatar_client has no {one}" for one in missing]
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = owners.get(getattr(node.func.value, "id", ""))
            if owner is None:
                continue
            count += 1
            method = getattr(owner, node.func.attr, None)
            if method is None:
                faults.append(f"{name}: {owner.__name__} has no {node.func.attr}")
                continue
            try:
                inspect.signature(method).bind(
                    None, *node.args, **{one.arg: None for one in node.keywords if one.arg}
                )
            except TypeError as error:
                faults.append(f"{name}: {owner.__name__}.{node.func.attr}: {error}")
    assert count > 15
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("group", ["avatars", "bench", "consents", "models", "train"])
def test_the_help_of_a_group_names_its_commands(group: str) -> None:
    command = AVATAR.commands[group]
    told = set(re.findall(r"[a-z]+", command.help))
    assert {name for name in command.commands if name not in told} - {"path"} == set()


def test_settings_and_their_variables_exist() -> None:
    # The page is generated from the code; test_packaging holds that it has not drifted.
    rows = re.findall(
        r"^\| `([\w.]+)` \| `(AVATAR_\w+)` \|", TEXTS["docs/configuration.md"], re.MULTILINE
    )
    settings, variables = map(set, zip(*rows, strict=True))
    sections = {path.split(".")[0] for path in settings if "." in path}
    of_sections = tuple(f"AVATAR_{section.upper()}_" for section in sections)
    faults, count = [], 0
    for name, text in TEXTS.items():
        for path in re.findall(rf"`((?:{'|'.join(sections)})\.[a-z_]+)`", text):
            count += 1
            if path not in settings and not path.endswith(("_pb2", ".md", ".toml", ".proto")):
                faults.append(f"{name}: {path}")
        for variable in re.findall(r"\bAVATAR_[A-Z_]+\b", text):
            if variable.startswith(of_sections):
                count += 1
                if variable not in variables:
                    faults.append(f"{name}: {variable}")
    assert count > 80
    assert not faults, "\n".join(faults)


def test_what_the_native_manual_names_is_in_the_headers() -> None:
    headers = "".join(
        path.read_text("utf-8") for path in (ROOT / "engine_clients/native/include").rglob("*.h")
    )
    cmake = (ROOT / "engine_clients/native/CMakeLists.txt").read_text("utf-8")
    names = set(re.findall(r"\b(?:avatar|AVATAR)_[A-Za-z0-9_]*\w\b", TEXTS["docs/native.md"]))
    assert len(names) > 30
    assert sorted(name for name in names if name not in headers + cmake) == []


def test_unitys_library_goes_where_manual_and_fault_say() -> None:
    package = ROOT / "engine_clients/unity/com.avatarservice.client"
    fault = (package / "Runtime/Interop/NativeLibrary.cs").read_text("utf-8")
    for text in (fault, TEXTS["docs/unity.md"], *(t for n, t in TEXTS.items() if "tion~" in n)):
        assert "Assets/Plugins/x86_64" in text
