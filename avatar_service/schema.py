"""The motion latent `avatar.motion.v1`: names, order, units, ranges and signs.

Convention:
    Head frame is glTF's: +X the subject's left, +Y up, +Z out of the face, right-handed.
    head_from_rest = Ry(yaw) @ Rx(pitch) @ Rz(roll) on column vectors, radians: +yaw turns to the
    subject's left, +pitch looks down, +roll tips the crown to the subject's right.
    The rest pose is the photo's own pose.
    Lengths are in units of the distance between the outer eye corners of the neutral head, which
    is taken as 90 mm; +z of the head translation is towards the camera.
    Gaze is (yaw, pitch) per eye with the same signs, in the head frame; gaze is the authority and
    the eyeLook* coefficients are derived from it.

The order of EXPRESSION_NAMES is the one of Apple's ARKit documentation
(ARFaceAnchor.BlendShapeLocation), which Unreal Engine's EARFaceBlendShape shares.
"""

from __future__ import annotations

from typing import Final

SCHEMA_ID: Final = "avatar.motion.v1"

EXPRESSION_NAMES: Final[tuple[str, ...]] = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
NUM_EXPRESSIONS: Final = len(EXPRESSION_NAMES)
EXPRESSION_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(EXPRESSION_NAMES)}
EXPRESSION_MAX: Final = 1.25
"""Largest stored coefficient; nominal range 0..1, consumers clamp."""

EMOTION_NAMES: Final[tuple[str, ...]] = (
    "neutral",
    "happy",
    "sad",
    "angry",
    "surprised",
    "afraid",
    "disgusted",
    "contemptuous",
)
NUM_EMOTIONS: Final = len(EMOTION_NAMES)

OUTER_EYE_DISTANCE_MM: Final = 90.0
"""Length of one head-translation unit in millimetres."""

CAMERA_DISTANCE_UNITS: Final = 10.0
"""D0: camera to head at rest, in length units. z = (1 - distance) * D0 for the distance control."""

MAX_HEAD_YAW_RADIANS: Final = 0.45
MAX_HEAD_PITCH_RADIANS: Final = 0.35
MAX_HEAD_ROLL_RADIANS: Final = 0.45
MAX_GAZE_YAW_RADIANS: Final = 0.60
MAX_GAZE_PITCH_RADIANS: Final = 0.45
