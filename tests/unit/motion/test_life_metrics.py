from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

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
