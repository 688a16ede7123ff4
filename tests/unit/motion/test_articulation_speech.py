"""The committed network on the demonstration's own speech, whose phones are known exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar_service.errors import AvatarError
from avatar_service.motion.articulation_parameters import load_weights
from avatar_service.motion.articulation_step import ArticulationStepper
from avatar_service.motion.bench import bench_motion, drive
from avatar_service.motion.lip_shapes import aperture

pytestmark = pytest.mark.unit


def test_the_lips_follow_a_voice_not_heard_in_training() -> None:
    calls: list[tuple[int, int]] = []
    figures = bench_motion(progress=lambda done, total: calls.append((done, total)))
    assert figures["jaw_r"] > 0.7
    assert figures["viseme_tolerant_accuracy"] > 0.5
    assert figures["bilabial_recall"] >= 0.7
    assert figures["false_closures"] <= 0.5
    assert -60 <= figures["aperture_lag_ms"] <= 40
    assert figures["stream_offline_max_diff"] < 1e-4
    assert figures["look_ahead_80ms"]["jaw_r"] > 0.7
    assert calls[-1][0] == calls[-1][1]


def test_silence_and_noise_leave_the_lips_at_rest() -> None:
    net = ArticulationStepper(load_weights())
    rng = np.random.default_rng(0)
    for level in (0.0, 1e-4, 1e-3):
        quiet = rng.normal(0, level, 32000).astype(np.float32) if level else np.zeros(32000, "f4")
        expression = np.stack([step.expression for step in drive(net, quiet, 40)])
        assert aperture(expression).max() < 0.02  # the noise's own onset may stir them a little


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match=r"NAME\.json"):
        bench_motion(tmp_path)
