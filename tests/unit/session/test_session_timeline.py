import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.timeline import AudioLine, Starvation, join
from avatar_service.signals import AudioChunk, AudioRole, SegmentEnd

pytestmark = pytest.mark.unit


def line(role: AudioRole = AudioRole.SPEAK) -> AudioLine:
    return AudioLine(role=role, ahead_limit_secs=2.0)


def ones(num_samples: int) -> np.ndarray:
    return np.ones(num_samples, np.float32)


def shape(items: list) -> list[tuple]:
    """Write items as tuples that read well."""
    short = []
    for item in items:
        at = item.pts_nanos // 62_500
        if isinstance(item, AudioChunk):
            short.append(("speech" if item.is_speech else "silence", at, len(item.samples)))
        elif isinstance(item, SegmentEnd):
            short.append(("end", at, item.segment_id))
        elif isinstance(item, Starvation):
            short.append(("starved", at, item.segment_id))
    return short


def test_silence_fills_the_line_without_speech() -> None:
    assert shape(line().read(100)) == [("silence", 0, 100)]


def test_a_segment_stands_not_before_the_earliest_sample() -> None:
    audio = line()
    audio.read(100)
    audio.begin("a")
    placement = audio.append(ones(50), earliest=120)
    assert placement.pts_nanos == 120 * 62_500
    assert placement.starts_segment
    audio.finish()
    assert shape(audio.read(200)) == [
        ("silence", 100, 20),
        ("speech", 120, 50),
        ("end", 170, "a"),
        ("silence", 170, 30),
    ]


def test_chunks_of_a_segment_follow_without_gaps_however_late_they_are_appended() -> None:
    audio = line()
    audio.begin("a")
    audio.append(ones(100), earliest=0)
    audio.read(90)
    placement = audio.append(ones(100), earliest=95)
    assert placement == type(placement)(100 * 62_500, False, 0)
    assert shape(audio.read(150)) == [("speech", 90, 60)]


def test_a_second_segment_queues_behind_the_first() -> None:
    audio = line()
    audio.begin("a")
    audio.append(ones(100), earliest=0)
    audio.begin("b")
    assert audio.append(ones(10), earliest=3).pts_nanos == 100 * 62_500
    assert shape(audio.read(110)) == [("speech", 0, 100), ("end", 100, "a"), ("speech", 100, 10)]


def test_a_starved_segment_continues_behind_the_gap() -> None:
    audio = line()
    audio.begin("a")
    audio.append(ones(100), earliest=0)
    assert shape(audio.read(150)) == [
        ("speech", 0, 100),
        ("starved", 100, "a"),
        ("silence", 100, 50),
    ]
    assert shape(audio.read(160)) == [("silence", 150, 10)], "told once"
    placement = audio.append(ones(40), earliest=180)
    assert placement.pts_nanos == 180 * 62_500
    assert placement.gap_nanos == 80 * 62_500
    assert shape(audio.read(200)) == [("silence", 160, 20), ("speech", 180, 20)]


def test_clear_drops_what_waits_and_names_the_segments_cut_short() -> None:
    audio = line()
    audio.begin("a")
    audio.append(ones(100), earliest=0)
    audio.begin("b")
    audio.append(ones(100), earliest=0)
    audio.read(30)
    assert audio.clear(epoch=1) == ["a", "b"]
    items = audio.read(60)
    assert shape(items) == [("silence", 30, 30)]
    assert items[0].epoch == 1


def test_too_much_audio_ahead_is_refused() -> None:
    audio = line()
    audio.begin("a")
    audio.append(ones(30_000), earliest=0)
    with pytest.raises(AvatarError) as fault:
        audio.check_room(3_000)
    assert fault.value.reason is Reason.AUDIO_TOO_FAR_AHEAD


def test_the_partners_voice_accompanies_the_own_line() -> None:
    speak, listen = line(), line(AudioRole.LISTEN)
    listen.begin("partner")
    listen.append(ones(300), earliest=50)
    speak.begin("own")
    speak.append(ones(100), earliest=100)
    speak.finish()
    items = [i for i in join(speak.read(250), listen) if isinstance(i, AudioChunk)]
    own = [(i.pts_nanos // 62_500, i.is_speech) for i in items if i.role is AudioRole.SPEAK]
    heard = [i for i in items if i.role is AudioRole.LISTEN]
    assert own == [(0, False), (100, True), (200, False)]
    assert all(i.is_speech for i in heard)
    assert sum(len(i.samples) for i in heard) == 200
    assert listen.front == speak.front == 250


@given(st.lists(st.tuples(st.sampled_from("abre"), st.integers(0, 400)), max_size=60))
def test_whatever_happens_the_line_is_read_without_gaps(steps: list[tuple[str, int]]) -> None:
    audio, front, pushed, spoken = line(), 0, 0, 0
    for action, amount in steps:
        if action == "b":
            audio.begin("s")
        elif action == "e":
            audio.finish()
        elif action == "a" and audio.open_segment_id is not None:
            audio.append(ones(amount), earliest=front + amount // 3)
            pushed += amount
        elif action == "r":
            for item in audio.read(front + amount):
                assert item.pts_nanos >= front * 62_500 or isinstance(item, SegmentEnd)
                if isinstance(item, AudioChunk):
                    assert item.pts_nanos == front * 62_500
                    front += len(item.samples)
                    spoken += len(item.samples) if item.is_speech else 0
            assert audio.front == front
    for item in audio.read(front + 100_000):
        spoken += len(item.samples) if isinstance(item, AudioChunk) and item.is_speech else 0
    assert spoken == pushed, "every sample comes out exactly once"
