from dataclasses import replace

import numpy as np
import pytest

from avatar_service.motion.controls import ControlSchedule, EasedControls
from avatar_service.motion.gestures import Gestures
from avatar_service.motion.rhythm import Beat
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES
from avatar_service.signals import Controls

pytestmark = pytest.mark.unit

SILENCE = Beat()
SPEECH = replace(SILENCE, speaking=1.0, loudness=0.5, pause_secs=0.0)
EMPHASIS = replace(SPEECH, accent=0.9, emphasis=0.8)
BREAK = replace(SPEECH, is_break=True)
RESUMED = replace(SPEECH, resumed_secs=0.5)
BROW = EXPRESSION_INDEX["browInnerUp"]
SMILE = EXPRESSION_INDEX["mouthSmileLeft"]
SENTENCE = [RESUMED, *[SPEECH] * 24, EMPHASIS, *[SPEECH] * 30, BREAK, *[SPEECH] * 5]


def eased(controls: Controls | None = None) -> EasedControls:
    return ControlSchedule(controls or Controls()).step(0)


def run(
    beats: list[Beat],
    seed: int = 0,
    *,
    heard: list[Beat] | None = None,
    controls: Controls | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Head in degrees (T, 3) and face (T, 52)."""
    gestures, heads, faces = Gestures(seed), [], []
    for i, beat in enumerate(beats):
        gestures.step(beat, heard[i] if heard else SILENCE, eased(controls))
        heads.append(np.degrees(gestures.head.value[:3]))
        faces.append(gestures.face)
    return np.array(heads), np.array(faces)


def effect(event: Beat, seed: int, plain: Beat = SPEECH) -> tuple[np.ndarray, np.ndarray]:
    """What an event in steady speech adds."""
    with_it, without = (
        run([SPEECH] * 20 + [beat] + [SPEECH] * 40, seed) for beat in (event, plain)
    )
    return with_it[0] - without[0], with_it[1] - without[1]


def test_emphasis_raises_the_brows_mostly_and_beats_with_the_head() -> None:
    effects = [effect(EMPHASIS, seed) for seed in range(60)]
    raised = np.array([face[:, BROW].max() for _, face in effects])
    assert 0.5 < np.mean(raised > 0.1) < 0.8
    assert 0.25 < np.median(raised[raised > 0.1]) < 0.6
    nods = np.array([np.abs(head[:, 1]).max() for head, _ in effects])
    assert (nods > 1).mean() > 0.9
    assert 2 < np.median(nods) < 7
    for head, face in effects:  # it is over within 1.6 s, and nothing jumps
        assert np.abs(head[-1]).max() < 0.6
        assert np.abs(face[-1]).max() < 0.03
        assert np.abs(np.diff(face, axis=0)).max() < 0.15


def test_noise_is_no_emphasis() -> None:
    noise = replace(SILENCE, accent=0.9, emphasis=0.9)
    for seed in range(20):
        heads, faces = run([SILENCE] * 5 + [noise] + [SILENCE] * 20, seed)
        plain = run([SILENCE] * 26, seed)
        assert np.array_equal(heads, plain[0])
        assert np.array_equal(faces, plain[1])


def small_beats(style: str) -> int:
    """How many of 60 lives of a style answer an ordinary accent."""
    beats = [SPEECH] * 40
    found = 0
    for seed in range(60):
        asked = Controls(speaking_style=style)
        plain = run(beats, seed, controls=asked)[0]
        accented = [*beats[:20], replace(SPEECH, accent=0.7), *beats[21:]]
        found += np.abs(run(accented, seed, controls=asked)[0] - plain).max() > 0.1
    return found


def test_some_ordinary_accents_get_a_small_beat_and_more_of_a_lively_speaker() -> None:
    plain = replace(SPEECH, accent=0.7)
    effects = [effect(plain, seed) for seed in range(60)]
    nods = np.array([np.abs(head).max() for head, _ in effects])
    assert 0.3 < np.mean(nods > 0.3) < 0.6
    assert np.median(nods[nods > 0.3]) < 3
    assert max(np.abs(face).max() for _, face in effects) == 0
    lively, calm = (small_beats(style) for style in ("lively", "calm"))
    assert lively > np.sum(nods > 0.3) > calm


def test_breaks_bring_a_smile_or_a_nod_now_and_then() -> None:
    effects = [effect(BREAK, seed) for seed in range(60)]
    nods = np.array([head[20:35, 1].max() for head, _ in effects])  # + looks down
    assert 0.15 < np.mean(nods > 1) < 0.55
    smiles = np.array([face[:, SMILE].max() for _, face in effects])
    assert 0.2 < np.mean(smiles > 0.1) < 0.6


def test_the_chin_lifts_where_speech_goes_on_and_sinks_within_the_phrase() -> None:
    pitch = np.array(
        [run([SPEECH] * 40 + [RESUMED] + [SPEECH] * 75, s)[0][:, 1] for s in range(60)]
    )
    before, lifted, sunk = pitch[:, 35].mean(), pitch[:, 50].mean(), pitch[:, 110].mean()
    assert lifted < before - 2
    assert sunk > lifted + 2


def test_breath_lifts_the_chin_in_a_pause() -> None:
    pause = [replace(SILENCE, speaking=0.8 * 0.95**i, pause_secs=0.04 * i) for i in range(20)]
    pitch = [run([SPEECH] * 60 + pause, s)[0][:, 1] for s in range(30)]
    assert np.mean([line[-1] - line[59] for line in pitch]) < -1


def test_a_turn_begins_with_a_greeting() -> None:
    greeted = [effect(replace(SPEECH, resumed_secs=100.0), s, RESUMED)[1] for s in range(40)]
    assert np.mean([face[:, BROW].max() > 0.1 for face in greeted]) > 0.6


def test_sentences_differ_in_mood_and_attitude() -> None:
    heads, faces = run(SENTENCE * 12, seed=3)
    each = len(SENTENCE)
    yaw = heads[:, 0].reshape(-1, each)[:, each // 2 :].mean(axis=1)
    smile = faces[:, SMILE].reshape(-1, each)[:, each // 2 :].mean(axis=1)
    assert 1 < yaw.std() < 6
    assert 0.02 < smile.std() < 0.2


def test_nothing_gathers_in_ten_minutes() -> None:
    heads, faces = run(SENTENCE * 250, seed=1)
    assert np.abs(heads).max() < 20
    assert faces.max() < 1
    half = len(faces) // 2
    assert faces[half:].std() == pytest.approx(faces[:half].std(), rel=0.2)
    assert faces[:, BROW].mean() < 0.25  # brows are not raised for good


def test_nothing_can_open_sealed_lips() -> None:
    moved = {name for name, used in zip(EXPRESSION_NAMES, np.abs(run(SENTENCE * 9)[1]).max(0) > 0,
                                        strict=True) if used}  # fmt: skip
    assert {name for name in moved if name.startswith(("jaw", "mouth", "nose", "tongue"))} == {
        "mouthSmileLeft", "mouthSmileRight", "mouthDimpleLeft", "mouthDimpleRight",
    }  # fmt: skip


def test_the_partners_phrase_end_is_answered_by_a_nod() -> None:
    quiet = [SILENCE] * 60
    heard = [replace(SILENCE, is_phrase_end=i == 20) for i in range(60)]
    answered = [
        np.abs(run(quiet, s, heard=heard)[0] - run(quiet, s)[0])[:, 1].max() > 1 for s in range(40)
    ]
    assert 0.4 < np.mean(answered) < 0.9


def test_idle_people_change_their_mood_now_and_then() -> None:
    def num_moods(controls: Controls) -> int:
        smile = run([SILENCE] * 25 * 60, 2, controls=controls)[1][:, SMILE]
        return len(np.unique(smile[::50].round(2)))

    assert num_moods(Controls()) > 4
    assert num_moods(Controls(idle=0.0)) == 1


def test_a_feeling_asked_for_takes_the_place_of_moods() -> None:
    def mood(controls: Controls) -> float:
        return float(np.mean([run([RESUMED] + [SPEECH] * 60, s, controls=controls)[1][-1, SMILE]
                              for s in range(20)]))  # fmt: skip

    assert mood(Controls(emotion={"sad": 1.0})) < 0.05 * mood(Controls())


def test_equal_seeds_are_equal_and_reseeding_changes_what_is_to_come_only() -> None:
    np.testing.assert_array_equal(run(SENTENCE, 5)[0], run(SENTENCE, 5)[0])
    one, other = Gestures(5), Gestures(5)
    for i, beat in enumerate(SENTENCE * 4):
        if i == 100:
            other.reseed(9)
        one.step(beat, SILENCE, eased())
        other.step(beat, SILENCE, eased())
        if i < 100:
            assert np.array_equal(one.head.value, other.head.value)
    assert not np.allclose(one.head.value, other.head.value)


def test_rates_are_the_slopes_of_the_values() -> None:
    gestures, values, rates = Gestures(0), [], []
    for beat in SENTENCE * 4:
        gestures.step(beat, SILENCE, eased())
        values.append(np.concatenate([10 * gestures.head.value, gestures.face]))
        rates.append(np.concatenate([10 * gestures.head.rate, gestures.face_rate]))
    slopes = np.diff(values, axis=0) / 0.04
    mean_rates = (np.array(rates)[1:] + np.array(rates)[:-1]) / 2
    assert np.abs(slopes - mean_rates).max() < 0.35 * np.abs(slopes).max()
