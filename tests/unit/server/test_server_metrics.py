"""Prometheus metrics: what a scrape holds, and that it agrees with the sessions' own figures."""

import sys
import time
import types
import urllib.request

import pytest
from fakes.service import running_service
from prometheus_client.parser import text_string_to_metric_families
from rpc_tools import Stream, audio, refused

from avatar_service.errors import AvatarError
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.server.gpu_usage import GpuUsage

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("home"), metrics__port=0) as running:
        yield running


def scrape(service) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    url = f"http://127.0.0.1:{service.service.telemetry.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: dict, name: str, **labels: str) -> float:
    return found[(name, tuple(sorted(labels.items())))]


def test_a_scrape_tells_what_the_sessions_did(service) -> None:
    stub = service.stub
    session_id = stub.CreateSession(pb.CreateSessionRequest()).session.session_id
    stream = Stream(stub, session_id)
    stream.send(audio(200))
    stream.until("motion")
    found = scrape(service)
    assert value(found, "avatar_sessions", state="active") == 1
    assert value(found, "avatar_capacity_cores", kind="used") > 0
    stream.close()
    statistics = stub.CloseSession(pb.CloseSessionRequest(session_id=session_id)).statistics
    found = scrape(service)
    published = value(found, "avatar_frames_published_total")
    assert published == statistics.frames_published > 0
    assert value(found, "avatar_frame_latency_seconds_count") == published
    assert value(found, "avatar_frame_latency_seconds_bucket", le="+Inf") == published
    assert value(found, "avatar_first_frame_seconds_count") == 1
    assert value(found, "avatar_sessions", state="active") == 0
    assert value(found, "avatar_sessions_closed_total", reason="CLOSED") == 1
    assert value(found, "avatar_requests_total", method="CreateSession", code="OK") == 1
    assert value(found, "process_open_fds") > 0


def test_refused_calls_are_counted_by_their_reason(service) -> None:
    refused(lambda: service.stub.GetAvatar(pb.GetAvatarRequest(avatar_id="nobody")))
    deadline = time.monotonic() + 5
    while True:
        found = scrape(service)
        name = ("avatar_requests_total", (("code", "AVATAR_NOT_FOUND"), ("method", "GetAvatar")))
        if name in found:
            assert found[name] == 1
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_label_can_hold_what_a_client_chose(service) -> None:
    for (_, labels), _ in scrape(service).items():
        assert {name for name, _ in labels} <= {
            "state", "reason", "method", "code", "kind", "cause", "device", "le", "version",
        }  # fmt: skip


def test_metrics_are_off_by_default_and_a_taken_port_is_said_in_one_line(service, tmp_path) -> None:
    with running_service(tmp_path / "a") as other:
        assert other.service.telemetry.metrics_port is None
    port = service.service.telemetry.metrics_port
    with (
        pytest.raises(AvatarError, match=r"metrics\.port"),
        running_service(tmp_path / "b", metrics__port=port),
    ):
        pass


def fake_nvml(**changes: object) -> types.ModuleType:
    module = types.ModuleType("pynvml")
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetHandleByIndex = lambda index: f"gpu {index}"
    module.nvmlDeviceGetUtilizationRates = lambda handle: types.SimpleNamespace(gpu=40)
    module.nvmlDeviceGetMemoryInfo = lambda handle: types.SimpleNamespace(used=3, total=10)
    for name, function in changes.items():
        setattr(module, name, function)
    return module


def test_gpu_use_is_read_where_there_is_one(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    reading = GpuUsage("cuda:1").read()
    assert reading is not None
    assert (reading.device, reading.busy_share, reading.memory_used_bytes) == ("cuda:1", 0.4, 3)
    assert GpuUsage("cpu").read() is None


def test_a_gpu_that_cannot_be_read_costs_no_scrape(monkeypatch) -> None:
    def lost(handle: object) -> None:
        raise RuntimeError("GPU is lost")

    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(nvmlDeviceGetUtilizationRates=lost))
    usage = GpuUsage("cuda:0")
    assert usage.read() is None
    assert usage.read() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert GpuUsage("cuda:0").read() is None
