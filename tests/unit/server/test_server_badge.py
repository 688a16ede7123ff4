"""The visible badge as a session's control, from the client to the renderer."""

from __future__ import annotations

import time

import pytest
from avatar_client import Consent, connect
from fakes.renderer import FakeRenderer
from fakes.service import FakeStages, running_service

from avatar_service.gen.avatar.v1 import event_pb2

pytestmark = pytest.mark.unit


def test_a_client_shows_and_hides_the_badge_while_the_face_runs(tmp_path, monkeypatch) -> None:
    made: list[FakeRenderer] = []

    def make_renderer(self: FakeStages, request: object) -> FakeRenderer:
        made.append(FakeRenderer())
        return made[-1]

    monkeypatch.setattr(FakeStages, "make_renderer", make_renderer)
    with running_service(tmp_path) as service, connect(service.address) as client:
        avatar = client.create_avatar(b"photo", Consent("A. Person", "my own photo"))
        options = {"size_px": 256, "transport": "grpc"}
        with client.open_session(avatar.avatar_id, controls={"badge": True}, **options) as session:
            (renderer,) = made
            assert renderer.has_badge
            session.set_controls(badge=False)
            deadline = time.monotonic() + 20
            event = session.next_event(1)
            while not isinstance(event, event_pb2.ControlApplied):
                assert time.monotonic() < deadline
                event = session.next_event(1)
            assert event.controls.HasField("badge")
            assert not event.controls.badge
            while (frame := session.next_frame(5)).pts_nanos < event.pts_nanos:
                assert frame is not None
            assert not renderer.has_badge
