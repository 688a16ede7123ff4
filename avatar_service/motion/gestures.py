"""Gestures that go with speech: brows and beats of the head, and how phrases begin and end.

They lie over whoever generates the rest, and give the face a meaning that follows the sentence:

    emphasis        brows flash or knit, the head beats; small beats on some other accents
    a phrase        the chin lifts as it begins and sinks towards its end
    break           a smile or a nod now and then
    going on        the head takes a new attitude, the face a new mood
    partner         nods and a brow at the ends of what is heard

Sources: raised brows go with accents, not with every one (Ekman 1979); nods fall on strong phrase
ends (Ishi et al. 2014). From the tracked White House address (docs/models/motion.md): the chin is
lifted by a third of its spread at accents and sunk as far at breaks, the head moves fastest where
speech resumes and is stillest at the break.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_service.motion.controls import EasedControls
from avatar_service.motion.easing import TICK_SECS, FloatArray, Springs
from avatar_service.motion.emotion import felt_of, vigour_of
from avatar_service.motion.head import HeadTick, pivot
from avatar_service.motion.rhythm import Beat
from avatar_service.motion.streams import random_stream
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS

# Springs of the face: quick ones that events pull, slow ones that hold the mood of a phrase.
_INNER: Final = 0
_OUTER: Final = 1
_KNIT: Final = 2
_SMILE: Final = 3
_WARM: Final = 4
_OPEN: Final = 5
_EARNEST: Final = 6
_FACE_HZ: Final = np.array([1.35, 1.35, 1.2, 0.8, 0.35, 0.45, 0.4])
_FACE_DAMPING: Final = np.array([0.75, 0.75, 0.8, 0.85, 0.85, 0.85, 0.85])
_MIXING: Final = {
    _INNER: {"browInnerUp": 1.0, "browDown": -0.3, "eyeWide": 0.12},
    _OUTER: {"browOuterUp": 1.0, "browDown": -0.3, "eyeWide": 0.12},
    _KNIT: {"browDown": 1.0, "eyeSquint": 0.45},
    _SMILE: {
        "mouthSmile": 1.0,
        "cheekSquint": 0.7,
        "eyeSquint": 0.35,
        "mouthDimple": 0.2,
        "browDown": -0.4,
    },
    _WARM: {"mouthSmile": 1.0, "cheekSquint": 0.7, "eyeSquint": 0.35},
    _OPEN: {"browInnerUp": 1.0, "browOuterUp": 0.5, "eyeWide": 0.25},
    _EARNEST: {"browDown": 1.0, "browInnerUp": 0.5, "eyeSquint": 0.5},
}

# Springs of the head: beats and the attitude of a phrase, each for yaw, pitch and roll; the chin.
_HEAD_HZ: Final = np.array([1.55, 1.55, 1.55, 0.95, 0.95, 0.95, 1.4])
_HEAD_DAMPING: Final = np.array([0.55, 0.55, 0.55, 0.8, 0.8, 0.8, 0.85])

_FLASH_FADE: Final = 0.82
_SMILE_FADE: Final = 0.95
_NOD_FADE: Final = 0.6
"""What is left of a pull after each tick."""

# Chances, and sizes in coefficients and degrees: set by looking, and so that the figures of
# docs/models/motion.md lie in the ranges of real video.
_FLASH_CHANCE: Final = 0.65
_KNIT_CHANCE: Final = 0.2
_FLASH_HEIGHT: Final = 0.37
_MAX_FLASH: Final = 0.46
_KNIT_DEPTH: Final = 0.3
_GREETING: Final = 0.34
_SMILE_HEIGHT: Final = 0.38
_BREAK_SMILE_CHANCE: Final = 0.4
_END_SMILE_CHANCE: Final = 0.75
_END_SMILE: Final = 1.3
_SPEAKING: Final = 0.3
"""Below this a loud moment is noise, and the partner may be answered."""
_LONG_PAUSE_SECS: Final = 1.0
"""Who speaks after this begins a turn."""

_BEAT_DEG: Final = 4.7
_SMALL_BEAT_DEG: Final = 2.3
_SMALL_BEAT_CHANCE: Final = 0.45
"""Of an ordinary accent at a head of strength 1; lively styles take up more of them."""
_MOST_LIVELY: Final = 1.6
_TEMPO_SHARE: Final = 0.6
"""Beats are on the accent already; so much of the head's tempo they take over."""
_BREAK_NOD_DEG: Final = 2.8
_BREAK_NOD_CHANCE: Final = 0.35
_ANSWER_NOD_DEG: Final = 4.0
_ANSWER_CHANCE: Final = 0.65
_LIFT_DEG: Final = 3.8
_SINK_DEG: Final = 4.2
_SINK_SECS: Final = 1.3
_RISE_SECS: Final = 0.5
_BREATH_AFTER_SECS: Final = 0.25
"""The chin, lifted at a phrase's beginning, sinks within it; in a pause breath lifts it again."""
_ATTITUDE_DEG: Final = np.array([2.8, 1.6, 2.0])
_IDLE_MOODS_PER_SEC: Final = 0.12
_MIN_PHRASE_SECS: Final = 1.0
"""Attitude and mood last at least so long."""
_LIMIT: Final = 1.8
"""Of what is drawn, in standard deviations: nothing is extreme."""


