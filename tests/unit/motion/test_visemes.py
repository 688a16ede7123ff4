"""Phones of three alphabets, and the curves of known phones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.coarticulation import (
    GRID_SECS,
    articulator_grid,
    mouth_grid,
    sample_grid,
    viseme_grid,
)
from avatar_service.motion.lip_shapes import aperture, lip_shapes
from avatar_service.motion.phones import ALPHABETS, TimedPhone, canonical_phones, split_symbol
from avatar_service.motion.visemes import (
    ARTICULATORS,
    BILABIALS,
    CLOSURE,
    JAW,
    LABIODENTAL,
    LABIODENTALS,
    NUM_ARTICULATORS,
    ROUNDING,
    SHAPES,
    VISEME_INDEX,
    VISEMES,
)

pytestmark = pytest.mark.unit

Spoken = list[tuple[str, float]]
words = st.lists(
    st.tuples(st.sampled_from(sorted(SHAPES)), st.floats(0.03, 0.3)), min_size=1, max_size=20
)


def timeline(spoken: Spoken) -> list[TimedPhone]:
    phones, start = [], 0.0
    for symbol, secs in spoken:
        phones.append(TimedPhone(start, start + secs, symbol))
        start += secs
    return phones


def test_every_shape_names_a_viseme_and_stays_in_range() -> None:
    assert {shape.viseme for shape in SHAPES.values()} == set(VISEMES)
    for shape in SHAPES.values():
        for value in (shape.jaw, shape.rounding, shape.funnel, shape.spread, shape.tongue):
            assert 0 <= value <= 1
    assert {"P", "B", "M"} == BILABIALS
    assert {"F", "V"} == LABIODENTALS


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ({"arpabet": "p", "espeak": "p", "ipa": "pʰ"}, ("P",)),
        ({"arpabet": "AY1", "espeak": "aI", "ipa": "aɪ"}, ("AA", "IH")),
        ({"arpabet": "CH", "espeak": "tS", "ipa": "t͡ʃ"}, ("CH",)),
        ({"arpabet": "dh", "espeak": "D", "ipa": "ð"}, ("DH",)),
        ({"arpabet": "UW0", "espeak": "u:", "ipa": "ˈuː"}, ("UW",)),
        ({"arpabet": "pau", "espeak": "_:", "ipa": "sil"}, ("SIL",)),
        ({"arpabet": "<sil>"}, ("SIL",)),
        ({"ipa": "ç"}, ("CX",)),
        ({"espeak": "y:", "ipa": "yː"}, ("UE",)),
    ],
)
def test_alphabets_agree(symbols: dict[str, str], expected: tuple[str, ...]) -> None:
    for alphabet, symbol in symbols.items():
        assert split_symbol(symbol, alphabet) == expected


@pytest.mark.parametrize(("symbol", "alphabet"), [("QQ", "arpabet"), ("", "ipa"), ("p", "klingon")])
def test_unknown_symbols_and_alphabets_are_refused(symbol: str, alphabet: str) -> None:
    with pytest.raises(AvatarError) as caught:
        split_symbol(symbol, alphabet)
    assert caught.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    "times", [(0.2, 0.1), (float("nan"), 1.0), (0.0, float("inf"))], ids=["back", "nan", "inf"]
)
def test_impossible_times_are_refused(times: tuple[float, float]) -> None:
    with pytest.raises(AvatarError, match="finite"):
        canonical_phones([TimedPhone(*times, "P")], "arpabet")


def test_overlapping_phones_are_refused() -> None:
    with pytest.raises(AvatarError, match="predecessor"):
        canonical_phones([TimedPhone(0, 0.2, "P"), TimedPhone(0.1, 0.3, "AA")], "arpabet")


def test_a_diphthong_becomes_two_phones_that_fill_its_time() -> None:
    parts = canonical_phones([TimedPhone(1.0, 1.2, "OY")], "arpabet")
    assert [part.symbol for part in parts] == ["AO", "IH"]
    assert parts[0].start_secs == 1.0
    assert parts[0].end_secs == parts[1].start_secs
    assert parts[1].end_secs == 1.2


@settings(deadline=None, max_examples=60)
@given(words)
def test_curves_are_finite_in_range_and_seal_exactly_the_bilabials(spoken: Spoken) -> None:
    phones = timeline(spoken)
    duration = phones[-1].end_secs + 0.2
    grid = articulator_grid(phones, duration)
    assert grid.shape == (int(np.ceil(duration / GRID_SECS - 1e-9)), NUM_ARTICULATORS)
    assert np.isfinite(grid).all()
    assert grid.min() >= 0
    assert grid.max() <= 1
    centres = (np.arange(len(grid)) + 0.5) * GRID_SECS
    for column, kind in ((CLOSURE, BILABIALS), (LABIODENTAL, LABIODENTALS)):
        wanted = np.zeros(len(grid), bool)
        for phone in phones:
            inside = (centres > phone.start_secs) & (centres < phone.start_secs + 0.04)
            if phone.symbol in kind:
                assert grid[inside, column].max() == pytest.approx(1.0)
                wanted |= (centres > phone.start_secs - 0.05) & (centres < phone.end_secs + 0.1)
        assert grid[~wanted, column].max(initial=0) == 0


def test_ramps_of_a_seal_take_forty_milliseconds() -> None:
    phones = timeline([("AA", 0.3), ("M", 0.1), ("AA", 0.3)])
    closure = articulator_grid(phones, 0.7)[:, CLOSURE]
    rising = np.flatnonzero((closure > 0) & (closure < 1))
    rising = rising[rising * GRID_SECS < 0.3]
    assert len(rising) * GRID_SECS == pytest.approx(0.04, abs=2 * GRID_SECS)


def test_open_vowels_open_the_jaw_more_than_close_ones_and_seals_raise_it() -> None:
    phones = timeline([("AA", 0.3), ("IY", 0.3), ("M", 0.1), ("AA", 0.3)])
    jaw = articulator_grid(phones, 1.0)[:, JAW]
    at = {name: jaw[int(secs / GRID_SECS)] for name, secs in
          {"aa": 0.15, "iy": 0.45, "m": 0.65}.items()}  # fmt: skip
    assert at["aa"] > 2 * at["iy"] > 2 * at["m"]


def test_rounding_reaches_into_the_consonant_before_a_rounded_vowel() -> None:
    middle = int(0.25 / GRID_SECS)
    two, tee = (
        articulator_grid(timeline([("AA", 0.2), ("T", 0.1), (vowel, 0.2)]), 0.5)[middle, ROUNDING]
        for vowel in ("UW", "IY")
    )
    assert two > 0.3
    assert tee < 0.1


def test_viseme_labels_follow_the_phones_and_mask_the_unknown() -> None:
    phones = timeline([("HH", 0.1), ("IY", 0.1), ("UNK", 0.1), ("P", 0.1)])
    labels = viseme_grid(phones, 0.5)
    names = [VISEMES[v] if v >= 0 else "?" for v in labels[10::20]]
    assert names == ["ih", "ih", "?", "PP", "sil"]
    assert VISEME_INDEX["sil"] == 0


def test_sampling_between_cells_is_linear_and_holds_beyond_the_ends() -> None:
    grid = np.arange(4, dtype=np.float32)[:, None] * np.ones((1, len(ARTICULATORS)), np.float32)
    times = np.array([-1.0, 0.0025, 0.005, 9.0], np.float32)
    np.testing.assert_allclose(sample_grid(grid, times)[:, 0], [0, 0, 0.5, 3], atol=1e-5)


def test_alphabets_are_named() -> None:
    assert set(ALPHABETS) == {"arpabet", "espeak", "ipa"}


def test_the_mouth_of_known_phones_opens_no_faster_than_people_do() -> None:
    phones = timeline([("AA", 0.2), ("B", 0.09), ("AA", 0.25), ("F", 0.1), ("AE", 0.25)])
    shown, wanted = (grid(phones, 0.9) for grid in (mouth_grid, articulator_grid))
    for column in (CLOSURE, LABIODENTAL):
        contact = shown[:, column]
        assert (contact >= wanted[:, column]).all()
        np.testing.assert_array_equal(contact > 0.5, wanted[:, column] > 0.5)  # seals as before
        assert np.diff(contact[contact < 0.5]).min() > -0.051
        assert contact.min() == 0
    opening, before = (np.diff(aperture(lip_shapes(grid))[::4]).max() for grid in (shown, wanted))
    assert opening < min(0.4, 0.75 * before)  # in 20 ms; 1 is some 24 mm
