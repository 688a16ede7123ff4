"""Head motion from prosody: posture, sway with a falling spectrum, nods, breathing, lean.

Calibrated to landmarks tracked in real talking video at 25 fps: 0.9-1.0 degrees between frames
while speaking, standard deviations of yaw, pitch, roll near 4.5, 3.8, 3 degrees, 99th percentile of
the acceleration near 4 times its median (few strong movements between calm ones).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.jit import quick_kernel
from avatar_service.motion.controls import EasedControls
from avatar_service.motion.easing import TICK_SECS, FloatArray, Follower, Springs
from avatar_service.motion.emotion import EMOTION_HEAD, blend_norm
from avatar_service.motion.rhythm import Beat
from avatar_service.motion.streams import random_stream
from avatar_service.schema import CAMERA_DISTANCE_UNITS

# Bands of motion, one spring per axis (yaw, pitch, roll) each: frequency Hz, damping, and the
# standard deviation in degrees of each axis while speaking. Hadar et al. 1983 class head movements
# in speech as slow (0.2-1.8 Hz), ordinary (1.8-3.7 Hz) and rapid (3.7-7 Hz).
_POSTURE: Final = 0
_SWAY: Final = 1
_MELODY: Final = 2
_NOD: Final = 3
_QUICK: Final = 4
_BAND_HZ: Final = np.array([0.55, 0.45, 1.25, 1.55, 3.4])
_BAND_DAMPING: Final = np.array([0.85, 0.6, 0.6, 0.5, 0.45])
_NOISE_DEG: Final = np.array(
    [[0.0, 0.0, 0.0], [2.1, 1.6, 1.35], [1.75, 1.4, 1.3], [0.0, 0.0, 0.0], [0.24, 0.24, 0.2]]
)
_POSTURE_DEG: Final = np.array([3.9, 2.5, 2.3])
_IDLE_NOISE: Final = 0.24
_IDLE_POSTURE: Final = 0.5

_MELODY_DEG_PER_SEMITONE: Final = -0.5
"""Higher pitch lifts the head (F0 follows head motion with r 0.73 to 0.88, Yehia et al. 2002)."""
_LOUDNESS_DEG: Final = 2.6
_ACCENT_DEG: Final = 4.1
_MAX_NOD_DEG: Final = 6.0
_PHRASE_END_DEG: Final = 4.5
"""Nods fall on strong phrase ends (Ishi et al. 2014)."""

_NOD_FADE: Final = 0.6
_NOD_GAIN: Final = 0.43

_BREATH_HZ: Final = 0.24
_BREATH_PITCH_DEG: Final = 0.3
_BREATH_Y: Final = 0.012
_BREATH_Z: Final = 0.010
_SWAY_UNITS: Final = np.array([0.022, 0.008, 0.035])
_FOLLOW_SETTLE_SECS: Final = 0.42
"""The head arrives after the eyes: 90 % of a gaze-driven turn in this time."""


@dataclass(frozen=True, slots=True)
class HeadTick:
    """Pose at a tick: (6,) yaw, pitch, roll in radians, x, y, z in units, and rates per second."""

    value: FloatArray
    rate: FloatArray


class Sway:
    """What the head does by itself while the voice goes on; step() once a tick.

    Its pose is that at head-motion strength 1, without what is asked for: attitude of an emotion,
    share of a large gaze, distance, breath.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._springs = Springs(np.repeat(_BAND_HZ, 3), np.repeat(_BAND_DAMPING, 3))
        gain = self._springs.noise_gain().reshape(5, 3)
        self._noise_gain = gain * _NOISE_DEG
        self._drift = Springs(np.full(3, 0.3), np.full(3, 0.7))
        self._drift_gain = self._drift.noise_gain() * _SWAY_UNITS
        self._posture = np.zeros(3)
        self._vigour = 0.0
        self._couplings = np.zeros((2, 3))  # of melody and loudness into the axes
        self._pending_nod = 0.0
        self._nod_pull = np.zeros(3)

    def reseed(self, random: np.random.Generator) -> None:
        """Draw everything that is still to come from another generator."""
        self._random = random

    def step(self, beat: Beat, heard: Beat, controls: EasedControls) -> HeadTick:
        """Advance one tick; arguments as Head.step."""
        normal = self._random.standard_normal(24)
        uniform = self._random.random(8)
        speaking = beat.speaking
        idle = controls.idle
        self._shift_posture(beat, speaking, idle, normal[15:18], uniform)
        self._couple_phrase(beat, normal[18:24])

        # Slow log-normal vigour makes some phrases lively and others calm.
        self._vigour += -self._vigour * 0.025 + 0.22 * float(normal[14])
        vigour = math.exp(0.38 * max(-2.5, min(2.5, self._vigour)) - 0.07)
        lively = speaking * vigour * (0.55 + 0.9 * beat.loudness) * controls.head
        calm = _IDLE_NOISE * idle * (1 - speaking)
        noise = normal[:15].reshape(5, 3) * self._noise_gain * (lively + calm)
        target = noise
        target[_POSTURE] = self._posture
        loudness = beat.loudness - 0.45 * speaking
        target[_MELODY] += (lively**0.5) * (
            self._couplings[0] * beat.melody + self._couplings[1] * loudness
        )
        target[_NOD] = self._nods(beat, heard, controls, vigour, normal, uniform)
        self._springs.step(target.reshape(15))
        self._drift.step(self._drift_gain * normal[8:11] * (lively + 0.6 * idle * (1 - speaking)))
        return self._pose()

    def _shift_posture(
        self, beat: Beat, speaking: float, idle: float, normal: FloatArray, uniform: FloatArray
    ) -> None:
        """Choose a new resting attitude at phrase boundaries, and now and then between them."""
        hazard = 0.2 * speaking + 0.09 * idle * (1 - speaking)
        chance = TICK_SECS * hazard
        if beat.is_phrase_start or beat.is_phrase_end:
            chance = 0.5
        if uniform[0] < chance:
            scale = speaking + _IDLE_POSTURE * min(1.0, idle) * (1 - speaking)
            draw = np.clip(normal, -2.2, 2.2) * _POSTURE_DEG * scale
            self._posture = 0.25 * self._posture + draw

    def _couple_phrase(self, beat: Beat, normal: FloatArray) -> None:
        """Draw, for each phrase, how melody and loudness turn into yaw, pitch and roll."""
        if not beat.is_phrase_start:
            return
        drawn = normal.reshape(2, 3)
        self._couplings[0] = np.array([0.3, 0.15, 0.25]) * drawn[0]
        self._couplings[0][1] += _MELODY_DEG_PER_SEMITONE
        self._couplings[1] = _LOUDNESS_DEG * np.array([0.7, 0.6, 0.5]) * drawn[1]
        self._couplings[1][1] += 0.5 * _LOUDNESS_DEG

    def _nods(
        self,
        beat: Beat,
        heard: Beat,
        controls: EasedControls,
        vigour: float,
        normal: FloatArray,
        uniform: FloatArray,
    ) -> FloatArray:
        """Pull (3,) on the nod spring, degrees: on accents, phrase ends, and to the partner."""
        nod = np.zeros(3)
        if beat.accent > 0:
            size = _ACCENT_DEG * beat.accent * (0.35 + 0.9 * float(uniform[1])) * vigour
            size = min(_MAX_NOD_DEG, size)
            direction = 1.0 if uniform[2] < 0.72 else -0.8
            nod += size * controls.head * np.array([0.55 * normal[11], direction, 0.4 * normal[12]])
        if beat.is_phrase_end and uniform[3] < 0.6:
            strength = _PHRASE_END_DEG * (0.5 + 0.6 * float(uniform[4])) * controls.head
            nod += strength * np.array([0.15 * normal[11], 1.0, 0.35 * normal[12]])
        if heard.is_phrase_end and beat.speaking < 0.3 and uniform[5] < 0.65:
            nod[1] += 4.0 * (0.6 + 0.6 * float(uniform[6]))  # "I am with you"
            self._pending_nod = 0.5 * nod[1]
        elif self._pending_nod and heard.pause_secs > 0.6:
            nod[1] += self._pending_nod
            self._pending_nod = 0.0
        # The muscles' pull builds up and fades over some 0.1 s; by it the spring moves about
        # 0.43 times the pulse's height.
        self._nod_pull = _NOD_FADE * self._nod_pull + nod / _NOD_GAIN
        return self._nod_pull

    def _pose(self) -> HeadTick:
        springs, drift = self._springs, self._drift
        return HeadTick(pivot(springs.value, drift.value), pivot(springs.velocity, drift.velocity))


