import numpy as np
import pytest

from avatar_service.motion.easing import TICK_SECS
from avatar_service.motion.entrainment import Entrainment, tempo_of
from avatar_service.motion.head import HeadTick

pytestmark = pytest.mark.unit

SYLLABLES_HZ = 3.0


def sway(tick: int) -> HeadTick:
    """A slow turn: half a radian each way within 8 s."""
    phase = 2 * np.pi * 0.125 * tick * TICK_SECS
    turn = np.zeros(6)
    turn[0] = 1.0
    return HeadTick(0.5 * np.sin(phase) * turn, 0.5 * 2 * np.pi * 0.125 * np.cos(phase) * turn)


def shown(pulses: np.ndarray, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Yaw and its rate, (T,) each."""
    entrainment = Entrainment()
    ticks = [
        entrainment.step(sway(i), tempo_of(float(pulse), strength))
        for i, pulse in enumerate(pulses)
    ]
    return np.array([t.value[0] for t in ticks]), np.array([t.rate[0] for t in ticks])


def pulses(count: int = 500) -> np.ndarray:
    return 0.25 * np.sin(2 * np.pi * SYLLABLES_HZ * np.arange(count) * TICK_SECS)


def test_without_a_pulse_the_sway_is_shown_a_constant_time_later() -> None:
    value, _ = shown(np.zeros(300))
    late = [sway(i).value[0] for i in np.arange(300) - 0.14 / TICK_SECS]
    np.testing.assert_allclose(value[20:], late[20:], atol=1e-4)


def test_the_head_is_faster_on_syllables_and_passes_the_same_poses() -> None:
    beat = pulses()
    value, _ = shown(beat)
    plain, _ = shown(np.zeros_like(beat))
    speed = np.abs(np.diff(value))[50:] / np.maximum(1e-3, np.abs(np.diff(plain))[50:])
    loud, soft = beat[51:] > 0.15, beat[51:] < -0.15
    assert np.median(speed[loud]) > 1.25
    assert np.median(speed[soft]) < 0.8
    assert value.std() == pytest.approx(plain.std(), rel=0.03)
    assert np.abs(value - plain).max() < 0.06  # never far from where it would have been


def test_a_voice_that_stays_loud_does_not_run_ahead() -> None:
    value, _ = shown(np.full(500, 0.5))
    newest = np.array([sway(i).value[0] for i in range(500)])
    assert np.abs(value - newest)[50:].max() < 0.02
    slow, _ = shown(np.full(500, -0.5))
    assert np.isfinite(slow).all()


def test_strength_0_keeps_no_time() -> None:
    np.testing.assert_array_equal(shown(pulses(), 0.0)[0], shown(np.zeros(500))[0])


def test_rates_are_the_slopes_of_the_values() -> None:
    value, rate = shown(pulses())
    slope = np.diff(value) / TICK_SECS
    mean_rate = (rate[1:] + rate[:-1]) / 2
    assert np.abs(slope - mean_rate)[20:].max() < 0.12 * np.abs(slope).max()
