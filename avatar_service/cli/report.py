"""How a benchmark says where and when it was measured; the same for every `avatar bench`."""

from __future__ import annotations

import datetime
import errno
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from avatar_service import __version__
from avatar_service.cli.console import out
from avatar_service.errors import AvatarError, Reason
from avatar_service.export.part_file import check_writable

Metrics = Mapping[str, object]


def machine() -> str:
    """Name the processor, its cores in use, the system and Python."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    count = getattr(os, "process_cpu_count", os.cpu_count)()
    return f"{name}, {count} cores, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """Name the commit of the source tree, with + when it has changes; else the version."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        status = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return f"version {__version__}"
    return head + ("+" if status.strip() else "")


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return {"p50", "p95", "p99"} of measured values, rounded to hundredths."""
    if not values:
        return {}
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "p99": round(float(p99), 2)}


def print_figures(
    title: str, figures: Metrics, caption: str = "", targets: Mapping[str, str] | None = None
) -> None:
    """Print a table of names, values and, where given, what they should be.

    Nested figures get dotted names; their target is that of the last part of the name.
    """
    table = Table(title=title, caption=caption)
    table.add_column("metric")
    table.add_column("value", justify="right")
    if targets:
        table.add_column("target", justify="right")
    for name, value in flatten(figures).items():
        row = [name, f"{value:.4g}" if isinstance(value, float) else str(value)]
        if targets:
            row.append(targets.get(name.rpartition(".")[2], ""))
        table.add_row(*row)
    out.print(table)


def publish(
    title: str,
    metrics: Metrics,
    json_path: Path | None,
    *,
    details: Metrics | None = None,
    targets: Mapping[str, str] | None = None,
) -> None:
    """Print the table of a benchmark and write it as JSON where asked.

    The file holds {"machine", "date", "commit", "metrics"}; nested metrics keep their nesting.
    Details are written beside the metrics, but not printed.
    """
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    where = {"machine": machine(), "date": date, "commit": commit()}
    print_figures(title, metrics, f"{where['machine']}; {date}; {where['commit']}", targets)
    if json_path is not None:
        check_writable(json_path)
        written = {**where, "metrics": {**metrics, **(details or {})}}
        write_json(json_path, written)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON, whole or not at all.

    Raises:
        AvatarError: INVALID_FILE, or STORAGE_EXHAUSTED where the disk is full.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        is_full = error.errno == errno.ENOSPC
        reason = Reason.STORAGE_EXHAUSTED if is_full else Reason.INVALID_FILE
        raise AvatarError(reason, f"cannot write {path}: {error.strerror}") from error


def flatten(metrics: Metrics, prefix: str = "") -> dict[str, object]:
    """Turn nested metrics into dotted names: {"a": {"b": 1}} to {"a.b": 1}."""
    flat: dict[str, object] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
