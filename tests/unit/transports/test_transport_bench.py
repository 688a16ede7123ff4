import sys
from pathlib import Path

import pytest

from avatar_service.transports import bench
from avatar_service.transports.bench import Taken, bench_transport
from avatar_service.transports.shared_memory import default_folder

pytestmark = pytest.mark.unit


def left_behind() -> set[Path]:
    return set(Path("/tmp").glob("iceoryx2*")) | set(default_folder().glob("avatar-bench-*"))


def test_every_transport_is_measured(monkeypatch):
    before = left_behind()
    monkeypatch.setattr(bench, "NUM_MANY", 3)
    parts: list[str] = []
    metrics = bench_transport(frames=8, rate_hz=200.0, size_px=64, advance=parts.append)
    assert metrics["reader"] == "python"
    for name in ("ring", "zmq", "grpc", "iceoryx2", "ring_3"):
        assert 0 < metrics[f"{name}_p50_us"] <= metrics[f"{name}_p99_us"]
        assert metrics[f"{name}_reader_cpu_us"] > 0
        assert 0 <= metrics[f"{name}_lost"] < 8 * 3
    assert metrics["ring_3_per_1_publish_cpu"] > 0
    assert parts[0] == "ring"
    assert left_behind() == before


def test_without_iceoryx2_its_column_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "iceoryx2", None)
    monkeypatch.setattr("avatar_service.transports.bench_iceoryx2.is_installed", lambda: False)
    measured: list[str] = []

    def measure(name: str, *_: object, **__: object) -> Taken:
        measured.append(name)
        return Taken([1.0], 1.0, 1, [1.0], 1)

    monkeypatch.setattr(bench, "_measure", measure)
    metrics = bench_transport(frames=8, rate_hz=400.0, size_px=16)
    assert {"ring", "zmq", "grpc"} == set(measured)
    assert not [name for name in metrics if name.startswith("iceoryx2")]
