from __future__ import annotations

import numpy as np
import pytest
from fakes.voice import fake_voice

from avatar_service.cli.neutral_vertices import neutral_vertices
from avatar_service.motion.baselines import energy_jaw, viseme_lookup
from avatar_service.motion.bench import phones_known
from avatar_service.motion.disturbances import CONDITIONS
from avatar_service.motion.labelled import read_clips_or_own
from avatar_service.motion.lip_shapes import aperture
from avatar_service.motion.metrics import score_clips
from avatar_service.motion.vertex_error import vertex_errors
from avatar_service.motion.visemes import VISEME_INDEX
from avatar_service.schema import EXPRESSION_INDEX

pytestmark = pytest.mark.unit


def test_a_jaw_error_moves_the_lips_by_millimetres_and_the_face_by_less() -> None:
    head = neutral_vertices()
    open_mouth = np.zeros((4, 52), np.float32)
    open_mouth[:, EXPRESSION_INDEX["jawOpen"]] = 0.3
    lips, whole = vertex_errors(open_mouth, np.zeros((9, 52), np.float32), head)
    assert 3 < lips < 15  # a third of a jaw that opens by three to four centimetres
    assert 0 < whole < 0.4 * lips
    assert vertex_errors(open_mouth, open_mouth, head) == (0, 0)


def test_baselines_move_the_mouth_and_know_nothing_of_its_context() -> None:
    voice = fake_voice(3.0)
    jaw = energy_jaw(voice)
    assert jaw[:, EXPRESSION_INDEX["jawOpen"]].std() > 0.05
    assert (jaw[:, EXPRESSION_INDEX["mouthPucker"]] == 0).all()
    said = np.array([VISEME_INDEX[name] for name in ("aa", "PP", "ou", "FF")])
    shown = viseme_lookup(said)
    gaps = aperture(shown)
    assert gaps[1] == 0
    assert gaps[0] > gaps[2] > 0
    assert shown[3, EXPRESSION_INDEX["mouthRollLower"]] > 0.3


def test_where_the_phones_are_known_every_closure_is_made() -> None:
    clips = [phones_known(clip) for clip in read_clips_or_own(None)]
    figures = score_clips(clips)
    assert figures["bilabial_recall"] >= 0.95
    assert figures["false_closures"] <= 0.05
    assert figures["labiodental_recall"] >= 0.95
    assert figures["viseme_f1"] > 0.99


@pytest.mark.parametrize("name", CONDITIONS)
def test_disturbed_speech_is_changed_but_in_time(name: str) -> None:
    voice = fake_voice(2.0)
    disturbed = CONDITIONS[name](voice)
    assert disturbed.shape == voice.shape
    assert disturbed.dtype == np.float32
    assert not np.array_equal(disturbed, voice)
    assert np.array_equal(disturbed, CONDITIONS[name](voice))
    both = np.fft.rfft([voice, disturbed], 1 << 17)
    delay = int(np.argmax(np.fft.irfft(both[1] * both[0].conj())))
    # The low-pass of a telephone line and the room may delay by their own few samples.
    assert min(delay, (1 << 17) - delay) <= 12
