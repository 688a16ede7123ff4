"""The distinct pose, and its values in other tools' conventions, written without the table."""

from __future__ import annotations

import numpy as np

from avatar_service.schema import EXPRESSION_NAMES, NUM_EMOTIONS, NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame


def distinct_pose(pts_nanos: int = 0, seq: int = 0, scale: float = 1.0) -> MotionFrame:
    """All 52 coefficients, angles, offsets and weights differ, also in magnitude."""
    return MotionFrame(
        pts_nanos=pts_nanos,
        seq=seq,
        expression=((np.arange(NUM_EXPRESSIONS) + 3) / 64 * scale).astype(np.float32),
        head_rotation=(np.array([0.31, -0.17, 0.11]) * scale).astype(np.float32),
        head_translation=(np.array([0.07, -0.05, 0.13]) * scale).astype(np.float32),
        gaze=(np.array([[0.23, -0.19], [0.29, -0.14]]) * scale).astype(np.float32),
        emotion=((np.arange(NUM_EMOTIONS) + 1) / 40 * scale).astype(np.float32),
        speech=0.5,
    )


def live_link_signed(frame: MotionFrame) -> dict[str, float]:
    """Live Link's names: coefficients as they are; the head looks up, the eyes down and right."""
    named = {
        name[0].upper() + name[1:]: float(value)
        for name, value in zip(EXPRESSION_NAMES, frame.expression, strict=True)
    }
    yaw, pitch, roll = (float(v) for v in frame.head_rotation)
    named |= {"HeadYaw": yaw, "HeadPitch": -pitch, "HeadRoll": roll}
    for side, (eye_yaw, eye_pitch) in zip(("Left", "Right"), frame.gaze.tolist(), strict=True):
        named |= {
            f"{side}EyeYaw": -eye_yaw,
            f"{side}EyePitch": eye_pitch,
            f"{side}EyeRoll": 0.0,
        }
    return named
