"""Figures that documents tell are those of docs/figures: a run that is told twice drifts twice."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.contract

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def measured(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"docs/figures/{name}.json").read_text("utf-8"))


def test_the_commit_before_a_link_to_figures_is_theirs() -> None:
    faults, count = [], 0
    for path in DOCUMENTS:
        for paragraph in path.read_text("utf-8").split("\n\n"):
            for link in re.finditer(r"\]\((?:\.\./|docs/)?figures/(\w+)\.json\)", paragraph):
                commits = re.findall(r"commit ([0-9a-f]{7})", paragraph[: link.start()])
                count += len(commits[-1:])
                if commits and commits[-1] != measured(link[1])["commit"].rstrip("+"):
                    faults.append(f"{path.name}: {link[1]}.json is not of commit {commits[-1]}")
    assert count > 6
    assert faults == []


def test_speed_of_exports() -> None:
    text = (ROOT / "docs/export.md").read_text("utf-8").split("## Speed")[1].split("\n## ")[0]
    told = [float(number) for number in re.findall(r"\| (\d+)x(?= \|)", text)]
    metrics = measured("export")["metrics"]
    assert told == pytest.approx(list(metrics.values()), abs=0.51)  # the same order; rounded
    assert f"| {metrics['speech_to_livelink_x.mixed']:.0f} times real time |" in README


def test_frame_and_service() -> None:
    frame, one, four, long = (
        measured(name)["metrics"]
        for name in ("render", "service", "service_4", "service_10_minutes")
    )
    latency = f"{one['latency_ms_p50']:.0f} ms median, {one['latency_ms_p99']:.0f} ms p99"
    rows = [
        f"| {frame['frame_ms_p50']:.1f} ms median, {frame['frame_ms_p99']:.1f} ms p99 |",
        f"| {latency}, {one['latency_ms_max']:.0f} ms at most |",
        f"| {one['late_frames']:.0f} of {one['frames']:,.0f}; "
        f"{long['late_frames']:.0f} of {long['frames']:,.0f} ",
        f"| {four['latency_ms_p50']:.0f} ms median, {four['latency_ms_p99']:.0f} ms p99; "
        f"{four['late_frames']:.0f} of {four['frames']:,.0f} |",
        f"| {one['cpu_ms_per_frame']:.1f} and {four['cpu_ms_per_frame']:.1f} ms |",
    ]
    assert [row for row in rows if row not in README] == []
    vasa = (ROOT / "docs/vasa-1.md").read_text("utf-8")
    told = [
        f"{frame['frame_ms_p50']:.1f} ms a frame on one core",
        f"without a late frame in {four['frames']:,.0f}",
        f"{latency} from pushing",
    ]
    assert [text for text in told if text not in vasa] == []


def test_ways_of_frames() -> None:
    metrics = measured("transport")["metrics"]
    text = (ROOT / "docs/native.md").read_text("utf-8")
    for name, way in {
        "floor": "floor",
        "ring": "ring",
        "ring_zero_copy": "ring, read in place",
        "ring_8": "ring, eight readers",
        "iceoryx2": "iceoryx2 (Python reader)",
        "zmq": "ZeroMQ, ipc",
        "grpc": "gRPC",
    }.items():
        (row,) = re.findall(rf"^\| {re.escape(way)} \| (.*) \|$", text, re.MULTILINE)
        for cell, figure in zip(
            row.split(" | "), ("p50_us", "p99_us", "reader_cpu_us", "publish_cpu_us"), strict=True
        ):
            number, unit = re.match(r"([\d.]+) (us|ms)", cell).groups()
            scale, digits = (1e3, 1) if unit == "ms" else (1, 0)
            value = metrics[f"{name}_{figure}"] / scale
            assert float(number) == pytest.approx(value, abs=0.51 * 10**-digits), (way, figure)
    ring = f"{metrics['ring_p50_us']:.0f} us median, {metrics['ring_p99_us']:.0f} us p99"
    assert f"| {ring}; " in README
