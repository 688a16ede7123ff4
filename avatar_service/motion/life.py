"""Life beside the lips: one tick of head, gaze, blinks, brows and emotion, 25 times a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.audio.prosody import ProsodyHop
from avatar_service.motion.blink import Blinks
from avatar_service.motion.brows import Brows
from avatar_service.motion.controls import ControlSchedule, EasedControls
from avatar_service.motion.easing import TICK_SECS, FloatArray, hermite, soft_limit
from avatar_service.motion.emotion import EMOTION_FACE, SuggestedEmotion, blend_norm
from avatar_service.motion.gaze import Gaze, eyes_from_aim
from avatar_service.motion.head import Head
from avatar_service.motion.rhythm import Rhythm
from avatar_service.schema import (
    EMOTION_NAMES,
    MAX_HEAD_PITCH_RADIANS,
    MAX_HEAD_ROLL_RADIANS,
    MAX_HEAD_YAW_RADIANS,
    NUM_EXPRESSIONS,
)
from avatar_service.signals import Controls, Float32Array

_NEUTRAL: Final = EMOTION_NAMES.index("neutral")

# Layout of one node's row: head 6, face offsets of emotion 52, of brows 52, emotion 8, strengths 4.
_HEAD: Final = slice(0, 6)
_FACE: Final = slice(6, 6 + NUM_EXPRESSIONS)
_BROWS: Final = slice(58, 58 + NUM_EXPRESSIONS)
_EMOTION: Final = slice(110, 118)
_JAW: Final = 118
_LIPS: Final = 119
_SPEECH: Final = 120
_TALKING: Final = 121
_NUM_COLUMNS: Final = 122


@dataclass(frozen=True, slots=True)
class LifeSample:
    """Life at one frame's time.

    Attributes:
        head: (6,) yaw, pitch, roll in radians within the schema's limits, x, y, z in units.
        gaze: (2, 2) float32 per eye, head frame.
        lids: closure 0..1 of left and right lid by blinking.
        emotion_face: (52,) offsets of the emotion.
        brows_face: (52,) offsets of brows, cheeks and resting mouth.
        emotion: (8,) weights shown.
        jaw_gain, lip_gain: factors on the lips' coefficients.
        speech: activity of the voice, 0..1.
        talking: the same over a second or so: the state of someone in the middle of talking.
    """

    head: FloatArray
    gaze: Float32Array
    lids: tuple[float, float]
    emotion_face: FloatArray
    brows_face: FloatArray
    emotion: FloatArray
    jaw_gain: float
    lip_gain: float
    speech: float
    talking: float


class Life:
    """All channels; tick() advances 40 ms, at() gives any time within the newest tick.

    The voice must be known up to the end of the tick; nothing looks further ahead.
    """

    def __init__(self, controls: Controls, seed: int) -> None:
        self.controls = ControlSchedule(controls)
        self._rhythm = Rhythm()
        self._heard = Rhythm()
        self._suggested = SuggestedEmotion()
        self._control_seed = controls.seed
        self._base_seed = seed
        self._num_ticks = 0
        self._speech = 0.0
        self._talking = 0.0
        self._head = Head(self._seed)
        self._gaze = Gaze(self._seed)
        self._blinks = Blinks(self._seed)
        self._brows = Brows(self._seed)
        self._position = (0.0, 0.0, 0.0)
        self._head_row = (np.zeros(6), np.zeros(6))
        self._first = self._second = self._row(self.controls.step(-1))

    @property
    def _seed(self) -> int:
        return self._base_seed * 1_000_003 + self._control_seed

    @property
    def now_secs(self) -> float:
        """End of the newest tick on the life clock."""
        return self._num_ticks * TICK_SECS

    def cut_speech(self) -> None:
        """Forget the voice so far (barge-in): its phrase is over, without a phrase-end nod."""
        self._rhythm = Rhythm()

    def tick(
        self, start_nanos: int, voice: Sequence[ProsodyHop], heard: Sequence[ProsodyHop]
    ) -> None:
        """Advance one tick that starts at start_nanos, with the hops that ended within it."""
        controls = self.controls.step(start_nanos)
        if controls.source.seed != self._control_seed:
            self._control_seed = controls.source.seed
            for channel in (self._head, self._gaze, self._blinks, self._brows):
                channel.reseed(self._seed)  # new choices from here on, no jump
        start_secs = self.now_secs
        beat, partner = self._rhythm.step(voice), self._heard.step(heard)
        self._suggested.step(beat)
        self._gaze.step(start_secs, beat, partner, controls, self._position)
        self._blinks.step(start_secs, beat, partner, controls.blink_rate, self._gaze.shift_deg)
        self._brows.step(beat, partner, controls)
        pose = self._head.step(beat, partner, controls, self._gaze.follow)
        self._head_row = (pose.value, pose.rate)
        self._position = (float(pose.value[3]), float(pose.value[4]), float(pose.value[5]))
        activity = voice[-1].activity if voice else 0.0
        self._speech += (activity - self._speech) * 0.7
        self._talking += (beat.speaking - self._talking) * 0.06
        self._num_ticks += 1
        self._first, self._second = self._second, self._row(controls)

    def at(self, fraction: float) -> LifeSample:
        """Life at 0..1 of the newest tick."""
        (first, first_rate), (second, second_rate) = self._first, self._second
        row = hermite(fraction, TICK_SECS, first, first_rate, second, second_rate)
        secs = self.now_secs - (1 - fraction) * TICK_SECS
        head = row[_HEAD]
        rotation = (
            soft_limit(float(head[0]), MAX_HEAD_YAW_RADIANS),
            soft_limit(float(head[1]), MAX_HEAD_PITCH_RADIANS),
            soft_limit(float(head[2]), MAX_HEAD_ROLL_RADIANS),
        )
        head[:3] = rotation
        gaze = eyes_from_aim(self._gaze.aim(secs), rotation)
        return LifeSample(
            head=head,
            gaze=gaze,
            lids=self._blinks.closure(secs),
            emotion_face=row[_FACE],
            brows_face=row[_BROWS],
            emotion=row[_EMOTION],
            jaw_gain=float(row[_JAW]),
            lip_gain=float(row[_LIPS]),
            speech=float(row[_SPEECH]),
            talking=float(row[_TALKING]),
        )

    def _row(self, controls: EasedControls) -> tuple[FloatArray, FloatArray]:
        """(values, rates per second) of a node."""
        value, rate = np.zeros(_NUM_COLUMNS), np.zeros(_NUM_COLUMNS)
        value[_HEAD], rate[_HEAD] = self._head_row
        shown = controls.emotion.copy()
        shown_rate = controls.emotion_rate.copy()
        asked = min(1.0, float(shown.sum()))
        shown += self._suggested.weights * (1 - asked)  # a wish of the client silences the hint
        strength = controls.expression / blend_norm(shown)
        value[_FACE] = (shown @ EMOTION_FACE) * strength
        rate[_FACE] = (shown_rate @ EMOTION_FACE) * strength
        value[_BROWS], rate[_BROWS] = self._brows.value, self._brows.rate
        value[_EMOTION], rate[_EMOTION] = shown, shown_rate
        felt = float(shown.sum() - shown[_NEUTRAL])
        value[110 + _NEUTRAL] = max(0.0, 1 - felt)
        rate[110 + _NEUTRAL] = 0.0
        # Weak expression still speaks clearly: lips follow the strength only in part.
        mouth = 1 + 0.3 * (controls.expression - 1)
        value[_JAW], value[_LIPS] = controls.jaw * mouth, controls.lips * mouth
        value[_SPEECH], value[_TALKING] = self._speech, self._talking
        return value, rate