def _mixing(seed: int) -> FloatArray:
    """(7, 52) weights of the springs on the face, with this person's small asymmetry."""
    lean = random_stream(seed, "asymmetry").uniform(-0.12, 0.12, len(_FACE_HZ))
    mixing = np.zeros((len(_FACE_HZ), NUM_EXPRESSIONS))
    for spring, shapes in _MIXING.items():
        for name, weight in shapes.items():
            if name in EXPRESSION_INDEX:
                mixing[spring, EXPRESSION_INDEX[name]] = weight
                continue
            mixing[spring, EXPRESSION_INDEX[name + "Left"]] = weight * (1 + lean[spring])
            mixing[spring, EXPRESSION_INDEX[name + "Right"]] = weight * (1 - lean[spring])
    return mixing


def _reach(frequency_hz: float, damping: float, fade: float) -> float:
    """How far a spring comes that is pulled by 1, fading by `fade` each tick."""
    spring = Springs(np.array([frequency_hz]), np.array([damping]))
    pull, farthest = 1.0, 0.0
    for _ in range(50):
        spring.step(np.array([pull]))
        pull *= fade
        farthest = max(farthest, float(spring.value[0]))
    return farthest


_FADES: Final = np.array([_FLASH_FADE, _FLASH_FADE, _FLASH_FADE, _SMILE_FADE])
_FACE_REACH: Final = np.array(
    [_reach(_FACE_HZ[i], _FACE_DAMPING[i], fade) for i, fade in enumerate(_FADES)]
)
_NOD_REACH: Final = _reach(_HEAD_HZ[0], _HEAD_DAMPING[0], _NOD_FADE)


