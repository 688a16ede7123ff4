"""The one table of names, orders, units and signs of every target that motion is exported to.

Convention:
    Ours (schema.py): right-handed, +X the subject's left, +Y up, +Z out of the face;
    R = Ry(yaw) @ Rx(pitch) @ Rz(roll); +yaw to the subject's left, +pitch down, +roll tips the
    crown to the subject's right; radians.

    target                  axes                                  head and eye angles
    glTF, VRM 1, VRMA, USD  ours                                  ours
    Unity, VMC              left-handed, +X the subject's right   x mirrored: quaternion (x,-y,-z,w)
    Live Link (UDP, CSV)    head: yaw, -pitch, roll;  eyes: -yaw, pitch

Live Link signs. The eyes' signs and the unit, radians, are measured on recordings of the app
(EyePitch + is down, EyeYaw + to the subject's right). The head's are not: no recording with head
motion is at hand, so they are those of the programs that work with the app's packets. MetaHuman's
animation blueprint makes a rotator of 50 HeadPitch, -50 HeadYaw and 50 HeadRoll degrees, in which
Unreal's axes mean HeadYaw + to the left, HeadPitch + up, HeadRoll + crown to the right; MeFaMo, a
sender made for MetaHumans by the author of PyLiveLinkFace, sends these signs, and a receiver that
turns VRM models by the app's packets reads them. Against them stands the engine's own ARKit module,
in which head and eyes share one conversion: there HeadPitch + is down. A rotator applies roll, then
pitch, then yaw, as we do, so the angles map one to one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.schema import (
    EMOTION_NAMES,
    EXPRESSION_INDEX,
    EXPRESSION_NAMES,
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
    OUTER_EYE_DISTANCE_MM,
)
from avatar_service.signals import Float32Array, MotionFrame

METRES_PER_UNIT: Final = OUTER_EYE_DISTANCE_MM / 1000.0
"""Length of one head-translation unit in metres, the unit of glTF, USD (as written here), Unity."""


def pascal_case(name: str) -> str:
    """Turn "jawOpen" into "JawOpen", the spelling of Unreal, Live Link, A2F and Perfect Sync."""
    return name[0].upper() + name[1:]


def short_sides(name: str) -> str:
    """Turn "eyeBlinkLeft" into "eyeBlink_L", the spelling of Apple's raw values and iFacialMocap.

    The four names that end in a direction of movement keep it (jawLeft, mouthRight and so on).
    """
    if name in _DIRECTIONS:
        return name
    return re.sub(r"(Left|Right)$", lambda side: "_" + side[0][0], name)


_DIRECTIONS: Final = frozenset({"jawLeft", "jawRight", "mouthLeft", "mouthRight"})

PASCAL_NAMES: Final = tuple(pascal_case(name) for name in EXPRESSION_NAMES)
ROTATION_NAMES: Final = (
    "HeadYaw",
    "HeadPitch",
    "HeadRoll",
    "LeftEyeYaw",
    "LeftEyePitch",
    "LeftEyeRoll",
    "RightEyeYaw",
    "RightEyePitch",
    "RightEyeRoll",
)
LIVE_LINK_NAMES: Final = PASCAL_NAMES + ROTATION_NAMES
"""61 names in the order of Unreal's EARFaceBlendShape, the order of the UDP packet."""


def _csv_order() -> tuple[str, ...]:
    """Swap the two pairs in which the app's CSV departs from the enum's order."""
    names = list(LIVE_LINK_NAMES)
    for left, right in (("JawLeft", "JawRight"), ("MouthLeft", "MouthRight")):
        i, j = names.index(left), names.index(right)
        names[i], names[j] = names[j], names[i]
    return tuple(names)


LIVE_LINK_CSV_NAMES: Final = _csv_order()
LIVE_LINK_CSV_HEADER: Final = ",".join(("Timecode", "BlendShapeCount", *LIVE_LINK_CSV_NAMES))

# Angle signs, target = sign * ours, in the order of ROTATION_NAMES without the eyes' roll.
LIVE_LINK_HEAD_SIGNS: Final = np.array([1, -1, 1], np.float32)
LIVE_LINK_EYE_SIGNS: Final = np.array([-1, 1], np.float32)

# Gaze angle at which an eyeLook coefficient is taken to be 1: the schema's own limits of gaze.
FULL_LOOK_YAW_RADIANS: Final = MAX_GAZE_YAW_RADIANS
FULL_LOOK_PITCH_RADIANS: Final = MAX_GAZE_PITCH_RADIANS

OCULUS_VISEMES: Final = (
    "sil",
    "PP",
    "FF",
    "TH",
    "DD",
    "kk",
    "CH",
    "SS",
    "nn",
    "RR",
    "aa",
    "E",
    "ih",
    "oh",
    "ou",
)
RHUBARB_SHAPES: Final = ("A", "B", "C", "D", "E", "F", "G", "H", "X")


