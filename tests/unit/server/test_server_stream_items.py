"""What a session tells becomes messages in the units that the contract states."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from avatar_service.gen.avatar.v1 import event_pb2
from avatar_service.server.stream_items import item_message
from avatar_service.session import events

pytestmark = pytest.mark.unit


def test_late_audio_is_told_in_milliseconds() -> None:
    session = SimpleNamespace(gap_nanos_total=1_500_000_000, stats=SimpleNamespace())
    managed = SimpleNamespace(session=session)
    late = events.AudioLate("segment", 7_000_000, 1_062_000_000, 0)
    message = item_message(late, managed, SimpleNamespace())  # type: ignore[arg-type]
    assert message is not None
    assert message.notice.kind == event_pb2.NOTICE_KIND_LATE_AUDIO
    assert (message.notice.count, message.notice.total) == (1062, 1500)
