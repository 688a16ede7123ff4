"""Backgrounds follow the same plan as the motion: the last word counts, and nothing piles up."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from fakes.motion_stage import FakeMotionStage

from avatar_service.session.control_queue import ControlQueue
from avatar_service.signals import Background, Controls

pytestmark = pytest.mark.unit


class Painter:
    """Remembers the background it was given last."""

    background: Background | None = None

    def set_background(self, background: Background, color: tuple[int, int, int]) -> None:
        self.background = background


def plan(queue: ControlQueue, motion: Any, background: Background, pts: int) -> None:
    queue.add(Controls(background=background), pts, 0)
    queue.apply_to(motion)


def test_a_change_now_overrules_one_that_was_planned_for_later() -> None:
    queue, painter = ControlQueue(Controls(), has_pictures=True), Painter()
    motion = FakeMotionStage(Fraction(40), Controls(), lookahead_nanos=0)
    plan(queue, motion, Background.TRANSPARENT, 60_000_000_000)
    plan(queue, motion, Background.COLOR, 0)
    queue.set_background(painter, 25_000_000)  # type: ignore[arg-type]
    assert painter.background is Background.COLOR
    queue.set_background(painter, 61_000_000_000)  # type: ignore[arg-type]
    assert painter.background is Background.COLOR


def test_hours_of_changes_without_pictures_leave_nothing_behind() -> None:
    queue = ControlQueue(Controls(), has_pictures=False)
    motion = FakeMotionStage(Fraction(40), Controls(), lookahead_nanos=0)
    for number in range(1000):
        plan(queue, motion, Background.KEEP, number * 25_000_000)
    assert not queue._backgrounds
