"""The Unity package, compiled by mcs against the stand-ins of tests/unity_stubs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tools.clients.parts import BUILD, CLIENTS, STUBS, build_once, need, run

PACKAGE: Final = CLIENTS / "unity/com.avatarservice.client"
UNITY_STUBS: Final = STUBS / "unity_stubs"
INSTALL: Final = (
    "apt-get install --no-install-recommends mono-mcs mono-runtime libmono-system-core4.0-cil"
)
# What Unity 2022.3 accepts and mcs knows: C# 7.2. A warning is an error, as in the editor's own CI.
COMPILER: Final = ("mcs", "-warnaserror", "-unsafe", "-langversion:7.2")
RUNTIME: Final = "AvatarService.Client"
_ASSEMBLIES: Final = ("UnityEngine", "UnityEditor", RUNTIME, f"{RUNTIME}.Editor")
_TARGETS: Final = (
    ("UnityEngine.dll", UNITY_STUBS / "engine", ()),
    ("UnityEditor.dll", UNITY_STUBS / "editor", _ASSEMBLIES[:1]),
    (f"{RUNTIME}.dll", PACKAGE / "Runtime", _ASSEMBLIES[:1]),
    (f"{RUNTIME}.Editor.dll", PACKAGE / "Editor", _ASSEMBLIES[:3]),
    ("Samples.dll", PACKAGE / "Samples~", (*_ASSEMBLIES[:1], RUNTIME)),
    ("scenarios.exe", UNITY_STUBS / "scenarios", (*_ASSEMBLIES, "Samples.dll")),
    ("runner.exe", UNITY_STUBS / "nunit", _ASSEMBLIES[:1]),
    (f"{RUNTIME}.Tests.dll", PACKAGE / "Tests/Editor", (*_ASSEMBLIES, "runner.exe")),
    (f"{RUNTIME}.PlayTests.dll", PACKAGE / "Tests/Runtime", (*_ASSEMBLIES, "runner.exe")),
)


def build_unity() -> Path:
    """Compile package, samples, tests, and the programs that run them; return their folder.

    Raises:
        MissingTool: Mono is not there.
        BuildFailed: something does not compile.
    """
    need("the Unity package", INSTALL, ("mcs", "mono"))
    out = BUILD / "unity"

    def sources() -> list[Path]:
        return [path for _, folder, _ in _TARGETS for path in folder.rglob("*.cs")]

    def build() -> None:
        for target, folder, references in _TARGETS:
            _compile(out, target, folder, references)

    build_once(out, sources, build, COMPILER, _TARGETS)
    return out


def _compile(out: Path, target: str, folder: Path, references: tuple[str, ...]) -> None:
    kind = "exe" if target.endswith(".exe") else "library"
    command: list[str | Path] = [*COMPILER, f"-target:{kind}", f"-out:{target}"]
    for name in references:
        command.append(f"-r:{name}" if name.endswith((".exe", "Samples.dll")) else f"-r:{name}.dll")
    run([*command, *sorted(folder.rglob("*.cs"))], out)
