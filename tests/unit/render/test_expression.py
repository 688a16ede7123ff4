"""The jaw of a photo that shows an open mouth."""

import numpy as np
import pytest

from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.shapes_mouth import UPPER_LIP_CLOSES
from avatar_service.render.expression import resolve_expression
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS

pytestmark = pytest.mark.unit

JAW_GAP, SOURCE_GAP = 0.24, 0.12


def opening_at(jaw: float, source_gap: float) -> float:
    expression = np.zeros(NUM_EXPRESSIONS, np.float32)
    expression[EXPRESSION_INDEX["jawOpen"]] = jaw
    shown, shapes = np.zeros_like(expression), np.zeros(NUM_SHAPES, np.float32)
    gaze = np.zeros((2, 2), np.float32)
    return resolve_expression(expression, gaze, JAW_GAP, source_gap, 0.0, 1.0, shown, shapes)


def test_teeth_go_down_with_the_lower_lip_where_the_upper_one_opens_too():
    assert opening_at(0.0, SOURCE_GAP) == pytest.approx(0.0)
    assert opening_at(0.6, 0.0) == pytest.approx(0.6)
    # Of the photo's own gap the upper lip makes its share; beyond it the jaw makes all.
    by_upper = UPPER_LIP_CLOSES * SOURCE_GAP / JAW_GAP
    assert opening_at(0.6, SOURCE_GAP) == pytest.approx(0.6 - by_upper, abs=1e-5)
    assert opening_at(1.0, SOURCE_GAP) == pytest.approx(1.0 - by_upper, abs=1e-5)
