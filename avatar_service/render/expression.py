"""From the latent's coefficients to those of the portrait's shapes.

The photo is rarely neutral: a parted mouth is closed and a smile relaxed first, and what the
latent asks for is measured from that neutral face.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.jit import kernel
from avatar_service.portrait.blendshapes import NUM_SHAPES, SOURCE_CLOSE, SOURCE_UNSMILE
from avatar_service.portrait.shapes_mouth import UPPER_LIP_CLOSES
from avatar_service.schema import (
    EXPRESSION_INDEX,
    EXPRESSION_MAX,
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
    NUM_EXPRESSIONS,
)
from avatar_service.signals import Float32Array

_JAW_OPEN: Final = EXPRESSION_INDEX["jawOpen"]
_MOUTH_CLOSE: Final = EXPRESSION_INDEX["mouthClose"]
_FUNNEL: Final = EXPRESSION_INDEX["mouthFunnel"]
_PUCKER: Final = EXPRESSION_INDEX["mouthPucker"]
_SMILES: Final = (EXPRESSION_INDEX["mouthSmileLeft"], EXPRESSION_INDEX["mouthSmileRight"])
_SMILE_LEFT, _SMILE_RIGHT = _SMILES
# eyeLookDown/In/Out/Up stand in this order in both eyes.
_LOOK: Final = np.array([EXPRESSION_INDEX["eyeLookDownLeft"], EXPRESSION_INDEX["eyeLookDownRight"]])
assert EXPRESSION_INDEX["eyeLookUpLeft"] == _LOOK[0] + 3
_SNEER, _CHEEK, _SQUINT, _BROW_OUTER, _BROW_DOWN = (
    EXPRESSION_INDEX[name + "Left"]
    for name in ("noseSneer", "cheekSquint", "eyeSquint", "browOuterUp", "browDown")
)
_PUFF: Final = EXPRESSION_INDEX["cheekPuff"]
_BROW_INNER: Final = EXPRESSION_INDEX["browInnerUp"]
_CLOSE_ALONE: Final = 0.25
"""mouthClose counters jawOpen; beyond it lips may be pressed together by this much."""


@kernel
def resolve_gaze(expression: Float32Array, gaze: Float32Array, out: Float32Array) -> None:
    """Set out (2, 2) to the gaze shown, rows left and right, columns yaw and pitch.

    Gaze is the authority. Where an eye's gaze is exactly zero, its eyeLook* coefficients are read
    instead, so that a track of coefficients alone moves the eyes too.
    """
    for eye in range(2):
        yaw, pitch = gaze[eye, 0], gaze[eye, 1]
        if yaw == 0 and pitch == 0:
            down = _LOOK[eye]
            # In is towards the nose: to the subject's right for the left eye.
            inward = expression[down + 1] - expression[down + 2]
            sign = np.float32(-1) if eye == 0 else np.float32(1)
            yaw = sign * inward * np.float32(MAX_GAZE_YAW_RADIANS)
            pitch = (expression[down] - expression[down + 3]) * np.float32(MAX_GAZE_PITCH_RADIANS)
        limit_yaw, limit_pitch = (
            np.float32(MAX_GAZE_YAW_RADIANS),
            np.float32(MAX_GAZE_PITCH_RADIANS),
        )
        out[eye, 0] = min(max(yaw, -limit_yaw), limit_yaw)
        out[eye, 1] = min(max(pitch, -limit_pitch), limit_pitch)


@kernel
def resolve_expression(
    expression: Float32Array,
    gaze: Float32Array,
    jaw_gap: float,
    source_gap: float,
    source_smile: float,
    neutralize: float,
    shown: Float32Array,
    shapes: Float32Array,
) -> float:
    """Work out the effective coefficients.

    Args:
        expression: (52,) of the latent.
        gaze: (2, 2) of resolve_gaze.
        jaw_gap: lip opening at jawOpen 1, units.
        source_gap: lip opening in the photo, units; 0 = closed.
        source_smile: of the photo, 0..1.
        neutralize: 1 removes the photo's own expression, 0 keeps it.
        shown: (52,) out: clamped coefficients, eyeLook* from the gaze.
        shapes: (NUM_SHAPES,) out.

    Returns:
        Opening of the jaw, 1 = jawOpen 1, with what the photo's own mouth adds.
    """
    for i in range(NUM_EXPRESSIONS):
        shown[i] = min(max(expression[i], np.float32(0)), np.float32(EXPRESSION_MAX))
    for eye in range(2):
        down = _LOOK[eye]
        pitch = gaze[eye, 1] / np.float32(MAX_GAZE_PITCH_RADIANS)
        outward = gaze[eye, 0] / np.float32(MAX_GAZE_YAW_RADIANS)
        if eye == 1:
            outward = -outward
        shown[down] = max(pitch, np.float32(0))
        shown[down + 3] = max(-pitch, np.float32(0))
        shown[down + 1] = max(-outward, np.float32(0))
        shown[down + 2] = max(outward, np.float32(0))
    for i in range(NUM_EXPRESSIONS):
        shapes[i] = shown[i]
    for i in range(NUM_EXPRESSIONS, NUM_SHAPES):
        shapes[i] = np.float32(0)
    jaw = shown[_JAW_OPEN]
    shapes[_MOUTH_CLOSE] = min(shown[_MOUTH_CLOSE], jaw + np.float32(_CLOSE_ALONE))
    opening = jaw
    if source_gap > 0:
        # The photo's own gap is used up first; only what is asked beyond it moves the jaw.
        wanted = jaw * jaw_gap * (1 - 0.9 * shapes[_MOUTH_CLOSE])
        closing = max(0.0, 1 - wanted / source_gap) * neutralize
        shapes[SOURCE_CLOSE] = closing
        shapes[_JAW_OPEN] = max(0.0, jaw - neutralize * source_gap / jaw_gap)
        # The upper lip takes part in the photo's gap, the jaw in the rest.
        lower = source_gap * np.float32(1 - UPPER_LIP_CLOSES)
        opening = shapes[_JAW_OPEN] + lower * (1 - closing) / jaw_gap
    if source_smile > 0:
        asked = min(1.0, 0.5 * (shown[_SMILE_LEFT] + shown[_SMILE_RIGHT]))
        # Rounded lips pull the corners in: nothing of a grin may stay beside them.
        rounded = min(1.0, shown[_FUNNEL] + shown[_PUCKER])
        shapes[SOURCE_UNSMILE] = neutralize * (1 - asked) * (1 + 0.25 * rounded)
        # What is left of the photo's smile is part of the smile that is asked for.
        keep = 1 - 0.4 * source_smile * neutralize
        shapes[_SMILE_LEFT] = shown[_SMILE_LEFT] * keep
        shapes[_SMILE_RIGHT] = shown[_SMILE_RIGHT] * keep
    return float(opening)


@kernel
def pull_folds(shown: Float32Array, full: int, out: np.ndarray) -> None:
    """Set out (8,) to how far each group of expression_folds.GROUPS pulls, full = fully.

    Args:
        shown: (52,) of resolve_expression.
        full: the number that stands for 1.
        out: int32, [0] is 1 where any group pulls, [1 + k] is group k's.
    """
    one = np.float32(1)
    any_pull = 0
    for side in range(2):  # left, right: neighbours in the schema
        smile = shown[_SMILE_LEFT + side] + np.float32(0.5) * shown[_SNEER + side]
        cheek = (
            np.float32(0.7) * shown[_CHEEK + side]
            + np.float32(0.4) * shown[_SQUINT + side]
            + np.float32(0.35) * shown[_SMILE_LEFT + side]
        )
        out[1 + side] = int(min(smile, one) * full)
        out[3 + side] = int(min(cheek, one) * full)
    brows = shown[_BROW_INNER] + np.float32(0.2) * (shown[_BROW_OUTER] + shown[_BROW_OUTER + 1])
    out[5] = int(min(brows, one) * full)
    out[6] = int(min(np.float32(0.5) * (shown[_BROW_DOWN] + shown[_BROW_DOWN + 1]), one) * full)
    out[7] = int(min(shown[_PUFF], one) * full)
    for k in range(1, 8):
        any_pull += out[k]
    out[0] = 1 if any_pull > 0 else 0
