"""The log's two forms, request ids, and what must never stand in either."""

import io
import json
import logging

import grpc
import pytest
from fakes.service import running_service
from rpc_tools import details_of, refused

from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.server import logs
from avatar_service.server.request_context import begin_request, current_request_id

pytestmark = pytest.mark.unit


def record(message: str = "hello %s", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("avatar", logging.INFO, "here.py", 1, message, args or ("you",), None)
    made.__dict__.update(extra)
    return made


def test_json_lines_hold_time_level_logger_message_and_facts() -> None:
    line = json.loads(logs.JsonFormatter().format(record(method="GetAvatar", millis=1.5, name2=1)))
    assert line["message"] == "hello you"
    assert line["level"] == "info"
    assert line["time"].endswith("Z")
    assert (line["method"], line["millis"]) == ("GetAvatar", 1.5)
    assert "name2" not in line


@pytest.mark.parametrize("form", [logs.JsonFormatter(), logs.TextFormatter()])
def test_an_exceptions_own_text_is_left_out(form: logging.Formatter) -> None:
    text = "Jane Doe's secret"
    try:
        raise ValueError(text)
    except ValueError as fault:
        made = record()
        made.exc_info = (ValueError, fault, fault.__traceback__)
    line = form.format(made)
    assert "Jane" not in line
    assert "ValueError" in line
    assert "test_server_logs.py" in line


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        ("0123abcd-0123-4567-89ab-0123456789ab", True),
        ("jane@example.org", False),
        ("abc", False),
        ("a" * 99, False),
        (b"0123abcd", False),
        ("12345678\nINJECTED", False),
    ],
)
def test_a_clients_request_id_is_taken_only_if_it_can_hold_nothing(given, is_taken) -> None:
    taken = begin_request([("x-request-id", given)])
    assert (taken == given) is is_taken
    assert taken == current_request_id()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


def test_a_faulty_answer_carries_the_id_that_the_log_has(service) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        request = pb.GetAvatarRequest(avatar_id="nobody")
        metadata = (("x-request-id", "feedbeef-01"),)
        error = refused(lambda: service.stub.GetAvatar(request, metadata=metadata))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert dict(error.trailing_metadata())["x-request-id"] == "feedbeef-01"
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (line,) = [one for one in lines if one.get("method") == "GetAvatar"]
    assert (line["request_id"], line["code"]) == ("feedbeef-01", "AVATAR_NOT_FOUND")
    assert "nobody" not in stream.getvalue()


def test_a_bug_is_found_in_the_log_by_the_id_of_the_answer(service, caplog) -> None:
    from rpc_tools import photo_parts

    error = refused(lambda: service.stub.CreateAvatar(photo_parts(b"bug")))
    assert error.code() == grpc.StatusCode.INTERNAL
    request_id = details_of(error)["ErrorInfo"].metadata["request_id"]
    assert request_id in caplog.text
