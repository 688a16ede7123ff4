"""The address that the conformance suite of avatar.v1 talks to.

AVATAR_CONFORMANCE_TARGET=HOST:PORT (and AVATAR_CONFORMANCE_TOKEN) name any server; without them
this project's own is started.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest

from avatar_service.gen.avatar.v1 import avatar_service_pb2_grpc


@dataclass(frozen=True)
class Target:
    address: str
    token: str

    def stub(self) -> avatar_service_pb2_grpc.AvatarServiceStub:
        return avatar_service_pb2_grpc.AvatarServiceStub(grpc.insecure_channel(self.address))

    @property
    def metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.token}")] if self.token else []


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    address = os.environ.get("AVATAR_CONFORMANCE_TARGET")
    if address:
        yield Target(address, os.environ.get("AVATAR_CONFORMANCE_TOKEN", ""))
        return
    from avatar_service.session.service_process import ServiceProcess

    options = {"home": str(tmp_path_factory.mktemp("home")), "drain_secs": "0"}
    with ServiceProcess(options) as service:
        yield Target(service.address, "")
        assert service.process.poll() is None, "the server died: " + " / ".join(service.lines)
