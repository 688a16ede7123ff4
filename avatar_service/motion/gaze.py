"""Gaze: where the person looks, by saccades and fixations, held steady while the head moves.

Convention:
    The aim is kept in the CAMERA frame: (yaw, pitch, nearness), nearness in 1 / length unit. The
    eyes get the aim rotated into the HEAD frame, so they counter-rotate when the head moves
    (vestibulo-ocular reflex, gain 1). Zero gaze is the photo's: both eyes on the camera at
    CAMERA_DISTANCE_UNITS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.jit import quick_kernel
from avatar_service.motion.controls import EasedControls
from avatar_service.motion.easing import TICK_SECS, ease, soft_limit
from avatar_service.motion.rhythm import Beat
from avatar_service.motion.streams import random_stream
from avatar_service.schema import (
    CAMERA_DISTANCE_UNITS,
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
)
from avatar_service.signals import Float32Array

Aim = tuple[float, float, float]

EYE_X: Final = 0.35
"""Half the distance between the pupils: 63 mm of the 90 mm between the outer corners."""
_REST_NEARNESS: Final = 1 / CAMERA_DISTANCE_UNITS
_REST_VERGENCE: Final = math.atan2(EYE_X * _REST_NEARNESS, 1.0)
_NEAREST: Final = 0.8
"""Smallest distance before the face, in units, that the eyes converge on: 7 cm."""
_MAX_AIM: Final = math.radians(75)

_JUMP: Final = math.radians(1.2)
"""A change of the aim within one tick beyond this is a saccade, below it smooth pursuit."""
_SACCADE_SECS: Final = 0.025
_SACCADE_SECS_PER_DEG: Final = 0.0024
"""Main sequence: duration = 25 ms + 2.4 ms per degree (Lee, Badler & Badler 2002)."""

# Looking aside and back. Who talks to somebody looks at them for 40 to 60 % of the time, who
# listens for 75 % (Argyle & Cook 1976; Kendon 1967); in conversation the speaker looks aside for
# 2 s every 7 s, the listener for 1.1 s every 8 s (Andrist, Mutlu & Gleicher 2013). Who speaks to a
# camera hardly looks aside. A character that speaks to its player lies between the two.
_AWAY_PER_MIN_SPEAKING: Final = 7.0
_AWAY_AT_START: Final = 0.25
_AWAY_AT_TURN: Final = 0.5
_TURN_PAUSE_SECS: Final = 0.6
_GREETING_PAUSE_SECS: Final = 4.0
_GREETING_SECS: Final = 2.0
"""Who plans what to say next looks aside as speech begins, above all after a longer pause, and is
back before the phrase ends (Kendon 1967; Lee, Badler & Badler 2002). Who breaks a long silence
looks at whom they greet for a while."""
_LEAST_CONTACT_SECS: Final = 1.5
"""Between two looks aside, so that eyes do not wander about."""
_BACK_SECS: Final = 0.15
_BREAK_BACK_SECS: Final = 1.8
"""A phrase's end brings the eyes back at once, a break within it only after a look so long."""
_AWAY_PER_MIN_LISTENING: Final = 6.0
_AWAY_PER_MIN_IDLE: Final = 1.5
_AWAY_SECS_SPEAKING: Final = 2.4
_AWAY_SECS_LISTENING: Final = 1.0
_AWAY_DEG: Final = (5.5, 9.0)
_AWAY_HEIGHT: Final = 0.8
"""Looks up and down are smaller than looks aside."""
_SHIFT_PER_MIN: Final = 9.0
"""Small shifts between the eyes and mouth of the viewer, 0.5-1.5 degrees."""
_MICRO_HZ: Final = 1.3

# Eye-head coordination: the head takes over a share of what exceeds the eyes' comfortable range.
_COMFORT: Final = math.radians(7)
_HEAD_SHARE: Final = 0.55
_GLANCE_SHARE: Final = 0.25
"""Share of a glance aside that the head goes along with, however small."""
_MAX_FOLLOW: Final = (math.radians(22), math.radians(13))