class Gestures:
    """Streaming gestures of one session; step() once a tick.

    Attributes:
        head: pose (6,) and rates, at head-motion strength 1.
        face, face_rate: (52,) offsets at expression strength 1, and their rates per second.
    """

    def __init__(self, seed: int) -> None:
        self._random = random_stream(seed, "gestures")
        self._mixing = _mixing(seed)
        self._face_springs = Springs(_FACE_HZ, _FACE_DAMPING)
        self._head_springs = Springs(_HEAD_HZ, _HEAD_DAMPING)
        self._face_pull = np.zeros(len(_FADES))
        self._nod_pull = np.zeros(3)
        self._mood = np.array([0.4, 0.2, 0.0])
        self._attitude_deg = np.zeros(3)
        self._chin_deg = 0.0
        self._sink_deg = _SINK_DEG
        self._vigour = 1.0
        self._phrase_secs = 1e3
        self._engaged = 0.0
        self._tempo = 1.0
        self.head = HeadTick(np.zeros(6), np.zeros(6))
        self.face: FloatArray = np.zeros(NUM_EXPRESSIONS)
        self.face_rate: FloatArray = np.zeros(NUM_EXPRESSIONS)

    def reseed(self, seed: int) -> None:
        """Draw everything that is still to come from another seed."""
        self._random = random_stream(seed, "gestures")

    def step(self, beat: Beat, heard: Beat, controls: EasedControls, tempo: float = 1.0) -> None:
        """Advance one tick.

        Args:
            beat: the avatar's own voice.
            heard: the partner's voice.
            controls: as they act over this tick.
            tempo: how fast time runs for the head, see entrainment.tempo_of.
        """
        normal = np.clip(self._random.standard_normal(12), -_LIMIT, _LIMIT)
        uniform = self._random.random(10)
        self._face_pull *= _FADES
        self._nod_pull *= _NOD_FADE
        self._phrase_secs += TICK_SECS
        self._engaged += (beat.speaking - self._engaged) * 0.05
        if beat.resumed_secs > 0:
            self._go_on(beat.resumed_secs, normal, uniform)
        if beat.accent > 0 and beat.speaking > _SPEAKING:
            self._stress(beat, min(_MOST_LIVELY, controls.head), normal, uniform)
        if beat.is_break or beat.is_phrase_end:
            self._pause(beat, normal, uniform)
        if beat.speaking < _SPEAKING:
            self._listen(heard, normal, uniform)
            if uniform[9] < TICK_SECS * _IDLE_MOODS_PER_SEC * controls.idle:
                self._change_mood(normal)
        vigour = vigour_of(controls.emotion)
        self._move_face(controls, vigour)
        self._move_head(beat, controls, vigour, tempo)

    def _go_on(self, silence_secs: float, normal: FloatArray, uniform: FloatArray) -> None:
        """Speech resumes: the chin lifts; after a while also a new attitude and mood."""
        self._chin_deg = -_LIFT_DEG * (0.5 + float(uniform[0]))
        self._sink_deg = _SINK_DEG * (0.5 + float(uniform[6]))
        if silence_secs > _LONG_PAUSE_SECS and uniform[1] < 0.8:
            self._pull_face(_INNER, _GREETING * (0.6 + 0.6 * float(uniform[2])))
            self._pull_face(_OUTER, _GREETING * (0.5 + 0.5 * float(uniform[3])))
            self._pull_face(_SMILE, _SMILE_HEIGHT * (0.4 + 0.6 * float(uniform[4])))
        if self._phrase_secs < _MIN_PHRASE_SECS:
            return
        self._phrase_secs = 0.0
        self._vigour = math.exp(0.35 * float(normal[0]))
        self._attitude_deg = 0.3 * self._attitude_deg + _ATTITUDE_DEG * normal[1:4]
        self._change_mood(normal)

    def _change_mood(self, normal: FloatArray) -> None:
        """Warm, open (brows up) or earnest (brows down): partly what it was before."""
        self._mood = 0.35 * self._mood + np.array([0.3, 0.1, -0.05]) + 0.55 * normal[4:7]

    def _stress(self, beat: Beat, lively: float, normal: FloatArray, uniform: FloatArray) -> None:
        """A stressed syllable: small beats on some, brows and larger beats on emphasis."""
        lean = np.array([0.55 * normal[7], 1.0, 0.45 * normal[8]])
        if beat.emphasis == 0:
            if uniform[0] < _SMALL_BEAT_CHANCE * lively:
                size = _SMALL_BEAT_DEG * beat.accent * (0.5 + float(uniform[1])) * self._vigour
                self._pull_head(size * lean)
            return
        strength = (0.4 + 0.6 * beat.emphasis) * self._vigour**0.5
        lean[1] = 1.0 if uniform[2] < 0.75 else -0.8
        self._pull_head(_BEAT_DEG * strength * (0.5 + 0.7 * float(uniform[3])) * lean)
        if uniform[4] < _FLASH_CHANCE:
            height = min(_MAX_FLASH, _FLASH_HEIGHT * strength * (0.55 + 0.6 * float(uniform[5])))
            tilt = 0.2 * float(normal[9])  # sometimes more the inner, sometimes the outer brows
            self._pull_face(_INNER, height * (1 + tilt))
            self._pull_face(_OUTER, height * (0.6 - tilt))
        elif uniform[4] < _FLASH_CHANCE + _KNIT_CHANCE:
            self._pull_face(_KNIT, _KNIT_DEPTH * strength * (0.6 + 0.6 * float(uniform[5])))

    def _pause(self, beat: Beat, normal: FloatArray, uniform: FloatArray) -> None:
        """A break, or its growing into the end of a phrase: a smile or a nod."""
        if beat.is_break and uniform[7] < _BREAK_NOD_CHANCE:
            size = _BREAK_NOD_DEG * (0.5 + 0.6 * float(uniform[0]))
            self._pull_head(size * np.array([0.15 * normal[7], 1.0, 0.35 * normal[8]]))
        chance = _END_SMILE_CHANCE if beat.is_phrase_end else _BREAK_SMILE_CHANCE
        if uniform[8] < chance and self._mood[0] > -0.2:
            size = _END_SMILE if beat.is_phrase_end else 1.0
            height = size * _SMILE_HEIGHT * (0.5 + 0.6 * float(uniform[9]))
            self._pull_face(_SMILE, height - self._face_pull[_SMILE] * _FACE_REACH[_SMILE])

    def _listen(self, heard: Beat, normal: FloatArray, uniform: FloatArray) -> None:
        """Answer what is heard: a nod at a phrase's end, brows on some of its emphases."""
        if heard.is_phrase_end and uniform[0] < _ANSWER_CHANCE:
            size = _ANSWER_NOD_DEG * (0.6 + 0.6 * float(uniform[1]))
            self._pull_head(size * np.array([0.1 * normal[7], 1.0, 0.2 * normal[8]]))
            if uniform[2] < 0.4:
                self._pull_face(_SMILE, 0.6 * _SMILE_HEIGHT * (0.5 + 0.5 * float(uniform[3])))
        elif heard.emphasis > 0 and uniform[4] < 0.25:
            height = 0.45 * _FLASH_HEIGHT * (0.5 + 0.6 * float(uniform[5]))
            self._pull_face(_INNER, height)
            self._pull_face(_OUTER, 0.8 * height)

    def _pull_face(self, spring: int, height: float) -> None:
        self._face_pull[spring] += max(0.0, height) / _FACE_REACH[spring]

    def _pull_head(self, degrees: FloatArray) -> None:
        self._nod_pull = self._nod_pull + degrees / _NOD_REACH

    def _move_face(self, controls: EasedControls, vigour: float) -> None:
        asked = min(1.0, felt_of(controls.emotion))
        own = 1 - asked  # a feeling that is asked for takes the place of moods of one's own
        life = self._engaged + 0.4 * min(1.0, controls.idle) * (1 - self._engaged)
        warm, is_open, earnest = np.clip(self._mood, 0.0, 1.6).tolist()
        pull = np.empty(len(_FACE_HZ))
        pull[: len(_FADES)] = self._face_pull
        pull[:_SMILE] *= controls.brows * vigour
        pull[_SMILE] *= own
        pull[_WARM] = 0.19 * warm * own * life
        pull[_OPEN] = 0.09 * is_open * own * life * controls.brows
        pull[_EARNEST] = 0.15 * earnest * own * life
        self._face_springs.step(pull)
        self.face = self._face_springs.value @ self._mixing
        self.face_rate = self._face_springs.velocity @ self._mixing

    def _move_head(self, beat: Beat, controls: EasedControls, vigour: float, tempo: float) -> None:
        goal, secs = self._sink_deg, _SINK_SECS
        if beat.pause_secs > _BREATH_AFTER_SECS:
            goal, secs = -0.5 * _LIFT_DEG, _RISE_SECS
        self._chin_deg += (goal - self._chin_deg) * TICK_SECS / secs
        target = np.empty(len(_HEAD_HZ))
        target[:3] = self._nod_pull
        target[3:6] = self._attitude_deg * self._engaged
        target[6] = self._chin_deg * self._engaged
        own = 1 + _TEMPO_SHARE * (tempo - 1)
        springs = self._head_springs
        springs.step_over(controls.head * vigour * target, TICK_SECS * (own + self._tempo) / 2)
        self._tempo = own
        self.head = HeadTick(_pose(springs.value), own * _pose(springs.velocity))


def _pose(springs: FloatArray) -> FloatArray:
    """Pose (6,) of the head's springs, degrees; likewise its rate of theirs."""
    bands = springs[:6].copy()
    bands[4] += springs[6]
    return pivot(bands, _NO_DRIFT)


_NO_DRIFT: Final = np.zeros(3)
