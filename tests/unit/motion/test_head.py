from dataclasses import replace

import numpy as np
import pytest

from avatar_service.motion.controls import ControlSchedule, EasedControls
from avatar_service.motion.head import Head
from avatar_service.motion.rhythm import Beat
from avatar_service.signals import Controls

pytestmark = pytest.mark.unit

SILENCE = Beat()
SPEECH = replace(SILENCE, speaking=1.0, loudness=0.45, pause_secs=0.0)
STILL = Controls(idle=0.0)


def eased(controls: Controls) -> EasedControls:
    return ControlSchedule(controls).step(0)


def poses(
    beats: list[Beat], *, heard: Beat = SILENCE, controls: Controls = STILL, seed: int = 0
) -> np.ndarray:
    head = Head(seed)
    return np.array([head.step(b, heard, eased(controls), (0.0, 0.0)).value for b in beats])


def test_rates_are_the_slopes_of_the_values() -> None:
    head, values, rates = Head(0), [], []
    for _ in range(200):
        tick = head.step(SPEECH, SILENCE, eased(Controls()), (0.0, 0.0))
        values.append(tick.value)
        rates.append(tick.rate)
    slopes = np.diff(values, axis=0) / 0.04
    mean_rates = (np.array(rates)[1:] + np.array(rates)[:-1]) / 2
    error = np.abs(slopes - mean_rates).max(axis=0)
    assert (error < 0.35 * np.abs(slopes).max(axis=0)).all()


def test_nods_on_accents_go_down_more_often_than_up() -> None:
    accent = replace(SPEECH, accent=0.8)
    moved = []
    for seed in range(60):
        with_nod = poses([SPEECH] * 5 + [accent] + [SPEECH] * 6, seed=seed)
        without = poses([SPEECH] * 12, seed=seed)
        moved.append(np.degrees(with_nod - without)[10, 1])
    down = np.array(moved) > 0.1  # + pitch looks down
    assert 0.55 < down.mean() < 0.9
    assert 1.0 < np.median(np.abs(moved)) < 6.0


def test_rising_pitch_lifts_the_head() -> None:
    start = replace(SPEECH, is_phrase_start=True)
    high = replace(SPEECH, melody=4.0)
    pitch = []
    for seed in range(40):
        lifted = poses([start] + [high] * 20, seed=seed)
        level = poses([start] + [SPEECH] * 20, seed=seed)
        pitch.append(np.degrees(lifted - level)[-1, 1])
    assert np.mean(pitch) < -0.8


def test_the_partners_phrase_end_is_answered_by_a_nod() -> None:
    ended = replace(SILENCE, is_phrase_end=True)
    nods = 0
    for seed in range(40):
        head, values = Head(seed), []
        for i in range(20):
            heard = ended if i == 5 else SILENCE
            values.append(head.step(SILENCE, heard, eased(STILL), (0.0, 0.0)).value[1])
        nods += np.degrees(max(values[6:]) - values[5]) > 1.0
    assert 15 < nods < 36


def test_follow_turns_the_head_smoothly_by_the_asked_angle() -> None:
    head = Head(0)
    values = [head.step(SILENCE, SILENCE, eased(STILL), (0.3, -0.1)).value[:2] for _ in range(50)]
    assert values[-1][0] == pytest.approx(0.3, abs=0.02)
    assert values[-1][1] == pytest.approx(-0.1, abs=0.02)
    assert values[0][0] < 0.02


def test_distance_moves_along_z() -> None:
    near = poses([SILENCE] * 3, controls=Controls(distance=0.5, idle=0.0))
    assert near[-1, 5] == pytest.approx(5.0, abs=0.05)


def test_breathing_goes_on_when_everything_else_rests() -> None:
    still = poses([SILENCE] * 500)
    assert 0.1 < np.degrees(still[:, 1]).std() < 0.4
    rises = np.sum(np.diff(np.sign(still[:, 1] - still[:, 1].mean())) != 0) / 2
    assert 3 <= rises <= 7  # 0.24 Hz in 20 s


def test_reseeding_changes_the_choices_without_a_jump() -> None:
    first, second = Head(1), Head(1)
    for _ in range(50):
        first.step(SPEECH, SILENCE, eased(Controls()), (0.0, 0.0))
        before = second.step(SPEECH, SILENCE, eased(Controls()), (0.0, 0.0)).value
    second.reseed(99)
    after = second.step(SPEECH, SILENCE, eased(Controls()), (0.0, 0.0)).value
    assert np.degrees(np.abs(after[:3] - before[:3])).max() < 4
    for _ in range(50):
        one = first.step(SPEECH, SILENCE, eased(Controls()), (0.0, 0.0)).value
        two = second.step(SPEECH, SILENCE, eased(Controls()), (0.0, 0.0)).value
    assert np.abs(one - two).max() > 0.01
