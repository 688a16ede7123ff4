from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fakes.voice import fake_voice

from avatar_service.motion import life_metrics as metrics
from avatar_service.motion.gaze import eyes_from_aim
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX

pytestmark = pytest.mark.unit


def empty(secs: float = 20.0, rate: int = 50) -> MotionTrack:
    count = round(secs * rate)
    return MotionTrack(
        pts_nanos=np.arange(count, dtype=np.int64) * 10**9 // rate,
        expression=np.zeros((count, 52), np.float32),
        head_rotation=np.zeros((count, 3), np.float32),
        head_translation=np.zeros((count, 3), np.float32),
        gaze=np.zeros((count, 2, 2), np.float32),
        speech=np.zeros(count, np.float32),
        emotion=np.zeros((count, 8), np.float32),
        frame_rate=Fraction(rate),
    )


def with_yaw(track: MotionTrack, degrees: np.ndarray) -> MotionTrack:
    rotation = np.zeros_like(track.head_rotation)
    rotation[:, 0] = np.radians(degrees)
    return replace(track, head_rotation=rotation)


def secs(track: MotionTrack) -> np.ndarray:
    return track.pts_nanos * 1e-9


def test_pose_intensity_is_the_angle_in_40_ms() -> None:
    track = empty()
    assert metrics.pose_intensity_deg(with_yaw(track, 10 * secs(track))) == pytest.approx(
        0.4, rel=1e-3
    )


def test_diversity_of_independent_and_of_equal_runs() -> None:
    rng = np.random.default_rng(0)
    runs = [rng.normal(0, 1, (2000, 3)) for _ in range(5)]
    assert metrics.diversity(runs) == pytest.approx(1.3, abs=0.03)
    assert metrics.diversity([runs[0]] * 3) == 0


def test_nods_on_the_beats_align_and_nods_beside_them_do_not() -> None:
    voice = fake_voice(20.0)
    from avatar_service.motion.metrics import speech_envelope

    track = empty()
    envelope = np.interp(secs(track), np.arange(len(speech_envelope(voice))) * 0.02,
                         speech_envelope(voice))  # fmt: skip
    moving = with_yaw(track, 40 * np.cumsum(envelope) / 50)  # fastest where the voice is loudest
    still = with_yaw(track, np.random.default_rng(1).normal(0, 1, len(track)).cumsum() * 0.1)
    assert metrics.beat_alignment([moving], voice) > 3
    assert abs(metrics.beat_alignment([still], voice)) < 2.5


def test_a_seam_is_found_where_blocks_meet_with_a_kink() -> None:
    track = empty(rate=100)
    smooth = with_yaw(track, 5 * np.sin(secs(track)))
    kinked = with_yaw(track, 5 * np.abs((secs(track) / 0.16) % 2 - 1))
    assert metrics.seam_ratio(smooth, 160_000_000) == pytest.approx(1, abs=0.1)
    assert metrics.seam_ratio(kinked, 160_000_000) > 5


def test_blinks_have_their_length_and_interval() -> None:
    track = empty(rate=100)
    phase = secs(track) % 2.0
    expression = track.expression.copy()
    closure = np.clip(1 - np.abs(phase - 1.0) / 0.1, 0, 1)
    for side in ("Left", "Right"):
        expression[:, EXPRESSION_INDEX["eyeBlink" + side]] = closure
    figures = metrics.blink_figures(replace(track, expression=expression))
    assert figures["blink_length_ms"] == pytest.approx(200, abs=20)
    assert figures["blink_interval_cv"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("wanted", [(0.2, 0.0), (0.0, -0.15), (-0.1, 0.12)])
def test_gaze_through_a_turned_head_is_no_error(wanted: tuple[float, float]) -> None:
    track = empty()
    head = (0.15, -0.1, 0.08)
    eyes = eyes_from_aim((*wanted, 0.0), head)
    gaze = np.broadcast_to(eyes, track.gaze.shape).copy()
    rotation = np.broadcast_to(np.float32(head), track.head_rotation.shape).copy()
    looking = replace(track, gaze=gaze, head_rotation=rotation)
    assert metrics.gaze_error_deg(looking, wanted, 1.0) < 0.3
    assert metrics.gaze_error_deg(looking, (wanted[0] + 0.1, wanted[1]), 1.0) > 5


def test_upper_face_counts_brows_and_not_the_mouth() -> None:
    track = empty()
    expression = track.expression.copy()
    expression[:, EXPRESSION_INDEX["jawOpen"]] = np.sin(secs(track))
    assert metrics.upper_face_sd(replace(track, expression=expression)) == 0
    expression[:, EXPRESSION_INDEX["browInnerUp"]] = np.sin(secs(track))
    assert metrics.upper_face_sd(replace(track, expression=expression)) > 0.1
