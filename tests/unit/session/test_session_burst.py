from fractions import Fraction

import pytest
from rig import EVERYTHING, Rig, received, speech

from avatar_service.session.events import EncodedFrame, SegmentEnded, SegmentStarted
from avatar_service.session.settings import Pacing, SessionSettings
from avatar_service.session.subscriber import Subscriber
from avatar_service.signals import AudioRole, Controls

pytestmark = pytest.mark.unit
MILLI = 1_000_000


def burst(rate: Fraction = Fraction(40)) -> Rig:
    return Rig(SessionSettings(rate=rate, size_px=64, pacing=Pacing.BURST))


@pytest.mark.parametrize("rate", [Fraction(40), Fraction(30000, 1001), Fraction(25)])
def test_a_file_gives_every_frame_of_its_length(rate: Fraction) -> None:
    rig = burst(rate)
    heard = rig.subscribe()
    rig.session.push_audio(speech(1000))
    rig.session.end_segment(AudioRole.SPEAK)
    rig.drain()
    inside = [m for m in rig.outlet.motions if m.pts_nanos < 1000 * MILLI]
    assert len(inside) == -(-rate // 1) if rate.denominator == 1 else 30
    assert len(rig.outlet.motions) - len(inside) <= 1
    assert all(m.speech for m in inside)
    assert received(heard)[-1] == SegmentEnded("1", 1000 * MILLI, 0)


def test_time_stands_still_without_audio() -> None:
    rig = burst()
    rig.clock.advance(millis=5000)
    rig.drain()
    assert rig.outlet.motions == []
    assert rig.session.pts_nanos == 0


def test_an_open_segment_waits_for_more_without_starving() -> None:
    rig = burst()
    heard = rig.subscribe()
    for _ in range(10):
        rig.session.push_audio(speech(100))
        rig.drain()
        rig.clock.advance(millis=900)
    assert rig.session.stats.audio_gaps == 0
    assert received(heard) == [SegmentStarted("1", 0, 0)]
    assert len(rig.outlet.motions) == 39


def test_no_picture_is_dropped_for_a_lossless_reader_however_slow() -> None:
    rig = burst()
    reader = Subscriber(wanted=EVERYTHING, max_frames=4, is_lossless=True)
    rig.fanout.add(reader)
    rig.session.push_audio(speech(2000))
    rig.session.end_segment(AudioRole.SPEAK)
    seen = []
    for _ in range(10_000):
        rig.drain()
        item = reader.take_nowait()
        if item is None:
            break
        if isinstance(item, EncodedFrame):
            seen.append(item.motion.seq)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) in (80, 81)
    assert reader.num_dropped == 0


def test_controls_apply_before_the_first_frame() -> None:
    rig = burst()
    rig.session.set_controls(Controls(distance=0.5))
    rig.drain()
    assert rig.motion.controls_at == [(0, Controls(distance=0.5))]
