import gc
import threading

import pytest

from avatar_service.transports.heartbeat import Heart

pytestmark = pytest.mark.unit


class Member:
    def __init__(self):
        self.was_beaten = threading.Event()

    def beat(self):
        self.was_beaten.set()


def test_members_beat_until_they_are_removed_and_then_the_thread_ends():
    heart = Heart(interval_secs=0.001)
    one, two = Member(), Member()
    heart.add(one)
    thread = heart._thread
    heart.add(two)
    assert heart._thread is thread
    assert one.was_beaten.wait(10)
    assert two.was_beaten.wait(10)
    heart.remove(one)
    heart.remove(two)
    thread.join(10)
    assert not thread.is_alive()


def test_a_member_that_is_forgotten_does_not_live_on_for_its_beat():
    heart = Heart(interval_secs=0.001)
    member = Member()
    heart.add(member)
    assert member.was_beaten.wait(10)
    thread = heart._thread
    del member
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_the_thread_starts_again_for_the_next_member():
    heart = Heart(interval_secs=0.001)
    first = Member()
    heart.add(first)
    assert first.was_beaten.wait(10)
    heart.remove(first)
    second = Member()
    heart.add(second)
    assert second.was_beaten.wait(10)
    heart.remove(second)
