from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.lips import FakeLips
from fakes.voice import fake_voice

from avatar_service.audio.file import read_audio
from avatar_service.motion.stage import SAMPLE_NANOS, MotionStage
from avatar_service.motion.statistics import REFERENCES, format_table, motion_statistics
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import AudioChunk, Controls

pytestmark = pytest.mark.unit

SPEECH = Path(__file__).parents[3].parent / "shared" / "data" / "speech"
RATE = Fraction(25)


def empty(secs: float = 60.0, rate: Fraction = RATE) -> MotionTrack:
    count = round(secs * float(rate))
    return MotionTrack(
        pts_nanos=np.arange(count, dtype=np.int64) * 10**9 // int(rate),
        expression=np.zeros((count, 52), np.float32),
        head_rotation=np.zeros((count, 3), np.float32),
        head_translation=np.zeros((count, 3), np.float32),
        gaze=np.zeros((count, 2, 2), np.float32),
        speech=np.zeros(count, np.float32),
        emotion=np.zeros((count, 8), np.float32),
        frame_rate=rate,
    )


def generate(samples: np.ndarray, seed: int = 0, controls: Controls | None = None) -> MotionTrack:
    stage = MotionStage(RATE, controls, seed=seed, lips=FakeLips())
    frames = []
    for low in range(0, len(samples), 16_000):
        stage.push(AudioChunk(samples[low : low + 16_000], low * SAMPLE_NANOS))
        frames += stage.pull()
    return MotionTrack.from_frames(frames, RATE)


@pytest.mark.parametrize("rate", [25, 40, 60])
def test_head_figures_of_a_known_motion_at_any_rate(rate: int) -> None:
    track = empty(rate=Fraction(rate))
    time = track.pts_nanos * 1e-9
    yaw = np.radians(5) * np.sin(2 * np.pi * 0.5 * time)
    values = motion_statistics(
        replace(track, head_rotation=np.stack([yaw, 0 * yaw, 0 * yaw], 1).astype(np.float32))
    )
    assert values["yaw_sd_deg"] == pytest.approx(5 / 2**0.5, rel=0.02)
    assert values["head_step_deg"] == pytest.approx(5 * 2 * np.pi * 0.5 / 25 * 2 / np.pi, rel=0.03)
    assert values["roll_sd_deg"] == pytest.approx(0, abs=1e-4)


def test_blinks_are_counted_and_measured() -> None:
    track = empty(rate=Fraction(50))
    time = track.pts_nanos * 1e-9
    closure = sum(np.maximum(0, 1 - np.abs(time - at) / 0.14) for at in np.arange(3, 60, 3))
    expression = track.expression.copy()
    for side in ("Left", "Right"):
        expression[:, EXPRESSION_INDEX["eyeBlink" + side]] = 0.9 * closure
    values = motion_statistics(replace(track, expression=expression))
    assert values["blinks_per_min"] == pytest.approx(19, abs=0.1)
    assert values["blink_half_width_ms"] == pytest.approx(140, abs=8)
    assert values["blink_completeness"] == pytest.approx(0.9, abs=0.02)


def test_saccades_are_told_from_counter_rotation() -> None:
    track = empty(rate=Fraction(50))
    time = track.pts_nanos * 1e-9
    yaw = np.radians(6) * np.sin(2 * np.pi * 0.7 * time)
    glance = np.radians(8) * ((time % 20 > 10) & (time % 20 < 11))  # 2 shifts, 3 times
    gaze = np.zeros((len(track), 2, 2), np.float32)
    gaze[:, :, 0] = (glance - yaw)[:, None]
    head = np.stack([yaw, 0 * yaw, 0 * yaw], 1).astype(np.float32)
    values = motion_statistics(replace(track, gaze=gaze, head_rotation=head))
    assert values["saccades_per_min"] == pytest.approx(6, abs=0.01)


def test_selected_frames_only() -> None:
    track = empty()
    head = track.head_rotation.copy()
    head[750:, 0] = np.radians(10) * np.sin(np.arange(750))
    values = motion_statistics(replace(track, head_rotation=head), is_wanted=np.arange(1500) < 740)
    assert values["yaw_sd_deg"] == 0


def test_generated_life_is_calmer_in_silence_than_in_speech() -> None:
    speech, silence = generate(fake_voice(40.0)), generate(np.zeros(16_000 * 40, np.float32))
    speaking, idle = motion_statistics(speech), motion_statistics(silence)
    assert idle["head_step_deg"] < 0.5 * speaking["head_step_deg"]
    assert idle["blinks_per_min"] < speaking["blinks_per_min"]


@pytest.mark.skipif(not SPEECH.exists(), reason="needs the speech clips of ../shared/data/speech")
def test_life_on_real_speech_is_within_the_natural_ranges() -> None:
    clips = ["austen_0870.wav", "en_jfk_16k.wav", "LJ001-0001.wav", "LJ002-0073.wav"]
    pause = np.zeros(4_000, np.float32)
    voice = np.concatenate([np.append(read_audio(SPEECH / clip).samples, pause) for clip in clips])
    runs = [motion_statistics(generate(voice, seed)) for seed in range(3)]
    for key, reference in REFERENCES.items():
        if key == "jaw_open_sd":
            continue  # the lips are not the real ones here
        mean = float(np.mean([run[key] for run in runs]))
        assert reference.low <= mean <= reference.high, f"{reference.title}: {mean:.3g}"


def test_table_has_a_row_for_each_figure() -> None:
    values = motion_statistics(generate(fake_voice(6.0)))
    lines = format_table({"clip": values}).splitlines()
    assert len(lines) == 1 + len(REFERENCES)
    assert set(values) == set(REFERENCES)
