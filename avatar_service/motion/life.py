"""Life beside the lips: one tick of head, gaze, blinks, brows and emotion, 25 times a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.audio.prosody import ProsodyHop
from avatar_service.errors import AvatarError, Reason
from avatar_service.jit import quick_kernel
from avatar_service.motion.blink import Blinks
from avatar_service.motion.brows import Brows
from avatar_service.motion.controls import ControlSchedule, EasedControls
from avatar_service.motion.easing import TICK_SECS, FloatArray, Springs, hermite, soft_limit
from avatar_service.motion.emotion import (
    EMOTION_FACE,
    NEUTRAL,
    SuggestedEmotion,
    blend_norm,
    felt_of,
)
from avatar_service.motion.entrainment import Entrainment, tempo_of
from avatar_service.motion.gaze import Gaze, eyes_from_aim
from avatar_service.motion.generators import GESTURES, parts_of
from avatar_service.motion.gestures import Gestures
from avatar_service.motion.head import Head, HeadTick
from avatar_service.motion.head_shaping import HeadShaping
from avatar_service.motion.life_channels import condition_row, face_of
from avatar_service.motion.life_stream import LifeModel, LifeStream, shared_model
from avatar_service.motion.rhythm import Beat, Rhythm
from avatar_service.schema import (
    MAX_HEAD_PITCH_RADIANS,
    MAX_HEAD_ROLL_RADIANS,
    MAX_HEAD_YAW_RADIANS,
    NUM_EMOTIONS,
    NUM_EXPRESSIONS,
)
from avatar_service.signals import Controls, Float32Array

# Layout of one node's row: head 6, face offsets of emotion 52, of brows 52, emotion 8, strengths 4.
_FACE_FROM: Final = 6
_BROWS_FROM: Final = _FACE_FROM + NUM_EXPRESSIONS
_EMOTION_FROM: Final = _BROWS_FROM + NUM_EXPRESSIONS
_JAW: Final = _EMOTION_FROM + NUM_EMOTIONS
_LIPS: Final = _JAW + 1
_SPEECH: Final = _JAW + 2
_TALKING: Final = _JAW + 3
_NUM_COLUMNS: Final = _JAW + 4
_HEAD: Final = slice(0, _FACE_FROM)
_FACE: Final = slice(_FACE_FROM, _BROWS_FROM)
_BROWS: Final = slice(_BROWS_FROM, _EMOTION_FROM)
_EMOTION: Final = slice(_EMOTION_FROM, _JAW)
_BRIDGE_HZ: Final = 1.2
"""Of the spring that takes up what is between two generators when they change over."""
_NO_PULL: Final = np.zeros(_BROWS_FROM)


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


@dataclass(frozen=True, slots=True)
class _Sensed:
    """What a tick that has begun knows."""

    controls: EasedControls
    beat: Beat
    partner: Beat
    activity: float
    has_changed: bool


class Life:
    """All channels; tick() advances 40 ms, at() gives any time within the newest tick.

    The voice must be known up to the end of the tick; nothing looks further ahead. What is asked
    for (gaze, distance, emotion, strengths) acts exactly, whoever generates the life around it.
    """

    def __init__(
        self,
        controls: Controls,
        seed: int,
        model: LifeModel | None = None,
    ) -> None:
        """Start at rest.

        Args:
            controls: in force from the start; `motion_model` tells who generates what.
            seed: of everything drawn, joined with controls.seed.
            model: the transformer; None takes the package's.

        Raises:
            AvatarError: MODELS_NOT_AVAILABLE where the package's weights cannot be read.
        """
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
        self._gestures = Gestures(self._seed)
        self._model = model
        self._parts: frozenset[str] = frozenset()
        self.stream: LifeStream | None = None
        self._bridge = Springs(np.full(_BROWS_FROM, _BRIDGE_HZ), np.array(0.9))
        self._choose(parts_of(controls.motion_model))
        self._sensed: _Sensed | None = None
        self._position = (0.0, 0.0, 0.0)
        self._shown = (_NO_PULL, _NO_PULL)
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

    def sense(
        self, start_nanos: int, voice: Sequence[ProsodyHop], heard: Sequence[ProsodyHop]
    ) -> None:
        """Begin the tick that starts at start_nanos, with the hops that ended within it.

        Afterwards the transformer's block, where one is due, may be drawn together with others'.
        """
        controls = self.controls.step(start_nanos)
        if controls.source.seed != self._control_seed:
            self._control_seed = controls.source.seed
            drawing = (self._head, self._gaze, self._blinks, self._brows, self._gestures)
            for channel in (*drawing, self.stream):
                if channel is not None:
                    channel.reseed(self._seed)  # new choices from here on, no jump
        parts = parts_of(controls.source.motion_model)
        has_changed = parts != self._parts
        if has_changed:
            self._choose(parts)
        beat, partner = self._rhythm.step(voice), self._heard.step(heard)
        if self.stream is not None:
            realness = self.stream.model.settings.realness * beat.speaking
            self.stream.sense(condition_row(beat, voice, partner, controls, realness))
        activity = voice[-1].activity if voice else 0.0
        self._sensed = _Sensed(controls, beat, partner, activity, has_changed)

    def tick(
        self, start_nanos: int, voice: Sequence[ProsodyHop], heard: Sequence[ProsodyHop]
    ) -> None:
        """Advance one tick that starts at start_nanos: sense and act."""
        self.sense(start_nanos, voice, heard)
        self.act()

    def _choose(self, parts: frozenset[str]) -> None:
        """Let other generators go on from here; the one that comes in starts at its rest."""
        self._parts = parts
        if not parts:
            self.stream = None
        elif self.stream is None:
            self.stream = LifeStream(self._model or shared_model(), self._seed)
            settings = self.stream.model.settings
            self._shaping = HeadShaping(settings.head_drift_db, settings.head_slow_db)
            self._entrainment = Entrainment()

    def act(self) -> None:
        """End the tick that was begun."""
        sensed = self._sensed
        if sensed is None:
            raise AvatarError(Reason.BUG, "a tick ends that was not begun")
        self._sensed = None
        controls, beat, partner = sensed.controls, sensed.beat, sensed.partner
        start_secs = self.now_secs
        self._suggested.step(beat)
        drawn, sway, shift = None, None, None
        if self.stream is not None:
            source = controls.source
            is_asked = source.gaze is not None or source.look_at is not None
            # Without idle life nobody moves unless they speak; the network is only told so.
            alive = beat.speaking + min(1.0, controls.idle) * (1 - beat.speaking)
            drawn = self.stream.act(
                blink_rate=controls.blink_rate, alive=alive, is_gaze_asked=is_asked
            )
            if "head" in self._parts:
                sway = self._shaping.step(HeadTick(drawn.value[:6], drawn.rate[:6]))
            if "gaze" in self._parts:
                shift = drawn.shift
        self._gaze.step(start_secs, beat, partner, controls, self._position, shift)
        if drawn is not None and "blink" in self._parts:
            self._blinks.step_with(start_secs, drawn.is_blink)
        else:
            shift_deg = self._gaze.shift_deg
            self._blinks.step(start_secs, beat, partner, controls.blink_rate, shift_deg)
        if drawn is not None and "face" in self._parts:
            face = (
                face_of(drawn.value) * controls.expression,
                face_of(drawn.rate) * controls.expression,
            )
        else:
            self._brows.step(beat, partner, controls)
            face = (self._brows.value, self._brows.rate)
        if GESTURES in self._parts:
            gestures = self._gestures
            tempo = tempo_of(beat.pulse, controls.head)
            gestures.step(beat, partner, controls, tempo)
            face = (
                face[0] + controls.expression * gestures.face,
                face[1] + controls.expression * gestures.face_rate,
            )
            if sway is not None:
                sway = self._entrainment.step(sway, tempo)
                sway = HeadTick(sway.value + gestures.head.value, sway.rate + gestures.head.rate)
        pose = self._head.step(beat, partner, controls, self._gaze.follow, sway)
        self._cross(sensed.has_changed, pose, face)
        self._position = (float(pose.value[3]), float(pose.value[4]), float(pose.value[5]))
        self._speech += (sensed.activity - self._speech) * 0.7
        self._talking += (beat.speaking - self._talking) * 0.06
        self._num_ticks += 1
        self._first, self._second = self._second, self._row(controls)

    def _cross(
        self, has_changed: bool, pose: HeadTick, face: tuple[FloatArray, FloatArray]
    ) -> None:
        """Take the new head and face over; a jump between generators is bridged smoothly."""
        bridge = self._bridge
        bridge.step(_NO_PULL)
        if has_changed:
            shown, shown_rate = self._shown
            bridge.value = shown + TICK_SECS * shown_rate - _bridged(pose.value, face[0], _NO_PULL)
            bridge.velocity = shown_rate - _bridged(pose.rate, face[1], _NO_PULL)
        self._shown = (
            _bridged(pose.value, face[0], bridge.value),
            _bridged(pose.rate, face[1], bridge.velocity),
        )

    def at(self, fraction: float) -> LifeSample:
        """Life at 0..1 of the newest tick."""
        (first, first_rate), (second, second_rate) = self._first, self._second
        row = hermite(fraction, TICK_SECS, first, first_rate, second, second_rate)
        secs = self.now_secs - (1 - fraction) * TICK_SECS
        head = row[_HEAD]
        yaw, pitch, roll = head[:3].tolist()
        rotation = (
            soft_limit(yaw, MAX_HEAD_YAW_RADIANS),
            soft_limit(pitch, MAX_HEAD_PITCH_RADIANS),
            soft_limit(roll, MAX_HEAD_ROLL_RADIANS),
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
        asked = min(1.0, float(controls.emotion.sum()))
        # A wish of the client silences the hint.
        shown = controls.emotion + self._suggested.weights * (1 - asked)
        strength = controls.expression / blend_norm(shown)
        value = _node(self._shown[0], shown, strength)
        rate = _node(self._shown[1], controls.emotion_rate, strength)
        value[_EMOTION.start + NEUTRAL] = max(0.0, 1 - felt_of(shown))
        rate[_EMOTION.start + NEUTRAL] = 0.0
        # Weak expression still speaks clearly: lips follow the strength only in part.
        mouth = 1 + 0.3 * (controls.expression - 1)
        value[_JAW], value[_LIPS] = controls.jaw * mouth, controls.lips * mouth
        value[_SPEECH], value[_TALKING] = self._speech, self._talking
        return value, rate


@quick_kernel
def _node(shown: FloatArray, emotion: FloatArray, strength: float) -> FloatArray:
    """One node's row of head and offsets beside emotion, (58,), and the emotion's weights (8,)."""
    row = np.zeros(_NUM_COLUMNS)
    row[:_FACE_FROM] = shown[:_FACE_FROM]
    for k in range(len(emotion)):
        if emotion[k] != 0:
            for i in range(NUM_EXPRESSIONS):
                row[_FACE_FROM + i] += strength * emotion[k] * EMOTION_FACE[k, i]
    row[_BROWS_FROM:_EMOTION_FROM] = shown[_FACE_FROM:]
    row[_EMOTION_FROM:_JAW] = emotion
    return row


@quick_kernel
def _bridged(head: FloatArray, face: FloatArray, bridge: FloatArray) -> FloatArray:
    """Head (6,) and face (52,) in one row, with the bridge (58,) added."""
    row = bridge.copy()
    row[:_FACE_FROM] += head
    row[_FACE_FROM:] += face
    return row
