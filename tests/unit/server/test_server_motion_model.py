from __future__ import annotations

from fractions import Fraction

import pytest
from avatar_client import InvalidRequestError, connect
from fakes.service import running_service

from avatar_service.config import load_config
from avatar_service.errors import AvatarError
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import control_pb2
from avatar_service.server.main import Service
from avatar_service.server.messages import session_request

pytestmark = pytest.mark.unit


def test_sessions_that_do_not_say_get_the_services_motion_model() -> None:
    def model_of(**controls: str) -> str:
        request = session_request(
            pb.CreateSessionRequest(controls=control_pb2.Controls(**controls)),
            default_rate=Fraction(40),
            default_playout_nanos=150_000_000,
            default_motion_model="rules",
        )
        return request.controls.motion_model

    assert model_of() == "rules"
    assert model_of(motion_model="transformer") == "transformer"


def test_a_client_chooses_the_motion_model(tmp_path) -> None:
    with running_service(tmp_path) as service, connect(service.address) as client:
        with client.open_session(controls={"motion_model": "rules"}):
            pass
        with pytest.raises(InvalidRequestError, match="'magic'; known: mixed, transformer, rules"):
            client.open_session(controls={"motion_model": "magic"})


def test_an_unknown_motion_model_ends_the_start(tmp_path) -> None:
    config = load_config({"home": tmp_path, "motion_model": "magic"}, environ={})
    with pytest.raises(AvatarError, match="'magic'"):
        Service(config)
