"""Background and badge follow the plan of the motion: the last word counts, nothing piles up."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from fakes.motion_stage import FakeMotionStage

from avatar_service.session.control_queue import ControlQueue
from avatar_service.signals import Background, Controls

pytestmark = pytest.mark.unit


class Painter:
    """Remembers what it was given last."""

    background: Background | None = None
    has_badge = False

    def set_background(self, background: Background, color: tuple[int, int, int]) -> None:
        self.background = background

    def set_badge(self, is_shown: bool) -> None:
        self.has_badge = is_shown


def plan(
    queue: ControlQueue, motion: Any, background: Background, pts: int, *, badge: bool = False
) -> None:
    queue.add(Controls(background=background, badge=badge), pts, 0)
    queue.apply_to(motion)


def test_a_change_now_overrules_one_that_was_planned_for_later() -> None:
    queue, painter = ControlQueue(Controls(), has_pictures=True), Painter()
    motion = FakeMotionStage(Fraction(40), Controls(), lookahead_nanos=0)
    plan(queue, motion, Background.TRANSPARENT, 60_000_000_000)
    plan(queue, motion, Background.COLOR, 0)
    queue.set_look(painter, 25_000_000)  # type: ignore[arg-type]
    assert painter.background is Background.COLOR
    queue.set_look(painter, 61_000_000_000)  # type: ignore[arg-type]
    assert painter.background is Background.COLOR


def test_the_badge_comes_and_goes_with_its_frame() -> None:
    queue, painter = ControlQueue(Controls(), has_pictures=True), Painter()
    motion = FakeMotionStage(Fraction(40), Controls(), lookahead_nanos=0)
    plan(queue, motion, Background.KEEP, 50_000_000, badge=True)
    plan(queue, motion, Background.KEEP, 100_000_000)
    shown = []
    for pts in range(0, 150_000_000, 25_000_000):
        queue.set_look(painter, pts)  # type: ignore[arg-type]
        shown.append(painter.has_badge)
    assert shown == [False, False, True, True, False, False]


def test_hours_of_changes_without_pictures_leave_nothing_behind() -> None:
    queue = ControlQueue(Controls(), has_pictures=False)
    motion = FakeMotionStage(Fraction(40), Controls(), lookahead_nanos=0)
    for number in range(1000):
        plan(queue, motion, Background.KEEP, number * 25_000_000)
    assert not queue._looks
