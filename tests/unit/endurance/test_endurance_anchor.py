import numpy as np
import pytest

from avatar_service.endurance.anchor import GRID_SECS, SpokenSegment, jaw_shifts_ms

pytestmark = pytest.mark.unit


def segment(shift_secs: float, seed: int) -> SpokenSegment:
    at = np.arange(0, 4, GRID_SECS) - shift_secs
    jaw = np.maximum(np.sin(2 * np.pi * 4 * at), 0) * (np.sin(2 * np.pi * 0.7 * at) > -0.5)
    noise = np.random.default_rng(seed).normal(0, 0.05, len(at))
    return SpokenSegment(0.0, 0.0, (jaw + noise).astype(np.float32), 0.0, 0)


@pytest.mark.parametrize("millis", [-60.0, -3.0, 0.0, 4.0, 11.0, 100.0])
def test_a_moved_jaw_is_measured_to_a_millisecond_or_so(millis: float) -> None:
    segments = [*(segment(0.0, seed) for seed in range(5)), segment(millis / 1e3, 9)]
    shifts = jaw_shifts_ms(segments)
    assert shifts[0] == pytest.approx(0, abs=1.5)
    assert shifts[-1] == pytest.approx(millis, abs=1.5)
