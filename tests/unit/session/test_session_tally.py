from types import SimpleNamespace

import numpy as np
import pytest

from avatar_service.errors import Reason
from avatar_service.session.stats import SessionStats
from avatar_service.session.tally import CLOSED_NORMALLY, Distribution, ServiceTally

pytestmark = pytest.mark.unit


def managed(name: str = "a") -> SimpleNamespace:
    session = SimpleNamespace(stats=SessionStats(40.0), fanout=SimpleNamespace(num_dropped=0))
    return SimpleNamespace(session_id=name, session=session, asked_at_nanos=1_000_000)


def publish(one: SimpleNamespace, count: int, latency_ms: float = 30.0) -> None:
    for _ in range(count):
        one.session.stats.frames += 1
        one.session.stats.note_published(121_000_000)
        one.session.stats.publish_ms.add(latency_ms)
        one.session.stats.render_ms.add(3.5)


def test_nothing_is_counted_twice_and_nothing_is_lost_at_the_end() -> None:
    tally, one = ServiceTally(), managed()
    tally.open(one)
    publish(one, 40)
    tally.follow(one)
    tally.follow(one)
    publish(one, 25)
    one.session.stats.late_tally.add()
    tally.close(one, None)
    tally.close(one, None)
    tally.follow(one)
    read = tally.read()
    assert (read.totals.published, read.totals.late) == (65, 1)
    assert read.latency_ms.counts.sum() == read.render_ms.counts.sum() == 65
    assert read.latency_ms.total == pytest.approx(65 * 30)
    assert read.first_frame_ms.counts.sum() == 1
    assert read.first_frame_ms.total == pytest.approx(120)
    assert (read.opened, read.closed) == (1, {CLOSED_NORMALLY: 1})


def test_sessions_add_up_and_ends_are_told_apart() -> None:
    tally, sessions = ServiceTally(), [managed("a"), managed("b")]
    for one in sessions:
        tally.open(one)
        publish(one, 10)
    tally.close(sessions[0], Reason.BUG)
    tally.follow(sessions[1])
    read = tally.read()
    assert read.totals.published == 20
    assert read.closed == {CLOSED_NORMALLY: 0, "BUG": 1}


def test_a_late_sweep_misses_values_but_no_totals() -> None:
    tally, one = ServiceTally(), managed()
    tally.open(one)
    publish(one, 1000)  # the window holds 400
    tally.follow(one)
    read = tally.read()
    assert read.totals.published == 1000
    assert read.latency_ms.counts.sum() == 400


def test_a_value_on_a_bound_counts_below_it() -> None:
    distribution = Distribution((1.0, 2.0))
    distribution.add(np.array([0.5, 1.0, 1.5, 2.0, 9.0]))
    assert distribution.counts.tolist() == [2, 2, 1]


def test_newest_values_are_those_of_the_window() -> None:
    stats = SessionStats(1.0)  # a window of ten
    for value in range(25):
        stats.publish_ms.add(value)
    assert sorted(stats.publish_ms.newest(3)) == [22, 23, 24]
    assert sorted(stats.publish_ms.newest(100)) == list(range(15, 25))
    assert stats.publish_ms.newest(0).size == 0
