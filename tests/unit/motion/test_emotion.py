from dataclasses import replace

import numpy as np
import pytest

from avatar_service.motion.emotion import (
    EMOTION_FACE,
    EMOTION_HEAD,
    SuggestedEmotion,
    blend_norm,
)
from avatar_service.motion.rhythm import Beat
from avatar_service.motion.streams import random_stream
from avatar_service.schema import EMOTION_NAMES, EXPRESSION_INDEX, EXPRESSION_NAMES

pytestmark = pytest.mark.unit


def face(name: str) -> dict[str, float]:
    row = EMOTION_FACE[EMOTION_NAMES.index(name)]
    return {EXPRESSION_NAMES[i]: float(row[i]) for i in np.flatnonzero(row)}


def test_neutral_is_nothing_and_all_others_differ() -> None:
    assert face("neutral") == {}
    assert not EMOTION_HEAD[EMOTION_NAMES.index("neutral")].any()
    normed = EMOTION_FACE[1:] / np.linalg.norm(EMOTION_FACE[1:], axis=1, keepdims=True)
    similarity = normed @ normed.T - np.eye(len(normed))
    assert similarity.max() < 0.85
    assert EMOTION_FACE.min() >= 0
    assert EMOTION_FACE.max() <= 0.8


def test_all_faces_but_contempt_are_symmetric() -> None:
    for name in set(EMOTION_NAMES) - {"contemptuous"}:
        shapes = face(name)
        for shape, weight in shapes.items():
            if shape.endswith("Left"):
                assert shapes[shape.removesuffix("Left") + "Right"] == weight
    assert "mouthSmileRight" not in face("contemptuous")


def test_no_emotion_moves_the_gaze_or_the_tongue() -> None:
    for shape, index in EXPRESSION_INDEX.items():
        if shape.startswith("eyeLook") or shape == "tongueOut":
            assert not EMOTION_FACE[:, index].any()


def test_mixed_feelings_share_one_face() -> None:
    assert blend_norm(np.full(8, 0.1)) == 1
    assert blend_norm(np.ones(8)) == pytest.approx(8**0.5)


def test_the_voice_only_hints() -> None:
    suggested = SuggestedEmotion()
    lively = replace(Beat(), speaking=1.0, arousal=1.0)
    suggested.step(lively)
    assert suggested.weights.max() < 0.01  # slow
    for _ in range(2_000):
        suggested.step(lively)
    assert 0.05 < suggested.weights.max() <= 0.12
    for _ in range(400):
        suggested.step(Beat())
    assert suggested.weights.max() < 0.001


def test_random_streams_are_apart_and_reproducible() -> None:
    first = random_stream(5, "head").standard_normal(4)
    np.testing.assert_array_equal(first, random_stream(5, "head").standard_normal(4))
    assert not np.array_equal(first, random_stream(5, "gaze").standard_normal(4))
    assert not np.array_equal(first, random_stream(6, "head").standard_normal(4))
    random_stream(2**63, "head")  # any 64 bits
