import math

import numpy as np
import pytest

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.control_checks import check_controls
from avatar_service.motion.controls import ControlSchedule
from avatar_service.motion.styles import STYLES, style_of
from avatar_service.schema import EMOTION_NAMES
from avatar_service.signals import Controls

pytestmark = pytest.mark.unit

TICK = 40_000_000


@pytest.mark.parametrize(
    ("controls", "field"),
    [
        (Controls(distance=0.29), "distance"),
        (Controls(distance=math.nan), "distance"),
        (Controls(head_motion=2.01), "head_motion"),
        (Controls(head_motion=-0.1), "head_motion"),
        (Controls(expression=math.inf), "expression"),
        (Controls(blink_rate=4.5), "blink_rate"),
        (Controls(idle=-1.0), "idle"),
        (Controls(gaze=(2.0, 0.0)), "gaze"),
        (Controls(gaze=(0.0, math.nan)), "gaze"),
        (Controls(look_at=(0.0, math.inf, 1.0)), "look_at"),
        (Controls(look_at=(0.0, 0.0, 1e9)), "look_at"),
        (Controls(gaze=(0.1, 0.0), look_at=(0.0, 0.0, 5.0)), "look_at"),
        (Controls(emotion={"melancholy": 0.5}), "emotion"),
        (Controls(emotion={"happy": 1.5}), "emotion"),
        (Controls(emotion={"happy": -0.1}), "emotion"),
        (Controls(speaking_style="yodelling"), "speaking_style"),
    ],
)
def test_values_out_of_range_name_their_field(controls: Controls, field: str) -> None:
    with pytest.raises(AvatarError) as caught:
        check_controls(controls)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.field == field


def test_extreme_but_allowed_values_pass() -> None:
    check_controls(Controls())
    check_controls(
        Controls(
            gaze=(-math.pi / 2, math.pi / 2),
            distance=0.3,
            emotion=dict.fromkeys(EMOTION_NAMES, 1.0),
            head_motion=2.0,
            expression=0.0,
            blink_rate=4.0,
            idle=2.0,
        )
    )


def test_change_waits_for_its_time_then_eases() -> None:
    schedule = ControlSchedule(Controls())
    schedule.schedule(Controls(distance=0.5, emotion={"happy": 0.8}), 5 * TICK)
    steps = [schedule.step(i * TICK) for i in range(20)]
    assert all(step.distance == 1.0 for step in steps[:5])
    assert steps[5].distance < 0.999
    assert steps[5 + 6].distance == pytest.approx(0.55, abs=0.01)  # 90 % after 0.28 s
    assert steps[-1].distance == pytest.approx(0.5, abs=1e-2)
    assert steps[-1].emotion[EMOTION_NAMES.index("happy")] == pytest.approx(0.8, abs=1e-2)
    assert max(abs(np.diff([step.distance for step in steps]))) < 0.12


def test_later_call_replaces_changes_still_waiting_at_or_after_its_time() -> None:
    schedule = ControlSchedule(Controls())
    schedule.schedule(Controls(distance=2.0), 3 * TICK)
    schedule.schedule(Controls(distance=0.5), 3 * TICK)
    steps = [schedule.step(i * TICK) for i in range(40)]
    assert steps[-1].distance == pytest.approx(0.5, abs=1e-3)
    assert max(step.distance for step in steps) == 1.0


def test_styles_are_known_by_name() -> None:
    assert style_of("neutral") == STYLES["neutral"]
    assert len(set(STYLES.values())) == len(STYLES)
    with pytest.raises(AvatarError, match="known: neutral"):
        style_of("nope")
