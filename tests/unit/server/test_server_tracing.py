"""Traces: a span a request, a session, a segment; nothing that a client chose."""

import pytest
from fakes.service import running_service
from rpc_tools import Stream, audio

from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb

pytest.importorskip("opentelemetry.sdk", reason="NOT TESTED: pip install avatar-service[telemetry]")
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from avatar_service.server import telemetry
from avatar_service.server.tracing import Tracing

pytestmark = pytest.mark.unit

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter(monkeypatch):
    made = InMemorySpanExporter()
    monkeypatch.setattr(telemetry, "Tracing", lambda endpoint: Tracing(endpoint, exporter=made))
    return made


def test_a_session_leaves_its_spans_and_no_name(exporter, tmp_path) -> None:
    endpoint = "http://127.0.0.1:4317"
    with running_service(tmp_path, traces__endpoint=endpoint) as service:
        stub, metadata = service.stub, (("traceparent", PARENT),)
        made = stub.CreateSession(pb.CreateSessionRequest(), metadata=metadata)
        session_id = made.session.session_id
        stream = Stream(stub, session_id)
        stream.send(audio(100, segment_id="Jane's birthday"))
        stream.half_close()
        stream.rest()
        stub.CloseSession(pb.CloseSessionRequest(session_id=session_id))
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {"CreateSession", "Animate", "CloseSession", "session", "first frame"} <= set(spans)
    request = spans["CreateSession"]
    assert format(request.context.trace_id, "032x") == PARENT.split("-")[1]
    assert request.attributes["rpc.outcome"] == "OK"
    session, segment = spans["session"], spans["segment"]
    assert segment.parent.span_id == session.context.span_id
    assert segment.attributes["avatar.interrupted"] is False
    assert session.attributes["avatar.frames"] > 0
    assert session.attributes["avatar.end_reason"] == "CLOSED"
    assert session.start_time <= spans["first frame"].start_time <= spans["first frame"].end_time
    everything = " ".join(span.to_json() for span in exporter.get_finished_spans())
    assert "Jane" not in everything
    assert session_id not in everything


def test_without_an_endpoint_nothing_is_traced(exporter, tmp_path) -> None:
    with running_service(tmp_path) as service:
        service.stub.GetServerInfo(pb.GetServerInfoRequest())
    assert exporter.get_finished_spans() == ()


def test_spans_reach_a_collector_over_the_wire() -> None:
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc")
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    received: list[str] = []

    class Collector(service.TraceServiceServicer):
        def Export(self, request, context):
            for resource in request.resource_spans:
                received.extend(span.name for scope in resource.scope_spans for span in scope.spans)
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    service.add_TraceServiceServicer_to_server(Collector(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    tracing = Tracing(f"http://127.0.0.1:{port}")
    tracing.request("GetAvatar", "feedbeef", ()).end()
    tracing.close()
    server.stop(None)
    assert received == ["GetAvatar"]
