"""Why a port could not be had is told as the system tells it."""

import socket

import pytest
from fakes.service import running_service

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.connections import unbound

pytestmark = pytest.mark.unit
ELSEWHERE = "192.0.2.1"
"""RFC 5737: an address of documentation, no machine's."""


def test_a_taken_port_is_one_line(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(AvatarError) as fault,
            running_service(tmp_path, listen=listen),
        ):
            pass
    assert fault.value.reason is Reason.INVALID_FIELD
    assert fault.value.message == f"cannot listen on {listen}: Address already in use"


def test_an_address_of_another_machine_is_not_called_taken() -> None:
    fault = unbound(f"{ELSEWHERE}:50551", field="listen")
    assert fault.field == "listen"
    assert fault.message.startswith(f"cannot listen on {ELSEWHERE}:50551: Cannot assign")


def test_a_port_below_1024_tells_that_it_needs_privileges(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    message = unbound("[::1]:80", field="listen").message
    assert message == "cannot listen on [::1]:80: Permission denied"


def test_a_port_that_is_free_by_now_is_said_to_have_been_taken() -> None:
    fault = unbound("127.0.0.1:0", field="listen")
    assert fault.message == "cannot listen on 127.0.0.1:0: it was taken a moment ago; try again"