@dataclass(frozen=True, slots=True)
class _Saccade:
    """What the eyes still have to cover at start_secs, vanishing over duration_secs."""

    residual: tuple[float, float, float]
    start_secs: float
    duration_secs: float

    def left(self, secs: float) -> float:
        """Share of the residual left at a time, 1..0."""
        return 1 - ease((secs - self.start_secs) / self.duration_secs)


@dataclass(frozen=True, slots=True)
class GazeShift:
    """Where the eyes rest during a tick.

    Attributes:
        offset: yaw and pitch, radians, beside what they should look at.
        is_new: they jump there in this tick.
    """

    offset: tuple[float, float]
    is_new: bool


_DONE: Final = _Saccade((0.0, 0.0, 0.0), -1.0, 1.0)


class Gaze:
    """Streaming aim; step() once a tick, aim() at any time within the newest tick."""

    def __init__(self, seed: int) -> None:
        self._random = random_stream(seed, "gaze")
        self._away = (0.0, 0.0)
        self._away_from = -1.0
        self._away_until = -1.0
        self._contact_until = 0.0
        self._shift = (0.0, 0.0)
        self._micro = (0.0, 0.0)
        self._now_secs = 0.0
        self._wanted: Aim | None = None
        self._first: Aim = (0.0, 0.0, _REST_NEARNESS)
        self._first_rate: Aim = (0.0, 0.0, 0.0)
        self._second: Aim = self._first
        self._second_rate: Aim = self._first_rate
        self._saccade = _DONE
        self.shift_deg = 0.0
        self.follow = (0.0, 0.0)
        self.has_shifted = False

    def reseed(self, seed: int) -> None:
        """Draw everything that is still to come from another seed."""
        self._random = random_stream(seed, "gaze")

    def step(
        self,
        now_secs: float,
        beat: Beat,
        heard: Beat,
        controls: EasedControls,
        head_position: tuple[float, float, float],
        shift: GazeShift | None = None,
    ) -> None:
        """Advance over the tick that begins at now_secs.

        Afterwards `shift_deg` is the size of a saccade that started (0 for none) and `follow` the
        yaw and pitch in radians that the head should take over.

        Args:
            now_secs: life clock.
            beat: the avatar's own voice.
            heard: the partner's voice.
            controls: as they act over this tick.
            head_position: x, y, z of the head in units at the beginning of the tick.
            shift: of another generator; None draws it here.
        """
        normal = self._random.standard_normal(6).tolist()
        uniform = self._random.random(8).tolist()
        wanted = _wanted_aim(controls, head_position)
        is_free = controls.source.gaze is None and controls.source.look_at is None
        if shift is None:
            has_jumped = self._wander(now_secs, beat, heard, controls, is_free, normal, uniform)
        else:
            has_jumped = shift.is_new
            self._away, self._shift, self._micro = shift.offset, (0.0, 0.0), (0.0, 0.0)
        self.has_shifted = has_jumped
        if self._wanted is not None:
            change = math.hypot(wanted[0] - self._wanted[0], wanted[1] - self._wanted[1])
            has_jumped = has_jumped or change > _JUMP
        self._wanted = wanted
        aim = (
            wanted[0] + self._away[0] + self._shift[0] + self._micro[0],
            wanted[1] + self._away[1] + self._shift[1] + self._micro[1],
            wanted[2],
        )
        self._now_secs = now_secs
        previous, previous_rate = self._second, self._second_rate
        self.shift_deg = 0.0
        if has_jumped:
            seen = self._at_end()
            residual = (seen[0] - aim[0], seen[1] - aim[1], seen[2] - aim[2])
            size_deg = math.degrees(math.hypot(residual[0], residual[1]))
            duration = _SACCADE_SECS + _SACCADE_SECS_PER_DEG * size_deg
            self._saccade = _Saccade(residual, now_secs, duration)
            self._first, self._first_rate = aim, (0.0, 0.0, 0.0)
            self._second, self._second_rate = aim, (0.0, 0.0, 0.0)
            self.shift_deg = size_deg
        else:
            self._first, self._first_rate = previous, previous_rate
            self._second = aim
            self._second_rate = (
                (aim[0] - previous[0]) / TICK_SECS,
                (aim[1] - previous[1]) / TICK_SECS,
                (aim[2] - previous[2]) / TICK_SECS,
            )
        self.follow = (
            _head_share(wanted[0], _MAX_FOLLOW[0]) + _GLANCE_SHARE * self._away[0],
            _head_share(wanted[1], _MAX_FOLLOW[1]) + _GLANCE_SHARE * self._away[1],
        )

    @property
    def offset(self) -> tuple[float, float]:
        """Yaw and pitch, radians, by which the eyes now look beside what they should look at."""
        return (
            self._away[0] + self._shift[0] + self._micro[0],
            self._away[1] + self._shift[1] + self._micro[1],
        )

    def aim(self, secs: float) -> Aim:
        """Camera-frame yaw, pitch in radians and nearness at a time within the newest tick."""
        s = min(1.0, max(0.0, (secs - self._now_secs) / TICK_SECS))
        t = 1 - s
        h00, h10 = t * t * (1 + 2 * s), s * t * t * TICK_SECS
        h01, h11 = s * s * (1 + 2 * t), -s * s * t * TICK_SECS
        left = self._saccade.left(secs)
        yaw, pitch, nearness = (
            h00 * first + h10 * first_rate + h01 * second + h11 * second_rate + left * residual
            for first, first_rate, second, second_rate, residual in zip(
                self._first,
                self._first_rate,
                self._second,
                self._second_rate,
                self._saccade.residual,
                strict=True,
            )
        )
        return yaw, pitch, nearness

    def _at_end(self) -> Aim:
        """Aim at the end of the previous tick, where the new one begins."""
        left = self._saccade.left(self._now_secs)
        second, residual = self._second, self._saccade.residual
        return (
            second[0] + left * residual[0],
            second[1] + left * residual[1],
            second[2] + left * residual[2],
        )

    def _wander(
        self,
        now_secs: float,
        beat: Beat,
        heard: Beat,
        controls: EasedControls,
        is_free: bool,
        normal: list[float],
        uniform: list[float],
    ) -> bool:
        """Draw glances, small shifts and micro saccades; True where one starts."""
        speaking, idle = beat.speaking, controls.idle
        quiet = (_AWAY_PER_MIN_LISTENING if heard.speaking > 0.5 else _AWAY_PER_MIN_IDLE) * idle
        per_min = _AWAY_PER_MIN_SPEAKING * speaking + quiet * (1 - speaking)
        life = speaking + min(1.0, idle) * (1 - speaking)
        has_jumped = False
        chance = per_min * TICK_SECS / 60
        if beat.resumed_secs >= _GREETING_PAUSE_SECS:
            self._contact_until = now_secs + _GREETING_SECS
        elif beat.resumed_secs > 0:
            chance += _AWAY_AT_TURN if beat.resumed_secs > _TURN_PAUSE_SECS else _AWAY_AT_START
        has_looked = now_secs - self._away_from >= _BREAK_BACK_SECS
        if beat.is_phrase_end or (beat.is_break and has_looked):
            self._away_until = min(self._away_until, now_secs + _BACK_SECS)
        if self._away != (0.0, 0.0):
            if now_secs >= self._away_until or not is_free:
                self._away = (0.0, 0.0)
                self._contact_until = now_secs + _LEAST_CONTACT_SECS
                has_jumped = True
        elif is_free and now_secs >= self._contact_until and uniform[0] < chance:
            # Amplitude of Lee, Badler & Badler 2002: -6.9 ln(P / 15.7) degrees, P in 0..15 %; but
            # large enough to be seen and small enough not to look for something else.
            least, most = _AWAY_DEG
            size = min(most, max(least, -6.9 * math.log(max(0.01, 15 * uniform[1]) / 15.7)))
            angle = _away_direction(uniform[2], normal[0])
            self._away = (
                math.radians(size * math.cos(angle)),
                math.radians(_AWAY_HEIGHT * size * math.sin(angle)),
            )
            usual = _AWAY_SECS_SPEAKING if speaking > 0.5 else _AWAY_SECS_LISTENING
            duration = usual * math.exp(0.35 * normal[1])
            self._away_from = now_secs
            self._away_until = now_secs + min(3.5, max(0.5, duration))
            has_jumped = True
        if uniform[3] < _SHIFT_PER_MIN * TICK_SECS / 60 * life:
            spread = math.radians(0.7) if is_free else math.radians(0.25)
            self._shift = (spread * normal[2], 0.6 * spread * normal[3])
            has_jumped = True
        if uniform[4] < _MICRO_HZ * TICK_SECS * life:
            self._micro = (math.radians(0.16) * normal[4], math.radians(0.12) * normal[5])
            has_jumped = True
        return has_jumped


