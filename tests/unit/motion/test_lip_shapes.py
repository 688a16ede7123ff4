"""Articulators to ARKit: seals close, contacts show, styles scale, nothing leaves its range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.errors import AvatarError
from avatar_service.motion import seals
from avatar_service.motion.articulation import phone_articulators
from avatar_service.motion.lip_shapes import aperture, lip_shapes
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.seals import MouthShaper, RestGate, Seal, SealLimits
from avatar_service.motion.visemes import (
    CLOSURE,
    JAW,
    LABIODENTAL,
    NUM_ARTICULATORS,
    ROUNDING,
    SPREAD,
    TONGUE,
)
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_MAX, EXPRESSION_NAMES

pytestmark = pytest.mark.unit

_BEGIN = SealLimits().begin
_SURE = _BEGIN + seals._SURE_OVER_BEGIN

level = st.floats(0, 1)
rows = st.lists(level, min_size=NUM_ARTICULATORS, max_size=NUM_ARTICULATORS)


def row(**values: float) -> np.ndarray:
    columns = {"jaw": JAW, "closure": CLOSURE, "rounding": ROUNDING, "spread": SPREAD,
               "labiodental": LABIODENTAL, "tongue": TONGUE}  # fmt: skip
    articulators = np.zeros(NUM_ARTICULATORS, np.float32)
    for name, value in values.items():
        articulators[columns[name]] = value
    return articulators


def coefficient(expression: np.ndarray, name: str) -> float:
    return float(expression[..., EXPRESSION_INDEX[name]])


@settings(deadline=None, max_examples=100)
@given(rows, st.floats(0.3, 1.5), st.floats(0.3, 1.5), level)
def test_coefficients_are_finite_in_range_and_only_of_the_mouth(
    values: list[float], jaw_gain: float, lip_gain: float, smile: float
) -> None:
    out = lip_shapes(
        np.array(values, np.float32), jaw_gain=jaw_gain, lip_gain=lip_gain, smile=smile
    )
    assert out.shape == (len(EXPRESSION_NAMES),)
    assert np.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= EXPRESSION_MAX
    for name, value in zip(EXPRESSION_NAMES, out, strict=True):
        assert value == 0 or name.startswith(("mouth", "jaw", "tongue"))


@settings(deadline=None, max_examples=100)
@given(rows, st.floats(0.3, 1.5), st.floats(0.3, 1.5))
def test_a_seal_closes_the_lips_whatever_else_the_mouth_does(
    values: list[float], jaw_gain: float, lip_gain: float
) -> None:
    articulators = np.array(values, np.float32)
    articulators[CLOSURE] = 1.0
    out = lip_shapes(articulators, jaw_gain=jaw_gain, lip_gain=lip_gain)
    assert coefficient(out, "mouthClose") >= coefficient(out, "jawOpen")
    assert float(aperture(out)) == 0


def test_rest_is_the_neutral_face() -> None:
    assert not lip_shapes(np.zeros(NUM_ARTICULATORS, np.float32)).any()


def test_lip_on_teeth_rolls_the_lower_lip_and_bares_the_teeth() -> None:
    out = lip_shapes(row(jaw=0.1, labiodental=1.0))
    assert coefficient(out, "mouthRollLower") > 0.4
    assert coefficient(out, "mouthUpperUpLeft") > 0.1
    assert coefficient(out, "mouthLowerDownLeft") < 0.05


def test_rounded_and_spread_lips_are_opposites() -> None:
    rounded, spread = lip_shapes(row(jaw=0.3, rounding=1)), lip_shapes(row(jaw=0.3, spread=1))
    assert coefficient(rounded, "mouthPucker") > 0.4 > 0.05 > coefficient(spread, "mouthPucker")
    assert coefficient(spread, "mouthStretchLeft") > 0.2 > coefficient(rounded, "mouthStretchLeft")


def test_a_smile_yields_to_rounded_lips() -> None:
    smiling = lip_shapes(row(jaw=0.3), smile=0.5)
    rounded = lip_shapes(row(jaw=0.3, rounding=1), smile=0.5)
    assert coefficient(smiling, "mouthSmileLeft") == pytest.approx(0.5)
    assert coefficient(rounded, "mouthSmileLeft") < 0.1


def test_the_open_mouth_stays_within_conversation() -> None:
    out = lip_shapes(row(jaw=0.8))
    assert 0.3 <= coefficient(out, "jawOpen") <= 0.6


def test_another_number_of_articulators_is_refused() -> None:
    with pytest.raises(AvatarError, match="articulators"):
        lip_shapes(np.zeros(3, np.float32))


@pytest.mark.parametrize("bilabial", ["P", "B", "M"])
@pytest.mark.parametrize("secs", [0.04, 0.08, 0.15])
def test_known_phones_always_close_and_open_again(bilabial: str, secs: float) -> None:
    phones = [
        TimedPhone(0.0, 0.2, "AA"),
        TimedPhone(0.2, 0.2 + secs, bilabial),
        TimedPhone(0.2 + secs, 0.6, "AA"),
    ]
    times = np.arange(0, 0.6, 0.02, dtype=np.float32)
    gap = aperture(lip_shapes(phone_articulators(phones, "arpabet", times)))
    wide = np.percentile(gap, 95)
    closed = times[gap < 0.1 * wide]
    assert len(closed)
    assert closed.min() >= 0.2 - 0.041
    assert closed.max() <= 0.2 + secs + 0.041
    assert gap[0:7].min() > 0.5 * wide


@settings(deadline=None, max_examples=100)
@given(st.lists(level, min_size=1, max_size=60))
def test_a_seal_lasts_within_its_limits_and_ramps_in_two_steps(levels: list[float]) -> None:
    limits = SealLimits(min_steps=4, max_steps=8)
    seal = Seal(limits)
    values = [seal.step(value) for value in [*levels, *([0.0] * 12)]]
    assert max(np.abs(np.diff([0.0, *values]))) <= 0.5 + 1e-9
    assert values[-1] == 0
    full = np.array(values) >= 1.0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], full.astype(int), [0]]))).reshape(-1, 2)
    for first, last in edges.tolist():
        assert limits.min_steps - 1 <= last - first <= limits.max_steps - 1


def test_a_short_dip_does_not_break_a_seal() -> None:
    seal = Seal(SealLimits())
    values = [seal.step(value) for value in [0.9, 0.9, 0.35, 0.9, 0.9, 0.0, 0.0, 0.0]]
    assert values[1:5] == [1.0] * 4


def test_the_mouth_rests_in_a_pause_but_not_in_a_stop() -> None:
    gate = RestGate()
    for _ in range(5):
        gate.step(0.0)
    stop = [gate.step(silence) for silence in (0.9, 0.2, 0.9, 0.0)]
    assert min(stop) == 1.0
    pause = [gate.step(0.9) for _ in range(15)]
    assert pause[-1] == 0.0
    breath = [gate.step(silence) for silence in (0.4, 0.35, 0.9, 0.9)]
    assert max(breath) == 0.0
    onset = [gate.step(0.1) for _ in range(2)]
    assert onset[-1] == 1.0


def test_masked_speech_closes_the_lips_on_less_proof() -> None:
    def closes(clarity: float, closure: float, bilabial: float) -> bool:
        shaper = MouthShaper()
        curves = row(jaw=0.4, closure=closure)
        shown = [shaper.step(curves, 0.0, clarity=clarity, bilabial=bilabial) for _ in range(8)]
        return max(step[CLOSURE] for step in shown) == 1.0

    masked, clear = seals._MASKED_SHARE * _BEGIN, _SURE + 0.01
    between = (masked + _BEGIN) / 2
    told = [closes(clarity, between, between) for clarity in (1.0, 0.8, 0.2, 0.0)]
    assert told == [False, False, True, True]
    assert closes(1.0, clear, clear)
    assert closes(1.0, clear, 1.0)
    assert not closes(0.0, masked - 0.01, 1.0)
    # A closure is what the curve and the viseme both tell.
    assert not closes(1.0, clear, masked)
    assert not closes(1.0, masked, clear)


def test_doubtful_closures_bring_the_lips_near_and_no_more() -> None:
    def contact(*levels: float) -> list[float]:
        shaper = MouthShaper()
        rows = [row(jaw=0.4, closure=value) for value in levels]
        return [float(shaper.step(one, 0.0)[CLOSURE]) for one in rows]

    faint = _BEGIN + 0.02
    doubtful = contact(faint, _SURE - 0.02, faint, 0.1, 0.0, 0.0)
    assert max(doubtful) == pytest.approx(0.4)
    assert doubtful[-1] == 0
    late = _SURE + 0.1
    assert max(contact(faint, late, late, late)) == 1  # proof that comes late seals
    assert max(contact(faint, 0.1, 0.0, 0.0)) == pytest.approx(0.4)


def test_the_mouth_opens_no_faster_than_people_do() -> None:
    def opening(rows: list[np.ndarray]) -> np.ndarray:
        shaper = MouthShaper()
        shown = np.stack([shaper.step(one, 0.0) for one in rows])
        return np.asarray(aperture(lip_shapes(shown)))

    bilabial = [row(jaw=0.4, closure=0.9)] * 5 + [row(jaw=0.55)] * 8
    gap = opening(bilabial)
    wide = float(gap[-1])
    assert wide > 0.5
    assert np.diff(gap).max() < 0.25  # in 20 ms; 1 is some 24 mm
    shut = int(np.flatnonzero(gap[3:] > 0.1 * wide)[0]) + 3
    assert 5 <= shut <= 6  # the closure lasts five steps: the release is not later for it
    assert opening([row()] * 3 + [row(jaw=0.6)] * 5)[3] < 0.27


def test_in_a_pause_shaped_rows_are_exactly_still() -> None:
    rng = np.random.default_rng(0)
    shaper = MouthShaper()
    for _ in range(10):
        shaper.step(rng.random(NUM_ARTICULATORS).astype(np.float32), 0.0)
    shown = [shaper.step(rng.random(NUM_ARTICULATORS).astype(np.float32), 0.95) for _ in range(25)]
    assert not np.diff(np.stack(shown[-5:]), axis=0).any()