class NameSet(StrEnum):
    """Which expressions a VRM target is driven by; a model that has several would add them up."""

    VRM0 = "vrm0"
    """VRM 0 presets: A I U E O, Blink, Joy and so on."""
    VRM1 = "vrm1"
    """VRM 1 presets: aa ih ou ee oh, blink, happy and so on."""
    PERFECT_SYNC = "perfect-sync"
    """The 52 coefficients as custom expressions named in PascalCase."""


VRM1_BLENDS: Final[Mapping[str, Mapping[str, float]]] = {
    "aa": {"jawOpen": 1.6},
    "ih": {"mouthStretchLeft": 0.8, "mouthStretchRight": 0.8},
    "ou": {"mouthPucker": 1.0},
    "ee": {
        "mouthSmileLeft": 0.3,
        "mouthSmileRight": 0.3,
        "mouthDimpleLeft": 0.3,
        "mouthDimpleRight": 0.3,
    },
    "oh": {"mouthFunnel": 1.2},
}
"""Weights with which ARKit coefficients drive VRM's vowel presets (our choice: VRM names the
presets by vowel only). jawOpen of speech stays below .6, hence the factor on aa."""

VRM1_EMOTIONS: Final[Mapping[str, str]] = {
    "happy": "happy",
    "sad": "sad",
    "angry": "angry",
    "surprised": "surprised",
}
VRM0_FROM_VRM1: Final[Mapping[str, str]] = {
    "A": "aa",
    "I": "ih",
    "U": "ou",
    "E": "ee",
    "O": "oh",
    "Blink": "blink",
    "Blink_L": "blinkLeft",
    "Blink_R": "blinkRight",
    "Joy": "happy",
    "Angry": "angry",
    "Sorrow": "sad",
    "Fun": "relaxed",
}
"""VRM 0 preset names (case-sensitive) and the VRM 1 preset of the same meaning."""

A2F_EMOTIONS: Final[Mapping[str, Mapping[str, float]]] = {
    "amazement": {"surprised": 1.0},
    "anger": {"angry": 1.0},
    "cheekiness": {"happy": 0.6, "contemptuous": 0.4},
    "disgust": {"disgusted": 1.0},
    "fear": {"afraid": 1.0},
    "grief": {"sad": 1.0},
    "joy": {"happy": 1.0},
    "outofbreath": {"surprised": 0.3, "afraid": 0.2},
    "pain": {"sad": 0.4, "angry": 0.2, "disgusted": 0.3},
    "sadness": {"sad": 0.8},
}
"""Audio2Face-3D's ten emotions as weights of our eight (our choice: theirs are not defined by
coefficients)."""


def _spellings() -> dict[str, int]:
    """Every accepted spelling, folded, to the index of the coefficient."""
    table: dict[str, int] = {}
    for index, name in enumerate(EXPRESSION_NAMES):
        for spelling in (name, short_sides(name)):
            table[_fold(spelling)] = index
        for side in ("Left", "Right"):
            if name.endswith(side) and name not in _DIRECTIONS:
                stem = name.removesuffix(side)
                table[_fold(side + stem)] = index
    return table


def _fold(name: str) -> str:
    """Drop case, separators and what modelling tools put before the last dot."""
    return re.sub(r"[^a-z0-9]", "", name.rsplit(".", 1)[-1].rsplit(":", 1)[-1].lower())


_INDEX_BY_SPELLING: Final = _spellings()


def expression_index(name: str) -> int | None:
    """Find the coefficient that another tool's name means; None where there is none.

    Accepts camelCase, PascalCase, snake_case, `_L`/`_R` and `Left`/`Right` on either end, and
    prefixes up to a dot or colon ("blendShape2.EYE_BLINK_L", "Face:JawOpen").
    """
    return _INDEX_BY_SPELLING.get(_fold(name))


