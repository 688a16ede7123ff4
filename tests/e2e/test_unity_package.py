"""The Unity package as files: what Unity needs beside code that compiles."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "engine_clients/unity/com.avatarservice.client"
MAX_LINES = 200
GENERATED = {"RingLayout.cs"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.cs"))


def test_every_imported_file_has_its_meta_file() -> None:
    done = subprocess.run(
        [sys.executable, str(PACKAGE.parent / "gen_meta.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    guids = [re.findall("guid: (.*)", path.read_text())[0] for path in PACKAGE.rglob("*.meta")]
    assert len(guids) == len(set(guids)) > len(sources()) // 2


def test_the_manifest_fits_what_is_there() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text())
    assert manifest["name"] == PACKAGE.name
    code = (PACKAGE / "Runtime/Internal/PackageInfo.cs").read_text()
    assert f'Version = "{manifest["version"]}"' in code
    assert f"## [{manifest['version']}]" in (PACKAGE / "CHANGELOG.md").read_text()
    for sample in manifest["samples"]:
        assert list((PACKAGE / sample["path"]).glob("*.cs")), sample
    assert {s["path"] for s in manifest["samples"]} == {
        f"Samples~/{path.name}" for path in (PACKAGE / "Samples~").iterdir()
    }


def test_assembly_definitions_refer_to_each_other() -> None:
    names = {}
    for path in PACKAGE.rglob("*.asmdef"):
        definition = json.loads(path.read_text())
        assert path.stem == definition["name"]
        names[definition["name"]] = definition
    friends = (PACKAGE / "Runtime/AssemblyInfo.cs").read_text()
    for name, definition in names.items():
        ours = {r for r in definition["references"] if r.startswith("AvatarService")}
        assert ours <= set(names)
        assert name == "AvatarService.Client" or f'"{name}"' in friends


def test_files_are_short() -> None:
    long = {
        path.name: count
        for path in sources()
        if path.name not in GENERATED and (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long


@pytest.mark.parametrize(
    ("document", "example"),
    [
        ("docs/unity.md", PACKAGE / "Samples~/TenLines/Npc.cs"),
        ("docs/godot.md", ROOT / "engine_clients/godot/demo/npc.gd"),
    ],
)
def test_the_documented_example_is_the_code_that_the_tests_run(
    document: str, example: Path
) -> None:
    assert example.read_text() in (ROOT / document).read_text()
