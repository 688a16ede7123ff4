import asyncio

import numpy as np
import pytest

from avatar_service.audio.ingest import SampleFormat
from avatar_service.errors import AvatarError, Reason
from avatar_service.session.events import (
    AudioEcho,
    EncodedFrame,
    FrameEncoding,
    ReaderBehind,
    SegmentStarted,
)
from avatar_service.session.subscriber import (
    MAX_WAITING_AUDIO_BYTES,
    MAX_WAITING_EVENTS,
    Subscriber,
    Wanted,
)
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit


def frame(
    seq: int, *, key: bool = True, encoding: FrameEncoding = FrameEncoding.JPEG
) -> EncodedFrame:
    return EncodedFrame(MotionFrame(seq, seq=seq), encoding, b"", 1, 1, key)


def drain(subscriber: Subscriber) -> list:
    items = []
    while (item := subscriber.take_nowait()) is not None:
        items.append(item)
    return items


def numbers(items: list) -> list[int]:
    return [i.motion.seq for i in items if isinstance(i, EncodedFrame)]


def test_a_slow_reader_loses_the_oldest_pictures_and_is_told() -> None:
    reader = Subscriber(wanted=Wanted.FRAMES, max_frames=3)
    for seq in range(10):
        reader.put(frame(seq))
    items = drain(reader)
    assert items[0] == ReaderBehind(7)
    assert numbers(items) == [7, 8, 9]
    assert reader.num_dropped == 7


def test_events_are_never_dropped_and_keep_their_order() -> None:
    reader = Subscriber(wanted=Wanted.MOTION, max_frames=2)
    for k in range(100):
        reader.put(MotionFrame(k, seq=k))
        reader.put(SegmentStarted(str(k), k, 0))
    items = drain(reader)
    assert [i.segment_id for i in items if isinstance(i, SegmentStarted)] == list(
        map(str, range(100))
    )
    assert [i.seq for i in items if isinstance(i, MotionFrame)] == [98, 99]


def test_a_reader_that_never_reads_is_sent_away() -> None:
    reader = Subscriber(wanted=Wanted.NONE, max_frames=2)
    for k in range(MAX_WAITING_EVENTS + 5):
        reader.put(SegmentStarted("s", k, 0))
    with pytest.raises(AvatarError) as fault:
        asyncio.run(reader.take())
    assert fault.value.reason is Reason.QUOTA_EXCEEDED


def test_a_reader_that_lets_audio_pile_up_is_sent_away() -> None:
    reader = Subscriber(wanted=Wanted.AUDIO, max_frames=2)
    echo = AudioEcho("s", 0, 0, bytes(1 << 20), 16_000, 1, SampleFormat.PCM_S16)
    for _ in range(20):
        reader.put(echo)
    for _ in range(20):
        assert reader.take_nowait() is echo
    for _ in range((MAX_WAITING_AUDIO_BYTES >> 20) + 1):
        reader.put(echo)
    with pytest.raises(AvatarError) as fault:
        asyncio.run(reader.take())
    assert fault.value.reason is Reason.QUOTA_EXCEEDED


def test_pictures_with_references_begin_and_resume_at_a_key_frame() -> None:
    def h264(seq: int, key: bool) -> EncodedFrame:
        return frame(seq, key=key, encoding=FrameEncoding.H264)

    reader = Subscriber(wanted=Wanted.FRAMES, max_frames=3)
    reader.put(h264(0, False))
    assert reader.needs_keyframe
    for seq in range(1, 4):
        reader.put(h264(seq, seq == 1))
    assert not reader.needs_keyframe
    reader.put(h264(4, False))
    assert reader.needs_keyframe
    reader.put(h264(5, True))
    reader.put(h264(6, False))
    assert numbers(drain(reader)) == [5, 6]
    assert reader.num_dropped == 5


def test_unwanted_kinds_do_not_come() -> None:
    reader = Subscriber(wanted=Wanted.MOTION, max_frames=3)
    reader.put(frame(1))
    reader.put(MotionFrame(2, seq=2))
    assert [type(item) for item in drain(reader)] == [MotionFrame]


def test_waiting_ends_with_the_item_and_with_the_stream() -> None:
    async def scenario() -> list:
        loop = asyncio.get_running_loop()
        reader = Subscriber(wanted=Wanted.FRAMES, max_frames=3, loop=loop)
        waiting = asyncio.create_task(reader.take())
        await asyncio.sleep(0)
        await loop.run_in_executor(None, reader.put, frame(1))
        first = await waiting
        reader.put(frame(2))
        reader.close()
        return [first, await reader.take(), await reader.take()]

    first, second, end = asyncio.run(scenario())
    assert numbers([first, second]) == [1, 2]
    assert end is None


def test_encoders_give_pictures_that_decode() -> None:
    import av
    import cv2

    from avatar_service.session.encoders import make_encoder

    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[..., 3] = 255
    pixels[:32, :, 3] = 0
    jpeg = next(
        iter(
            make_encoder(FrameEncoding.JPEG, 40).encode(
                MotionFrame(0), pixels, force_keyframe=False
            )
        )
    )
    shown = cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), cv2.IMREAD_COLOR)
    assert abs(int(shown[48, 32, 2]) - 200) < 6
    assert shown[8, 32].max() < 6, "transparent stands on black"

    from fractions import Fraction

    h264 = make_encoder(FrameEncoding.H264, Fraction(40))
    decoder = av.CodecContext.create("h264", "r")
    flags, decoded = [], []
    for k in range(6):
        (picture,) = h264.encode(MotionFrame(k), pixels, force_keyframe=k == 4)
        flags.append(picture.is_keyframe)
        decoded += decoder.decode(av.Packet(picture.data))
    decoded += decoder.decode(None)
    assert flags == [True, False, False, False, True, False]
    assert len(decoded) == 6
    assert abs(int(decoded[3].to_ndarray(format="rgb24")[48, 32, 0]) - 200) < 12