def _away_direction(uniform: float, normal: float) -> float:
    """Angle of a glance: mostly sideways, then down, rarely up; 0 = subject's left, + down."""
    centre = 0.0 if uniform < 0.31 else math.pi if uniform < 0.62 else math.pi / 2
    if uniform > 0.9:
        centre = -math.pi / 2
    return centre + 0.45 * normal


def _wanted_aim(controls: EasedControls, position: tuple[float, float, float]) -> Aim:
    source = controls.source
    if source.gaze is not None:
        return source.gaze[0], source.gaze[1], _REST_NEARNESS
    target = source.look_at or (0.0, 0.0, CAMERA_DISTANCE_UNITS)
    x, y, z = (target[i] - position[i] for i in range(3))
    z = max(z, _NEAREST)  # nobody looks into or behind the own head; sideways is the farthest
    yaw = math.atan2(x, z)
    pitch = math.atan2(-y, math.hypot(x, z))
    distance = math.sqrt(x * x + y * y + z * z)
    limit = _MAX_AIM
    return (
        min(limit, max(-limit, yaw)),
        min(limit, max(-limit, pitch)),
        1 / distance,
    )


def _head_share(angle: float, limit: float) -> float:
    over = abs(angle) - _COMFORT
    if over <= 0:
        return 0.0
    return math.copysign(min(limit, _HEAD_SHARE * over), angle)


