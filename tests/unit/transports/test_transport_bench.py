import pytest

from avatar_service.transports.bench import bench_transport

pytestmark = pytest.mark.unit


def test_every_transport_is_measured():
    metrics = bench_transport(frames=8, rate_hz=200.0, size_px=64)
    for name in ("ring", "zmq", "grpc"):
        assert 0 < metrics[f"{name}_p50_us"] <= metrics[f"{name}_p99_us"]
        assert metrics[f"{name}_reader_cpu_us"] > 0
        assert 0 <= metrics[f"{name}_lost"] < 8
