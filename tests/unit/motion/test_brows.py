from dataclasses import replace

import numpy as np
import pytest

from avatar_service.motion.brows import Brows
from avatar_service.motion.controls import ControlSchedule, EasedControls
from avatar_service.motion.rhythm import Beat
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Controls

pytestmark = pytest.mark.unit

OUTER_LEFT = EXPRESSION_INDEX["browOuterUpLeft"]
OUTER_RIGHT = EXPRESSION_INDEX["browOuterUpRight"]
SILENCE = Beat()
SPEECH = replace(SILENCE, speaking=1.0, loudness=0.5, pause_secs=0.0)


def eased(controls: Controls | None = None) -> EasedControls:
    return ControlSchedule(controls or Controls()).step(0)


def run(beats: list[Beat], seed: int = 0, controls: Controls | None = None) -> np.ndarray:
    brows, values = Brows(seed), []
    for beat in beats:
        brows.step(beat, SILENCE, eased(controls))
        values.append(brows.value)
    return np.array(values)


def test_accents_raise_the_brows_often_but_not_always_and_smoothly() -> None:
    accented = [SPEECH] * 5 + [replace(SPEECH, accent=0.9)] + [SPEECH] * 20
    heights = []
    for seed in range(60):
        raised = run(accented, seed) - run([SPEECH] * 26, seed)
        heights.append(raised[:, OUTER_LEFT].max())
        assert np.abs(np.diff(raised[:, OUTER_LEFT])).max() < 0.12
        assert abs(raised[-1, OUTER_LEFT]) < 0.05
    raised_share = np.mean(np.array(heights) > 0.03)
    assert 0.3 < raised_share < 0.7
    assert 0.1 < max(heights) < 0.45


def test_high_pitch_holds_the_brows_up() -> None:
    high = run([replace(SPEECH, melody=5.0)] * 50)[-25:, OUTER_LEFT].mean()
    low = run([replace(SPEECH, melody=-3.0)] * 50)[-25:, OUTER_LEFT].mean()
    assert high > low + 0.04


def test_the_two_sides_differ_a_little() -> None:
    values = run([replace(SPEECH, melody=5.0)] * 50, seed=2)
    left, right = values[:, OUTER_LEFT].max(), values[:, OUTER_RIGHT].max()
    assert left != right
    assert abs(left / right - 1) < 0.3


def test_expression_scales_and_zero_switches_off() -> None:
    beats = [replace(SPEECH, melody=4.0)] * 40
    one, two = run(beats), run(beats, controls=Controls(expression=2.0))
    np.testing.assert_allclose(two, 2 * one, atol=1e-9)
    assert np.abs(run(beats, controls=Controls(expression=0.0))).max() == 0


def test_the_style_named_warm_smiles() -> None:
    smile = EXPRESSION_INDEX["mouthSmileLeft"]
    warm = run([SPEECH] * 80, controls=Controls(speaking_style="warm"))[-1, smile]
    assert warm > run([SPEECH] * 80)[-1, smile] + 0.08