@quick_kernel
def eyes_from_aim(aim: Aim, head_rotation: tuple[float, float, float]) -> Float32Array:
    """Rotate a camera-frame aim into the head frame, one direction per eye.

    Args:
        aim: yaw, pitch in radians and nearness, camera frame.
        head_rotation: yaw, pitch, roll of the head in radians.

    Returns:
        (2, 2) float32, rows left and right eye, columns yaw and pitch in radians, head frame,
        relative to the photo's gaze, within the schema's limits.
    """
    yaw, pitch, nearness = aim
    x = math.sin(yaw) * math.cos(pitch)
    y = -math.sin(pitch)
    z = math.cos(yaw) * math.cos(pitch)
    # head_from_camera = (Ry Rx Rz)^T: undo yaw, then pitch, then roll.
    sin, cos = math.sin(head_rotation[0]), math.cos(head_rotation[0])
    x, z = cos * x - sin * z, sin * x + cos * z
    sin, cos = math.sin(head_rotation[1]), math.cos(head_rotation[1])
    y, z = cos * y + sin * z, -sin * y + cos * z
    sin, cos = math.sin(head_rotation[2]), math.cos(head_rotation[2])
    x, y = cos * x + sin * y, -sin * x + cos * y
    eyes = np.empty((2, 2), np.float32)
    for row in range(2):
        side = 1.0 - 2 * row  # the left eye is at +X
        across = x - side * EYE_X * nearness
        eye_yaw = math.atan2(across, z) + side * _REST_VERGENCE
        eye_pitch = math.atan2(-y, math.hypot(across, z))
        eyes[row, 0] = soft_limit(eye_yaw, MAX_GAZE_YAW_RADIANS)
        eyes[row, 1] = soft_limit(eye_pitch, MAX_GAZE_PITCH_RADIANS)
    return eyes