@quick_kernel
def pivot(bands_deg: FloatArray, drift: FloatArray) -> FloatArray:
    """Pose (6,) of the (5 * 3,) bands and the (3,) drift; likewise its rate of theirs."""
    pose = np.zeros(6)
    for i in range(len(bands_deg)):
        pose[i % 3] += math.radians(bands_deg[i])
    for i in range(3):
        pose[3 + i] = drift[i]
    # The neck turns about a point below the eyes: rolling and turning carry the face along.
    pose[3] += 0.06 * pose[0] - 0.12 * pose[2]
    pose[4] -= 0.05 * pose[1]
    return pose


class Head:
    """Streaming head pose: sway, and what is asked for; step() once a tick."""

    def __init__(self, seed: int) -> None:
        random = random_stream(seed, "head")
        self._breath_phase = float(random.uniform(0, 2 * math.pi))
        self._breath_rate = 1.0
        self._follow = Follower(np.zeros(2), _FOLLOW_SETTLE_SECS)
        self._sway = Sway(random)
        self.sway = HeadTick(np.zeros(6), np.zeros(6))

    def reseed(self, seed: int) -> None:
        """Draw everything that is still to come from another seed."""
        self._sway.reseed(random_stream(seed, "head"))

    def step(
        self,
        beat: Beat,
        heard: Beat,
        controls: EasedControls,
        follow: tuple[float, float],
        sway: HeadTick | None = None,
    ) -> HeadTick:
        """Advance one tick; `sway` is then the sway in it.

        Args:
            beat: the avatar's own voice.
            heard: the partner's voice.
            controls: as they act over this tick.
            follow: yaw and pitch, radians, that the head takes over from a large gaze.
            sway: of another generator; None draws it here.
        """
        self.sway = self._sway.step(beat, heard, controls) if sway is None else sway
        strength = controls.head_motion
        # A share that changes turns the head as softly as a look that does.
        share = min(1.0, strength)
        self._follow.step(np.array([share * follow[0], share * follow[1]]))
        mood = controls.expression / blend_norm(controls.emotion)
        breath, breath_rate = self._breathe(beat)
        value = _add_up(
            self.sway.value, strength, controls.emotion, mood, self._follow.value, breath
        )
        rate = _add_up(
            self.sway.rate,
            strength,
            controls.emotion_rate,
            mood,
            self._follow.velocity,
            breath_rate,
        )
        value[5] += (1 - controls.distance) * CAMERA_DISTANCE_UNITS
        rate[5] -= controls.distance_rate * CAMERA_DISTANCE_UNITS
        return HeadTick(value, rate)

    def _breathe(self, beat: Beat) -> tuple[float, float]:
        """Chest and head rise while inhaling; a pause in speech is used for a quick breath.

        Returns:
            How full the lungs are, -1..1, and the rate per second.
        """
        is_exhaling = math.sin(self._breath_phase) < 0
        quick = 2.6 if 0.15 < beat.pause_secs < 1.2 and is_exhaling else 1.0
        slow = 0.75 if beat.speaking > 0.5 and is_exhaling else 1.0
        self._breath_rate += (quick * slow - self._breath_rate) * 0.15
        speed = 2 * math.pi * _BREATH_HZ * self._breath_rate
        self._breath_phase = (self._breath_phase + speed * TICK_SECS) % (2 * math.pi)
        return -math.cos(self._breath_phase), math.sin(self._breath_phase) * speed


@quick_kernel
def _add_up(
    sway: FloatArray,
    strength: float,
    emotion: FloatArray,
    mood: float,
    follow: FloatArray,
    breath: float,
) -> FloatArray:
    """Pose (6,) of sway, attitude of the emotion, head's share of the gaze, and breath."""
    pose = sway * strength
    for k in range(len(emotion)):
        for i in range(6):
            pose[i] += mood * emotion[k] * EMOTION_HEAD[k, i]
    pose[0] += follow[0]
    pose[1] += follow[1]
    pose[1] -= breath * math.radians(_BREATH_PITCH_DEG)
    pose[4] += breath * _BREATH_Y
    pose[5] += breath * _BREATH_Z
    return pose
