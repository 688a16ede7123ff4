"""The stage with the real articulation network."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.voice import fake_voice

from avatar_service.audio.file import read_audio
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.stage import SAMPLE_NANOS, MotionStage
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import AudioChunk, MotionFrame

pytestmark = pytest.mark.unit

SPEECH = Path(__file__).parents[3].parent / "shared" / "data" / "speech"
JAW = EXPRESSION_INDEX["jawOpen"]
MOUTH = [i for name, i in EXPRESSION_INDEX.items() if name.startswith(("mouth", "jaw"))]


def run(samples: np.ndarray, *, chunk: int = 320, lookahead_nanos: int = 40_000_000) -> np.ndarray:
    stage = MotionStage(Fraction(40), lookahead_nanos=lookahead_nanos)
    return np.array([frame.expression for frame in feed(stage, samples, chunk=chunk)])


def feed(
    stage: MotionStage, samples: np.ndarray, *, start_sample: int = 0, chunk: int = 320
) -> list[MotionFrame]:
    frames: list[MotionFrame] = []
    for low in range(0, len(samples), chunk):
        pts = (start_sample + low) * SAMPLE_NANOS
        stage.push(AudioChunk(samples[low : low + chunk], pts))
        frames += stage.pull()
    return frames


@pytest.mark.parametrize("lookahead_nanos", [40_000_000, 80_000_000])
def test_chunks_do_not_matter(lookahead_nanos: int) -> None:
    voice = fake_voice(3.0)
    first = run(voice, lookahead_nanos=lookahead_nanos)
    second = run(voice, chunk=1_237, lookahead_nanos=lookahead_nanos)
    shared = min(len(first), len(second))
    assert shared > 100
    assert np.abs(first[:shared] - second[:shared]).max() < 1e-4


def test_other_look_aheads_are_refused() -> None:
    with pytest.raises(AvatarError) as caught:
        MotionStage(Fraction(40), lookahead_nanos=33_000_000)
    assert caught.value.reason is Reason.INVALID_FIELD


def test_silence_keeps_the_mouth_at_rest() -> None:
    mouth = run(np.zeros(32_000, np.float32))[20:, MOUTH]
    assert mouth[:, MOUTH.index(JAW)].max() < 0.03
    assert np.abs(np.diff(mouth, axis=0)).max() < 0.02


def test_barge_in_with_the_real_lips() -> None:
    stage = MotionStage(Fraction(40))
    frames = feed(stage, fake_voice(4.0)[: 16_000 * 2])
    stage.reset(1)
    frames += feed(stage, np.zeros(16_000, np.float32), start_sample=32_000)
    assert [f.pts_nanos for f in frames] == [k * 25_000_000 for k in range(len(frames))]
    after = [frame for frame in frames if frame.epoch == 1]
    assert max(f.expression[JAW] for f in after[5:]) < 0.05
    jaw = np.array([frame.expression[JAW] for frame in frames])
    first = len(frames) - len(after)
    assert abs(jaw[first] - jaw[first - 1]) < 0.12


def test_known_phones_drive_the_lips() -> None:
    stage = MotionStage(Fraction(40))
    phones = [
        TimedPhone(0.3, 0.7, "AA"),
        TimedPhone(0.7, 0.85, "M"),
        TimedPhone(0.85, 1.3, "AA"),
    ]
    stage.push_phones(phones, "arpabet", 0)
    frames = feed(stage, np.zeros(32_000, np.float32))
    jaw = {frame.pts_nanos // 1_000_000: frame.expression[JAW] for frame in frames}
    assert jaw[525] > 0.15
    assert jaw[1_050] > 0.15
    assert jaw[775] < 0.5 * jaw[525]


@pytest.mark.skipif(not SPEECH.exists(), reason="needs the speech clips of ../shared/data/speech")
def test_real_speech_moves_the_jaw_and_pauses_rest() -> None:
    clip = read_audio(SPEECH / "en_jfk_16k.wav", duration_secs=5.2)
    jaw = run(clip.samples)[:, JAW]
    speaking, pause = jaw[24:80], jaw[100:128]
    assert speaking.max() > 0.2
    assert 0.04 < speaking.std() < 0.2
    assert pause.max() < 0.3 * speaking.max()
