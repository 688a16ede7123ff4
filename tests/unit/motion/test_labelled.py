"""Clips with phone labels: read, refused, and their pauses found by their sound."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from avatar_service.errors import AvatarError
from avatar_service.motion.labelled import pauses_heard, read_labels
from avatar_service.motion.phones import TimedPhone

pytestmark = pytest.mark.unit


def test_labels_of_the_aligner_are_moved_by_its_bias(tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text('[[0.0, 0.1, "SIL", -3], [0.1, 0.2, "M", -5]]')
    assert read_labels(path)[1].start_secs == pytest.approx(0.109)
    exact = resources.files("avatar_service") / "data" / "demo_speech.json"
    with resources.as_file(exact) as own:
        assert read_labels(own)[0].start_secs == pytest.approx(0.25)


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[[1]]", "3"])
def test_files_without_labels_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(text)
    with pytest.raises(AvatarError, match="no phone labels"):
        read_labels(path)


def _voice(*quiet: tuple[float, float]) -> np.ndarray:
    """Two seconds of a voice, 40 dB softer within the stretches given in seconds."""
    voice = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    for start, end in quiet:
        voice[round(start * 16000) : round(end * 16000)] *= 0.01
    return voice


def test_a_pause_within_a_phone_is_cut_out_of_it() -> None:
    before, k, after = (
        TimedPhone(0.0, 0.6, "AE"),
        TimedPhone(0.6, 1.0, "K"),
        TimedPhone(1.0, 2.0, "N"),
    )
    cut = pauses_heard(_voice((0.64, 0.9)), [before, k, after])
    assert [(p.symbol, round(p.start_secs, 2), round(p.end_secs, 2)) for p in cut] == [
        ("AE", 0.0, 0.6),
        ("K", 0.6, 0.64),
        ("SIL", 0.64, 0.9),
        ("K", 0.9, 1.0),
        ("N", 1.0, 2.0),
    ]


def test_the_silence_of_a_stop_and_labelled_pauses_stay_as_they_are() -> None:
    phones = [
        TimedPhone(0.0, 0.5, "AE"),
        TimedPhone(0.5, 0.7, "P"),
        TimedPhone(0.7, 1.2, "AE"),
        TimedPhone(1.2, 2.0, "SIL"),
    ]
    assert pauses_heard(_voice((0.5, 0.7), (1.2, 2.0)), phones) == phones
    assert pauses_heard(np.zeros(32000, np.float32), phones) == phones
    assert pauses_heard(np.zeros(0, np.float32), phones) == phones
    loud = (_voice((0.5, 0.75)) * 30000).astype(np.int16)
    assert [p.symbol for p in pauses_heard(loud, phones)] == ["AE", "P", "AE", "SIL"]


def test_a_long_stop_that_is_all_pause_vanishes_into_it() -> None:
    phones = [TimedPhone(0.0, 1.0, "AE"), TimedPhone(1.0, 1.4, "T"), TimedPhone(1.4, 2.0, "AE")]
    cut = pauses_heard(_voice((0.98, 1.42)), phones)
    assert [p.symbol for p in cut] == ["AE", "SIL", "AE"]
