"""Controls applied at a tick of the life clock, eased from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.motion.control_checks import check_controls
from avatar_service.motion.easing import FloatArray, Follower
from avatar_service.motion.styles import style_of
from avatar_service.schema import EMOTION_NAMES, NUM_EMOTIONS
from avatar_service.signals import Controls

SETTLE_SECS: Final = 0.28
"""Time in which a change covers 90 %; the first movement shows in the next tick (40 ms)."""


@dataclass(frozen=True, slots=True)
class EasedControls:
    """Controls as they act at one tick.

    Attributes:
        source: the controls in force (gaze and look_at are followed by the eyes themselves).
        distance, head_motion, expression, idle, blink_rate: eased strengths.
        distance_rate: change of distance per second.
        emotion, emotion_rate: (8,) eased weights and their rates per second.
        jaw, lips, head, brows, smile: eased gains of the speaking style.
    """

    source: Controls
    distance: float
    distance_rate: float
    head_motion: float
    expression: float
    idle: float
    blink_rate: float
    emotion: FloatArray
    emotion_rate: FloatArray
    jaw: float
    lips: float
    head: float
    brows: float
    smile: float


class ControlSchedule:
    """Changes waiting for their time, and the eased values of those in force."""

    def __init__(self, controls: Controls) -> None:
        check_controls(controls)
        self._current = controls
        self._waiting: list[tuple[int, Controls]] = []
        self._targets = _targets(controls)
        self._follower = Follower(self._targets, SETTLE_SECS)

    @property
    def current(self) -> Controls:
        """Controls in force at the newest tick."""
        return self._current

    def schedule(self, controls: Controls, pts_nanos: int) -> None:
        """Put checked controls in force from pts_nanos on; a later call wins at equal times."""
        self._waiting = [entry for entry in self._waiting if entry[0] < pts_nanos]
        self._waiting.append((pts_nanos, controls))

    def step(self, pts_nanos: int) -> EasedControls:
        """Advance over the tick that starts at pts_nanos."""
        while self._waiting and self._waiting[0][0] <= pts_nanos:
            self._current = self._waiting.pop(0)[1]
            self._targets = _targets(self._current)
        self._follower.step(self._targets)
        value, rate = self._follower.value, self._follower.velocity
        strengths = value[:10].tolist()
        return EasedControls(
            source=self._current,
            distance=strengths[0],
            distance_rate=float(rate[0]),
            head_motion=strengths[1],
            expression=strengths[2],
            idle=strengths[3],
            blink_rate=strengths[4],
            jaw=strengths[5],
            lips=strengths[6],
            head=strengths[7],
            brows=strengths[8],
            smile=strengths[9],
            emotion=value[10:],
            emotion_rate=rate[10:],
        )


def _targets(controls: Controls) -> FloatArray:
    style = style_of(controls.speaking_style)
    targets = np.zeros(10 + NUM_EMOTIONS)
    targets[:10] = (
        controls.distance,
        controls.head_motion,
        controls.expression,
        controls.idle,
        controls.blink_rate,
        style.jaw,
        style.lips,
        style.head,
        style.brows,
        style.smile,
    )
    for name, weight in controls.emotion.items():
        targets[10 + EMOTION_NAMES.index(name)] = weight
    return targets
