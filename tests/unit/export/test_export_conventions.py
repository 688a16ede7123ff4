"""The table itself, against facts that stand elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_service.export import conventions as c
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit

# The header of the app's recordings, typed in from one.
APP_HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,"
    "EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,"
    "EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,"
    "JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,"
    "MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,"
    "MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,"
    "BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,"
    "RightEyePitch,RightEyeRoll"
)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Ry @ Rx @ Rz, written out as the schema says."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    rz = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return ry @ rx @ rz


def matrix_of(q: np.ndarray) -> np.ndarray:
    x, y, z, w = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_csv_header_is_the_apps() -> None:
    assert c.LIVE_LINK_CSV_HEADER == APP_HEADER


def test_quaternions_are_the_schemas_rotation() -> None:
    q = c.quaternion_from_angles(0.4, -0.3, 0.2)
    np.testing.assert_allclose(matrix_of(q), rotation(0.4, -0.3, 0.2), atol=1e-12)


def test_signs_point_where_the_schema_says() -> None:
    forward, up = np.array([0, 0, 1]), np.array([0, 1, 0])
    assert (matrix_of(c.quaternion_from_angles(0.3, 0, 0)) @ forward)[0] > 0  # to +X, their left
    assert (matrix_of(c.quaternion_from_angles(0, 0.3, 0)) @ forward)[1] < 0  # down
    assert (matrix_of(c.quaternion_from_angles(0, 0, 0.3)) @ up)[0] < 0  # crown to their right


def test_angles_come_back() -> None:
    angles = np.random.default_rng(1).uniform(-0.9, 0.9, (50, 3))
    back = c.angles_from_quaternions(c.quaternions_from_angles(angles))
    np.testing.assert_allclose(back, angles, atol=1e-12)


def unreal_rotator(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """FRotationMatrix of Unreal (rows are the axes), angles in radians."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    return np.array(
        [
            [cp * cy, cp * sy, sp],
            [sr * sp * cy - cr * sy, sr * sp * sy + cr * cy, -sr * cp],
            [-(cr * sp * cy + sr * sy), cy * sr - cr * sp * sy, cr * cp],
        ]
    )


def test_a_metahuman_turns_its_head_as_we_do() -> None:
    # Its animation blueprint makes a rotator of (pitch, -yaw, roll) of the packet, in Unreal's axes
    # of a character: X_ue = +Z (forward), Y_ue = -X (right), Z_ue = +Y.
    ue_from_ours = np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]])
    ours = rotation(0.31, -0.17, 0.11)
    expected = ue_from_ours @ ours @ ue_from_ours.T
    frame = MotionFrame(0, head_rotation=np.array([0.31, -0.17, 0.11], np.float32))
    yaw, pitch, roll = c.live_link_values(frame)[52:55]
    np.testing.assert_allclose(unreal_rotator(-yaw, pitch, roll).T, expected, atol=1e-6)


def test_live_link_eyes_have_the_signs_of_recordings() -> None:
    # EyePitch + looks down; EyeYaw + goes with LookInLeft and LookOutRight: to their right.
    to_their_right_and_down = MotionFrame(0, gaze=np.full((2, 2), [-0.2, 0.1], np.float32))
    left_yaw, left_pitch, _, right_yaw, right_pitch, _ = c.live_link_values(
        to_their_right_and_down
    )[55:]
    assert left_yaw > 0
    assert right_yaw > 0
    assert left_pitch > 0
    assert right_pitch > 0


def test_unity_mirrors_x() -> None:
    mirror = np.diag([-1, 1, 1])
    q = c.quaternion_from_angles(0.4, -0.3, 0.2)
    expected = mirror @ matrix_of(q) @ mirror
    np.testing.assert_allclose(matrix_of(c.unity_quaternion(q)), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("JawOpen", "jawOpen"),
        ("eyeBlink_L", "eyeBlinkLeft"),
        ("blendShape2.EYE_SMILE", None),
        ("blendShape2.EYE_BLINK_L", "eyeBlinkLeft"),
        ("mouth_smile_right", "mouthSmileRight"),
        ("Face:BrowDownLeft", "browDownLeft"),
        ("leftEyeBlink", "eyeBlinkLeft"),
        ("mouthLeft", "mouthLeft"),
        ("jawRight", "jawRight"),
        ("viseme_aa", None),
        ("", None),
    ],
)
def test_names_of_other_tools_are_understood(name: str, ours: str | None) -> None:
    index = c.expression_index(name)
    assert (None if index is None else EXPRESSION_NAMES[index]) == ours


def test_every_spelling_of_every_name_means_that_name() -> None:
    for index, name in enumerate(EXPRESSION_NAMES):
        for spelling in (name, c.pascal_case(name), c.short_sides(name), name.upper()):
            assert c.expression_index(spelling) == index


def test_gaze_and_look_coefficients_agree_with_the_motion_room() -> None:
    from avatar_service.motion.lips import eye_look

    gaze = np.array([[0.2, -0.1], [-0.3, 0.25]], np.float32)
    names = [
        f"eyeLook{axis}{side}" for side in ("Left", "Right") for axis in ("Down", "In", "Out", "Up")
    ]
    expression = np.zeros(52, np.float32)
    for name, value in zip(names, np.asarray(eye_look(gaze)).ravel(), strict=True):
        expression[EXPRESSION_NAMES.index(name)] = value
    np.testing.assert_allclose(c.gaze_from_look(expression), gaze, atol=1e-6)


def test_blink_presets_add_up_to_each_lid(pose: MotionFrame) -> None:
    weights = c.vrm_weights(pose, c.NameSet.VRM1)
    left = pose.expression[EXPRESSION_NAMES.index("eyeBlinkLeft")]
    right = pose.expression[EXPRESSION_NAMES.index("eyeBlinkRight")]
    assert weights["blink"] + weights["blinkLeft"] == pytest.approx(left)
    assert weights["blink"] + weights["blinkRight"] == pytest.approx(right)
