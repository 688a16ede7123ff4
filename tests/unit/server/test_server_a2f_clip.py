"""What an Audio2Face-3D client may make a clip keep."""

import pytest
from fakes.motion_stage import FakeMotionStage

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.a2f import clip
from avatar_service.server.a2f.clip import Clip
from avatar_service.server.a2f.emotions import MAX_NAME_CHARS, MAX_NAMES, MAX_NOTES
from avatar_service.server.a2f.gen.nvidia_ace.a2f.v1 import a2f_pb2
from avatar_service.server.a2f.gen.nvidia_ace.audio.v1 import audio_pb2
from avatar_service.server.a2f.gen.nvidia_ace.controller.v1 import controller_pb2

pytestmark = pytest.mark.unit


@pytest.fixture
def opened() -> Clip:
    made = Clip(FakeMotionStage)
    audio = audio_pb2.AudioHeader(channel_count=1, samples_per_second=16_000, bits_per_sample=16)
    made.open(controller_pb2.AudioStreamHeader(audio_header=audio), 0.0)
    return made


def emotions(count: int, **weights: float) -> a2f_pb2.AudioWithEmotion:
    """Emotions without audio, whose time therefore never comes."""
    message = a2f_pb2.AudioWithEmotion()
    for _ in range(count):
        message.emotions.add(time_code=1.0, emotion=weights or {"joy": 1.0})
    return message


def refused(made: Clip, message: a2f_pb2.AudioWithEmotion) -> None:
    with pytest.raises(AvatarError) as fault:
        list(made.push(message))
    assert fault.value.reason is Reason.INVALID_FIELD


def test_emotions_without_audio_are_not_kept_without_end(opened: Clip, monkeypatch) -> None:
    monkeypatch.setattr(clip, "MAX_EMOTIONS", 30)
    for _ in range(3):
        assert list(opened.push(emotions(10))) == []
    refused(opened, emotions(1))


def test_names_nobody_knows_are_bounded_and_told_once(opened: Clip) -> None:
    refused(opened, emotions(1, **{f"name{k}": 0.5 for k in range(MAX_NAMES + 1)}))
    refused(opened, emotions(1, **{"n" * (MAX_NAME_CHARS + 1): 0.5}))
    for k in range(2 * MAX_NOTES):
        list(opened.push(emotions(2, **{f"name{k}": 0.5})))
    assert len(opened._notes) == len(set(opened._notes)) == MAX_NOTES
