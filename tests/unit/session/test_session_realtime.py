import gc
import weakref
from fractions import Fraction

import pytest
from fakes import FakeRenderer
from rig import EVERYTHING, Rig, received, speech, tone

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone
from avatar_service.session.events import (
    AudioEcho,
    AudioLate,
    ControlsApplied,
    FramesLate,
    FramesSkipped,
    Interrupted,
    PhonesIgnored,
    SegmentEnded,
    SegmentStarted,
    SessionEnded,
    SessionEnding,
)
from avatar_service.session.phones import check_phones
from avatar_service.session.settings import SessionSettings
from avatar_service.signals import AudioRole, Background, Controls, MotionFrame

pytestmark = pytest.mark.unit
MILLI = 1_000_000


def test_idle_life_goes_on_at_the_frame_rate_without_audio() -> None:
    rig = Rig()
    rig.run(1000 + 60)
    assert [m.pts_nanos for m in rig.outlet.motions] == [k * 25 * MILLI for k in range(41)]
    assert rig.outlet.numbers == list(range(1, 42))
    assert rig.session.stats.late == 0


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(1), Fraction(120)])
def test_rational_rates_stay_on_their_grid(rate: Fraction) -> None:
    rig = Rig(SessionSettings(rate=rate, size_px=64))
    rig.run(5060)
    num = len(rig.outlet.motions)
    assert num == int(5 * rate) + 1
    pts = [k * 10**9 * rate.denominator // rate.numerator for k in range(num)]
    assert [m.pts_nanos for m in rig.outlet.motions] == pts


def test_a_frame_is_out_one_lookahead_and_one_margin_after_its_pts() -> None:
    rig = Rig()
    rig.run(500)
    delays = [
        at - rig.start - m.pts_nanos
        for at, m in zip(rig.outlet.published_at, rig.outlet.motions, strict=True)
    ]
    assert set(delays) == {60 * MILLI}


def test_live_chunks_come_out_without_a_gap_and_at_their_place() -> None:
    rig = Rig()
    heard = rig.subscribe()
    rig.run(333)
    for _ in range(25):
        rig.session.push_audio(speech(20))
        rig.run(20)
    rig.session.end_segment(AudioRole.SPEAK)
    rig.run(300)
    started, ended = received(heard)
    assert started == SegmentStarted("1", 333 * MILLI, 0)
    assert ended == SegmentEnded("1", 833 * MILLI, 0)
    talking = [m.pts_nanos // MILLI for m in rig.outlet.motions if m.speech]
    assert talking == list(range(350, 833, 25))
    assert rig.session.stats.audio_gaps == 0


def test_jitter_within_the_margin_makes_no_gap() -> None:
    rig = Rig()
    for wait in [20, 35, 5, 38, 2, 20] * 5:
        rig.session.push_audio(speech(20))
        rig.run(wait)
    assert rig.session.stats.audio_gaps == 0


def test_the_resamplers_lag_does_not_eat_the_margin() -> None:
    rig = Rig()
    for wait in [20, 35, 5, 38, 2, 20] * 5:
        rig.session.push_audio(speech(20, data=tone(20, rate=44_100), sample_rate_hz=44_100))
        rig.run(wait)
    assert rig.session.stats.audio_gaps == 0


def test_a_starved_segment_is_told_and_continues() -> None:
    rig = Rig()
    heard = rig.subscribe()
    rig.session.push_audio(speech(100))
    rig.run(300)
    rig.session.push_audio(speech(100))
    rig.session.end_segment(AudioRole.SPEAK)
    rig.run(300)
    gaps = received(heard, AudioLate)
    assert gaps == [
        AudioLate("1", 100 * MILLI, 0, 0),
        AudioLate("1", 300 * MILLI, 200 * MILLI, 0),
    ]
    talking = [m.pts_nanos // MILLI for m in rig.outlet.motions if m.speech]
    assert talking == [0, 25, 50, 75, 300, 325, 350, 375]


def test_a_sentence_pushed_at_once_plays_in_real_time() -> None:
    rig = Rig()
    rig.session.push_audio(speech(2000))
    rig.session.end_segment(AudioRole.SPEAK)
    rig.run(1060)
    assert sum(bool(m.speech) for m in rig.outlet.motions) == 41
    assert rig.session.audio_ahead_nanos == 960 * MILLI


def test_too_much_audio_ahead_is_refused_and_the_rest_stays() -> None:
    rig = Rig(SessionSettings(size_px=64, audio_ahead_secs=1.0))
    rig.session.push_audio(speech(900))
    with pytest.raises(AvatarError) as fault:
        rig.session.push_audio(speech(200))
    assert fault.value.reason is Reason.AUDIO_TOO_FAR_AHEAD
    rig.run(1200)
    assert sum(bool(m.speech) for m in rig.outlet.motions) == 36


def test_barge_in_silences_at_once_and_keeps_the_grid() -> None:
    rig = Rig()
    heard = rig.subscribe()
    rig.session.push_audio(speech(2000))
    rig.session.end_segment(AudioRole.SPEAK)
    rig.run(500)
    last = rig.outlet.motions[-1]
    assert rig.session.interrupt() == 1
    rig.run(500)
    assert rig.motion.resets == [1]
    assert [m.pts_nanos for m in rig.outlet.motions] == [
        k * 25 * MILLI for k in range(len(rig.outlet.motions))
    ]
    after = rig.outlet.motions[last.seq :]
    assert {m.epoch for m in after} == {1}
    assert not any(m.speech for m in after)
    events = received(heard)
    assert events[1:] == [
        SegmentEnded("1", last.pts_nanos, 0, is_cut_short=True),
        Interrupted(1, last.pts_nanos, "1"),
    ]


def test_speech_after_a_barge_in_belongs_to_the_new_epoch() -> None:
    rig = Rig()
    rig.session.push_audio(speech(1000))
    rig.run(200)
    rig.session.interrupt()
    heard = rig.subscribe()
    rig.session.push_audio(speech(100))
    rig.run(300)
    assert received(heard, SegmentStarted) == [SegmentStarted("2", 200 * MILLI, 1)]
    talking = [m.pts_nanos // MILLI for m in rig.outlet.motions if m.speech and m.epoch == 1]
    assert talking == [200, 225, 250, 275]


def test_controls_are_reported_with_the_pts_they_apply_at() -> None:
    rig = Rig()
    heard = rig.subscribe()
    rig.run(200)
    rig.session.set_controls(Controls(distance=0.5), 0, change_id=7)
    rig.session.set_controls(Controls(distance=0.7), 500 * MILLI, change_id=8)
    rig.run(100)
    assert received(heard, ControlsApplied) == [
        ControlsApplied(7, 150 * MILLI, Controls(distance=0.5)),
        ControlsApplied(8, 500 * MILLI, Controls(distance=0.7)),
    ]


def test_the_background_changes_with_the_frame_that_the_change_applies_at() -> None:
    rig = Rig()
    alphas = []
    rig.outlet.publish = lambda motion, pixels: alphas.append((motion.pts_nanos, pixels[-1, 0, 3]))
    rig.session.set_controls(Controls(background=Background.TRANSPARENT), 100 * MILLI)
    rig.run(300)
    assert all((alpha == 0) == (pts >= 100 * MILLI) for pts, alpha in alphas)
    assert {alpha for _, alpha in alphas} == {0, 255}


def test_the_latent_says_what_is_shown() -> None:
    rig = Rig()
    rig.motion.head_yaw = 2.0
    rig.run(200)
    assert {round(float(m.head_rotation[0]), 4) for m in rig.outlet.motions} == {0.45}


def test_after_a_stall_late_pictures_are_skipped_and_latents_are_not() -> None:
    rig = Rig()
    heard = rig.subscribe(EVERYTHING)
    rig.run(200)
    rig.clock.advance(millis=1000)
    rig.run(1500)
    assert rig.session.stats.skipped > 20
    assert rig.outlet.numbers[-1] == rig.session.stats.frames, "it is back on time"
    items = received(heard)
    latents = [i.pts_nanos for i in items if isinstance(i, MotionFrame)]
    assert latents == [k * 25 * MILLI for k in range(len(latents))]
    for kind, total in (
        (FramesSkipped, rig.session.stats.skipped),
        (FramesLate, rig.session.stats.late),
    ):
        told = [item.num_frames for item in items if isinstance(item, kind)]
        assert sum(told) == total
        assert len(told) <= 3, "told together, not one by one"


def test_the_echo_carries_the_pushed_bytes_and_their_place() -> None:
    rig = Rig()
    heard = rig.subscribe(EVERYTHING)
    rig.run(100)
    first, second = tone(20, rate=48_000), tone(30, rate=48_000)
    for data in (first, second):
        rig.session.push_audio(speech(0, data=data, sample_rate_hz=48_000))
    items = received(heard)
    started = next(item for item in items if isinstance(item, SegmentStarted))
    echoes = [item for item in items if isinstance(item, AudioEcho)]
    assert [echo.pcm for echo in echoes] == [first, second]
    assert [echo.pts_nanos - started.pts_nanos for echo in echoes] == [0, 20 * MILLI]


def test_a_bad_chunk_changes_nothing() -> None:
    rig = Rig()
    heard = rig.subscribe()
    for bad in (
        speech(20, data=b"\0\0\0"),
        speech(20, sample_rate_hz=7),
        speech(20, num_channels=0),
    ):
        with pytest.raises(AvatarError) as fault:
            rig.session.push_audio(bad)
        assert fault.value.reason is Reason.INVALID_AUDIO
    assert received(heard) == []


def test_the_format_cannot_change_inside_a_segment() -> None:
    rig = Rig()
    rig.session.push_audio(speech(20))
    with pytest.raises(AvatarError) as fault:
        rig.session.push_audio(speech(20, sample_rate_hz=24_000))
    assert fault.value.reason is Reason.INVALID_AUDIO
    rig.session.push_audio(speech(20, sample_rate_hz=24_000, segment_id="another"))


def test_latent_only_sessions_need_no_renderer() -> None:
    rig = Rig(SessionSettings(size_px=0), renderer=None)
    rig.run(500)
    assert len(rig.outlet.motions) == 18
    assert rig.outlet.numbers == []


def test_a_closed_session_refuses_and_tells_its_streams() -> None:
    rig = Rig()
    heard = rig.subscribe()
    rig.scheduler.remove(rig.session)
    rig.session.close()
    rig.session.close()
    assert received(heard) == [SessionEnding("the session was closed"), SessionEnded(0, 0)]
    assert rig.outlet.is_closed
    assert rig.motion.is_closed
    with pytest.raises(AvatarError) as fault:
        rig.session.push_audio(speech(20))
    assert fault.value.reason is Reason.SESSION_CLOSED


def test_a_closed_session_holds_nothing_heavy() -> None:
    rig = Rig()
    rig.run(200)
    heavy = [weakref.ref(rig.renderer), weakref.ref(rig.motion), weakref.ref(rig.outlet)]
    rig.scheduler.remove(rig.session)
    rig.session.close()
    rig.renderer = rig.motion = rig.outlet = None
    gc.collect()
    assert [reference() for reference in heavy] == [None, None, None]
    rig.run(500)
    assert rig.session.pts_nanos == 200 * MILLI


def test_a_session_that_fails_is_taken_out_and_the_others_go_on() -> None:
    clock_owner = Rig(renderer=FakeRenderer(fail_at=5))
    other = Rig(clock=clock_owner.clock)
    clock_owner.scheduler.add(other.session)
    clock_owner.run(500)
    assert [type(fault) for fault in clock_owner.faults] == [ArithmeticError]
    assert len(clock_owner.outlet.motions) == 4
    assert len(other.outlet.motions) == 18


def phones(segment_id: str, *symbols: str):
    timed = [TimedPhone(k * 0.1, k * 0.1 + 0.1, symbol) for k, symbol in enumerate(symbols)]
    return check_phones(segment_id, "arpabet", timed)


def test_known_phones_wait_for_the_place_of_their_segment() -> None:
    rig = Rig()
    rig.session.push_phones(phones("later", "AA1"))
    rig.session.push_phones(phones("", "B"))
    rig.run(100)
    assert rig.motion.phones == []
    rig.session.push_audio(speech(500))
    rig.run(30)
    assert rig.motion.phones == [(100 * MILLI, "arpabet", ["B"])]
    rig.session.push_phones(phones("1", "M"))
    rig.run(30)
    assert rig.motion.phones[1:] == [(100 * MILLI, "arpabet", ["M"])]
    rig.session.push_audio(speech(100, segment_id="later"))
    rig.run(30)
    assert rig.motion.phones[2:] == [(600 * MILLI, "arpabet", ["AA1"])]


def test_phones_with_unknown_symbols_are_told() -> None:
    rig = Rig()
    heard = rig.subscribe()
    rig.session.push_phones(phones("", "AA1", "nonsense", "B"))
    assert received(heard) == [PhonesIgnored(0, 1)]
    with pytest.raises(AvatarError) as fault:
        check_phones("", "arpabet", [TimedPhone(1.0, 0.5, "B")])
    assert fault.value.reason is Reason.INVALID_FIELD
