import sys

import pytest

from avatar_service.transports.bench import bench_transport

pytestmark = pytest.mark.unit


def test_every_transport_is_measured():
    parts: list[str] = []
    metrics = bench_transport(frames=8, rate_hz=200.0, size_px=64, advance=parts.append)
    assert metrics["reader"] == "python"
    for name in ("ring", "zmq", "grpc", "iceoryx2", "ring_8"):
        assert 0 < metrics[f"{name}_p50_us"] <= metrics[f"{name}_p99_us"]
        assert metrics[f"{name}_reader_cpu_us"] > 0
        assert 0 <= metrics[f"{name}_lost"] < 8 * 8
    assert metrics["ring_8_per_1_publish_cpu"] > 0
    assert parts[0] == "ring"


def test_without_iceoryx2_its_column_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "iceoryx2", None)
    monkeypatch.setattr("avatar_service.transports.bench_iceoryx2.is_installed", lambda: False)
    metrics = bench_transport(frames=8, rate_hz=400.0, size_px=16)
    assert not [name for name in metrics if name.startswith("iceoryx2")]
