"""`avatar doctor`: what this machine has, what is missing, and what to do about it."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer
from rich.table import Table

from avatar_service.cli.console import out

RING_BYTES_512: Final = 8 * (1 << 20) + (64 << 10)
"""Shared memory of one session at 512x512: eight slots of 1 MiB and their headers."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: state is ok, note (works, could be better) or missing (something will fail)."""

    name: str
    state: str
    fact: str
    remedy: str = ""


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} on {sys.platform}")


def _cores() -> Finding:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("processor", "ok", f"{count} cores: about two live 512x512 avatars per core")


def _devices() -> Iterator[Finding]:
    names = _cuda_names()
    for index, name in enumerate(names):
        yield Finding("gpu", "ok", f"cuda:{index} {name}")
    if not names:
        yield Finding("gpu", "note", "none that CUDA's driver knows: everything runs on the CPU")
    elif importlib.util.find_spec("cupy") is None:
        yield Finding(
            "cupy", "note", "not installed", "pip install 'avatar-service[cuda]' renders on it"
        )


def _cuda_names() -> list[str]:
    """Ask CUDA's driver for its devices (CUDA Driver API: cuInit, cuDeviceGetName)."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return []
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return []
    names = []
    for ordinal in range(count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
        is_told = (
            driver.cuDeviceGet(ctypes.byref(device), ordinal) == 0
            and driver.cuDeviceGetName(name, len(name), device) == 0
        )
        names.append(name.value.decode("utf-8", "replace") if is_told else "unnamed")
    return names


def _shared_memory() -> Finding:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Finding("shared memory", "note", "no /dev/shm: mapped files in the temporary folder")
    free = shutil.disk_usage(folder).free
    fact = f"{free >> 20} MiB free: {free // RING_BYTES_512} sessions at 512x512"
    if free < 2 * RING_BYTES_512:
        remedy = "in a container start it with --shm-size=1g"
        return Finding("shared memory", "missing", fact, remedy)
    return Finding("shared memory", "ok", fact)


def _models() -> Finding:
    from avatar_service.portrait.models import are_models_present, models_dir

    if are_models_present():
        return Finding("landmark models", "ok", str(models_dir()))
    return Finding("landmark models", "missing", "not fetched yet (35 MB)", "avatar models fetch")


def _port() -> Finding:
    from avatar_service.config import DEFAULT_PORT

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            fact = f"{DEFAULT_PORT} is in use (a service may be running)"
            return Finding("port", "note", fact, "avatar serve --listen 127.0.0.1:PORT")
    return Finding("port", "ok", f"{DEFAULT_PORT} is free")


def _folders() -> Iterator[Finding]:
    from avatar_service.config import cache_dir, home_dir

    for name, folder in (("avatars kept in", home_dir()), ("cache", cache_dir())):
        existing = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(existing).free
        if not os.access(existing, os.W_OK):
            yield Finding(name, "missing", f"{folder} cannot be written to", "set AVATAR_HOME")
        elif free < 200 << 20:
            fact = f"{folder}: {free >> 20} MiB free"
            yield Finding(name, "missing", fact, "free some space or set AVATAR_HOME")
        else:
            yield Finding(name, "ok", f"{folder}: {free >> 30} GiB free")


def _codecs() -> Finding:
    import av.codec

    absent = []
    for codec in ("libx264", "aac"):
        try:
            av.codec.Codec(codec, "w")
        except ValueError:
            absent.append(codec)
    if absent:
        fact = f"this PyAV has no {', '.join(absent)}"
        return Finding("video encoder", "missing", fact, "pip install --force-reinstall av")
    return Finding("video encoder", "ok", f"PyAV {av.__version__} with H.264 and AAC")


def _sealing() -> Finding:
    from avatar_service.sealed import can_seal

    if can_seal():
        return Finding("decoders", "ok", "sealed by seccomp: they read, answer and do nothing else")
    fact = "bounded in memory and time, not sealed: no seccomp here"
    return Finding("decoders", "note", fact, "take Linux on x86-64 or ARM64 for strangers' files")


def examine() -> list[Finding]:
    """Look at everything; never raises for what is merely absent."""
    rows: list[Finding] = []
    checks: list[Callable[[], Finding | Iterator[Finding]]] = [
        _python,
        _cores,
        _devices,
        _shared_memory,
        _models,
        _codecs,
        _sealing,
        _port,
        _folders,
    ]
    for check in checks:
        found = check()
        rows.extend([found] if isinstance(found, Finding) else found)
    return rows


def doctor() -> None:
    """Tell what is here and what is missing; exit code 1 when something will fail."""
    rows = examine()
    colors = {"ok": "green", "note": "yellow", "missing": "red"}
    table = Table(title="avatar doctor")
    for heading in ("", "state", "what is here", "what to do"):
        table.add_column(heading)
    for row in rows:
        state = f"[{colors[row.state]}]{row.state}[/]"
        table.add_row(row.name, state, row.fact, row.remedy)
    out.print(table)
    if any(row.state == "missing" for row in rows):
        raise typer.Exit(1)