def quaternion_from_angles(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Compose Ry(yaw) Rx(pitch) Rz(roll) into a unit quaternion (x, y, z, w) in our axes."""
    row: NDArray[np.float64] = quaternions_from_angles(np.array([[yaw, pitch, roll]]))[0]
    return row


def quaternions_from_angles(angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compose rows of Ry(yaw) Rx(pitch) Rz(roll) into unit quaternions in our axes.

    Args:
        angles: (N, 3) yaw, pitch, roll in radians.

    Returns:
        (N, 4) x, y, z, w.
    """
    half = np.asarray(angles, np.float64) / 2
    sy, sp, sr = np.sin(half).T
    cy, cp, cr = np.cos(half).T
    return np.stack(
        [
            cy * sp * cr + sy * cp * sr,
            sy * cp * cr - cy * sp * sr,
            cy * cp * sr - sy * sp * cr,
            cy * cp * cr + sy * sp * sr,
        ],
        axis=-1,
    )


def angles_from_quaternions(quaternions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Decompose (N, 4) unit quaternions x, y, z, w into (N, 3) yaw, pitch, roll."""
    x, y, z, w = np.asarray(quaternions, np.float64).T
    pitch = np.arcsin(np.clip(2 * (w * x - y * z), -1, 1))
    yaw = np.arctan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
    roll = np.arctan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z))
    return np.stack([yaw, pitch, roll], axis=-1)


def unity_quaternion(quaternion: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mirror x: our quaternion (…, 4) into Unity's left-handed axes."""
    mirrored: NDArray[np.float64] = np.asarray(quaternion, np.float64) * [1.0, -1.0, -1.0, 1.0]
    return mirrored


def unity_position(position: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mirror x: our vector (…, 3) into Unity's left-handed axes, length unit kept."""
    mirrored: NDArray[np.float64] = np.asarray(position, np.float64) * [-1.0, 1.0, 1.0]
    return mirrored


def live_link_values(frame: MotionFrame) -> Float32Array:
    """Lay one frame out as Live Link's 61 values in the order of LIVE_LINK_NAMES.

    Returns:
        (61,) float32: coefficients, then head and eye angles in radians with Live Link's signs.
    """
    eyes = np.zeros((2, 3), np.float32)
    eyes[:, :2] = frame.gaze * LIVE_LINK_EYE_SIGNS
    head = frame.head_rotation * LIVE_LINK_HEAD_SIGNS
    return np.concatenate([frame.expression, head, eyes.ravel()]).astype(np.float32)


def gaze_from_look(expression: Float32Array) -> Float32Array:
    """Derive gaze from the eyeLook coefficients, where a source has no eye angles.

    Args:
        expression: (52,) coefficients.

    Returns:
        (2, 2) float32, rows left and right eye, columns yaw and pitch in radians.
    """

    def value(name: str) -> float:
        return float(expression[EXPRESSION_INDEX[name]])

    left_yaw = value("eyeLookOutLeft") - value("eyeLookInLeft")
    right_yaw = value("eyeLookInRight") - value("eyeLookOutRight")
    full = (FULL_LOOK_YAW_RADIANS, FULL_LOOK_PITCH_RADIANS)
    pitches = [value(f"eyeLookDown{side}") - value(f"eyeLookUp{side}") for side in _SIDES]
    return np.array(
        [[left_yaw * full[0], pitches[0] * full[1]], [right_yaw * full[0], pitches[1] * full[1]]],
        np.float32,
    )


_SIDES: Final = ("Left", "Right")


def mean_gaze(frame: MotionFrame) -> tuple[float, float]:
    """Average both eyes into one (yaw, pitch), for targets with a single gaze."""
    yaw, pitch = frame.gaze.mean(axis=0)
    return float(yaw), float(pitch)


def vrm1_weights(frame: MotionFrame) -> dict[str, float]:
    """Weights 0..1 of VRM 1's presets, without look* (gaze travels as a direction)."""
    weights: dict[str, float] = {}
    for preset, sources in VRM1_BLENDS.items():
        total = sum(frame.expression[EXPRESSION_INDEX[n]] * w for n, w in sources.items())
        weights[preset] = float(np.clip(total, 0.0, 1.0))
    # Receivers add the three blink presets: the common part goes to `blink`, the rest to its side.
    left, right = (float(frame.expression[EXPRESSION_INDEX[f"eyeBlink{side}"]]) for side in _SIDES)
    left, right = min(left, 1.0), min(right, 1.0)
    weights["blink"] = min(left, right)
    weights["blinkLeft"] = left - weights["blink"]
    weights["blinkRight"] = right - weights["blink"]
    for preset, emotion in VRM1_EMOTIONS.items():
        weight = frame.emotion[EMOTION_NAMES.index(emotion)]
        weights[preset] = float(np.clip(weight, 0.0, 1.0))
    weights["relaxed"] = 0.0
    weights["neutral"] = 0.0
    return weights


def vrm_weights(frame: MotionFrame, names: NameSet) -> dict[str, float]:
    """Expression weights 0..1 by the names of one set."""
    if names is NameSet.PERFECT_SYNC:
        clipped = np.clip(frame.expression, 0.0, 1.0).tolist()
        return dict(zip(PASCAL_NAMES, clipped, strict=True))
    presets = vrm1_weights(frame)
    if names is NameSet.VRM1:
        return presets
    return {vrm0: presets[vrm1] for vrm0, vrm1 in VRM0_FROM_VRM1.items()}
