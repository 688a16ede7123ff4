"""Compiles the Unity package against the stand-ins of tests/unity_stubs and runs it under Mono."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from native_build import MUST_RUN

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "engine_clients/unity/com.avatarservice.client"
STUBS = ROOT / "tests/unity_stubs"
INSTALL = "apt-get install --no-install-recommends mono-mcs mono-runtime libmono-system-core4.0-cil"
# What Unity 2022.3 accepts and mcs knows: C# 7.2. A warning is an error, as in the editor's own CI.
COMPILER = ("mcs", "-warnaserror", "-unsafe", "-langversion:7.2")
RUNTIME = "AvatarService.Client"
ASSEMBLIES = ("UnityEngine", "UnityEditor", RUNTIME, f"{RUNTIME}.Editor")


def need_mono() -> None:
    """Skip loudly, or fail in CI, where Mono is not installed."""
    if shutil.which("mcs") and shutil.which("mono"):
        return
    message = f"NOT TESTED: the Unity package: Mono is not there; install it by: {INSTALL}"
    if os.environ.get(MUST_RUN):
        pytest.fail(message)
    pytest.skip(message)


def compile_all(out: Path) -> None:
    """Write UnityEngine.dll, the package's assemblies, scenarios.exe and runner.exe to a folder."""
    _compile(out, "UnityEngine.dll", STUBS / "engine", ())
    _compile(out, "UnityEditor.dll", STUBS / "editor", ASSEMBLIES[:1])
    _compile(out, f"{RUNTIME}.dll", PACKAGE / "Runtime", ASSEMBLIES[:1])
    _compile(out, f"{RUNTIME}.Editor.dll", PACKAGE / "Editor", ASSEMBLIES[:3])
    _compile(out, "Samples.dll", PACKAGE / "Samples~", (*ASSEMBLIES[:1], RUNTIME))
    _compile(out, "scenarios.exe", STUBS / "scenarios", (*ASSEMBLIES, "Samples.dll"))
    _compile(out, "runner.exe", STUBS / "nunit", ASSEMBLIES[:1])
    for name, folder in (("Tests", "Editor"), ("PlayTests", "Runtime")):
        source = PACKAGE / "Tests" / folder
        _compile(out, f"{RUNTIME}.{name}.dll", source, (*ASSEMBLIES, "runner.exe"))


def _compile(out: Path, target: str, folder: Path, references: tuple[str, ...]) -> None:
    sources = sorted(str(path) for path in folder.rglob("*.cs"))
    assert sources, folder
    kind = "exe" if target.endswith(".exe") else "library"
    command = [*COMPILER, f"-target:{kind}", f"-out:{target}"]
    for name in references:
        command.append(f"-r:{name}" if name.endswith((".exe", "Samples.dll")) else f"-r:{name}.dll")
    done = subprocess.run(
        ["nice", *command, *sources], cwd=out, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{target}: {done.stdout}{done.stderr}"


def start(
    out: Path, library: Path, program: str, *arguments: str, **environ: str
) -> subprocess.Popen[str]:
    """Start a program; its lines are JSON objects."""
    return subprocess.Popen(
        ["mono", "--debug", program, *arguments],
        cwd=out,
        env={**os.environ, "LD_LIBRARY_PATH": str(library), **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
