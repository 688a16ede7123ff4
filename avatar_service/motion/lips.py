"""The lips' track at 50 Hz, read at any time, and its meeting with emotion on one face."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.jit import quick_kernel
from avatar_service.motion.easing import FloatArray, ease, hermite
from avatar_service.motion.life import LifeSample
from avatar_service.schema import (
    EXPRESSION_INDEX,
    EXPRESSION_MAX,
    EXPRESSION_NAMES,
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
    NUM_EXPRESSIONS,
)
from avatar_service.signals import Float32Array

STEP_NANOS: Final = 20_000_000
RELEASE_NANOS: Final = 100_000_000
"""After a barge-in the mouth reaches the new track within this time."""


class LipTrack:
    """Steps of lip coefficients on a 20 ms grid; append as they come, read in rising time."""

    def __init__(self) -> None:
        self._first_pts = 0
        self._steps: list[FloatArray] = []
        self._num_dropped = 0
        self._release_pts: int | None = None
        self._held: tuple[FloatArray, FloatArray] = (np.zeros(NUM_EXPRESSIONS),) * 2

    def start(self, first_pts_nanos: int) -> None:
        """Begin an empty track whose first step lies at first_pts_nanos."""
        self._first_pts = first_pts_nanos
        self._steps = []
        self._num_dropped = 0

    def release(self, pts_nanos: int, first_pts_nanos: int) -> None:
        """Cut at pts_nanos; values ease from there into a new track from first_pts_nanos on."""
        value, rate = self.at(pts_nanos), self._read(pts_nanos)[1]
        self._held = value, rate
        self._release_pts = pts_nanos
        self.start(first_pts_nanos)

    def append(self, step: Float32Array) -> None:
        """Add the next (52,) step."""
        self._steps.append(np.asarray(step, np.float64))

    @property
    def end_pts_nanos(self) -> int:
        """Time of the newest step; the track is known up to here."""
        return self._first_pts + (self._num_dropped + len(self._steps) - 1) * STEP_NANOS

    def step_from(self, pts_nanos: int) -> int:
        """Return the time of the first step, told or to come, that is not before a time."""
        return self._first_pts - (self._first_pts - pts_nanos) // STEP_NANOS * STEP_NANOS

    def at(self, pts_nanos: int) -> FloatArray:
        """(52,) coefficients at a time not beyond end_pts_nanos."""
        value = self._read(pts_nanos)[0]
        if self._release_pts is not None:
            elapsed = pts_nanos - self._release_pts
            if elapsed >= RELEASE_NANOS:
                self._release_pts = None
            else:
                # The old mouth coasts to a stop while its share fades.
                held, rate = self._held
                share = 1 - ease(elapsed / RELEASE_NANOS)
                coast = min(elapsed, RELEASE_NANOS // 4) * 1e-9
                old = np.clip(held + rate * coast * 0.5, 0.0, EXPRESSION_MAX)
                value = share * old + (1 - share) * value
        return value

    def _read(self, pts_nanos: int) -> tuple[FloatArray, FloatArray]:
        """Values and rates per second; rest before the first step."""
        position, remainder = divmod(pts_nanos - self._first_pts, STEP_NANOS)
        index = position - self._num_dropped
        while index > 4:  # steps behind are not read again
            self._steps.pop(0)
            self._num_dropped += 1
            index -= 1
        before, first, second = self._step(index - 1), self._step(index), self._step(index + 1)
        step_secs = STEP_NANOS * 1e-9
        # Backward differences as rates: smooth to the first derivative, no step waited for.
        first_rate, second_rate = (first - before) / step_secs, (second - first) / step_secs
        value = hermite(remainder / STEP_NANOS, step_secs, first, first_rate, second, second_rate)
        return value, second_rate

    def _step(self, index: int) -> FloatArray:
        if index < 0 or not self._steps:
            return _REST
        return self._steps[min(index, len(self._steps) - 1)]


_REST: Final[FloatArray] = np.zeros(NUM_EXPRESSIONS)


def _places(*names: str) -> tuple[int, ...]:
    return tuple(EXPRESSION_INDEX[name] for name in names)


_JAW_OPEN: Final = EXPRESSION_INDEX["jawOpen"]
_JAW: Final = _places("jawOpen", "jawForward", "jawLeft", "jawRight")
_ROUND: Final = _places("mouthPucker", "mouthFunnel")
_SPREAD: Final = _places(
    *(n + side for n in ("mouthSmile", "mouthStretch", "mouthDimple") for side in ("Left", "Right"))
)
_CLOSE: Final = _places("mouthClose", "mouthRollLower", "mouthRollUpper", "mouthPressLeft")
_OPENING: Final = _places(
    "jawOpen",
    *(n + side for n in ("mouthUpperUp", "mouthLowerDown") for side in ("Left", "Right")),
)
_CHEEK: Final = _places("cheekSquintLeft", "cheekSquintRight")
_SQUINT: Final = _places("eyeSquintLeft", "eyeSquintRight")
_SMILE: Final = _places("mouthSmileLeft", "mouthSmileRight")
_STRETCH: Final = _places("mouthStretchLeft", "mouthStretchRight")
_CHEEK_PER_SMILE: Final = 0.6
"""Spread vowels lift the cheeks and narrow the lids a little: the corners pull from there."""
_CHEEK_PER_STRETCH: Final = 0.3
_SQUINT_PER_CHEEK: Final = 0.5
_PRESS: Final = _places("mouthPressLeft", "mouthPressRight")
_MOUTH: Final = _places(*(n for n in EXPRESSION_NAMES if n.startswith(("mouth", "jaw"))))
_BLINK: Final = _places("eyeBlinkLeft", "eyeBlinkRight")
_WIDE: Final = _places("eyeWideLeft", "eyeWideRight")
_LOOK: Final = _places(
    *(f"eyeLook{way}Left" for way in ("Down", "In", "Out", "Up")),
    *(f"eyeLook{way}Right" for way in ("Down", "In", "Out", "Up")),
)
_LID_DOWN: Final = 0.30
"""Lid closure per full look down: the upper lid rides on the eyeball."""
_LID_UP: Final = 0.22
_SPEAKING_EMOTION: Final = 0.6
"""Share of the emotion's mouth shape kept while speaking."""


def compose(lips: FloatArray, life: LifeSample) -> Float32Array:
    """Put lips, emotion, brows, blinks and gaze on one face: (52,) float32, 0..EXPRESSION_MAX.

    Where a smile and a rounded mouth oppose each other they are multiplied down, not added, and
    nothing that opens the mouth acts on a closure, so that p, b, m still close in any mood.
    """
    return _compose(
        lips,
        life.emotion_face,
        life.brows_face,
        life.jaw_gain,
        life.lip_gain,
        life.talking,
        life.gaze,
        life.lids,
    )


@quick_kernel
def _greatest(values: FloatArray, places: tuple[int, ...]) -> float:
    most: float = values[places[0]]
    for i in places:
        most = max(most, values[i])
    return most


@quick_kernel
def _compose(
    lips: FloatArray,
    emotion: FloatArray,
    brows: FloatArray,
    jaw_gain: float,
    lip_gain: float,
    talking: float,
    gaze: Float32Array,
    lids: tuple[float, float],
) -> Float32Array:
    mouth = lips * lip_gain
    for i in _JAW:
        mouth[i] = lips[i] * jaw_gain
    closed = min(1.0, 1.6 * _greatest(lips, _CLOSE))
    rounded = min(1.0, _greatest(lips, _ROUND))
    mood = emotion + brows
    for i in _MOUTH:
        mood[i] *= 1 - (1 - _SPEAKING_EMOTION) * talking
    spread = min(1.0, max(0.0, _greatest(mood, _SPREAD)))
    for i in _SPREAD:
        mood[i] *= 1 - 0.75 * rounded
    for i in _OPENING:
        mood[i] *= 1 - closed
    for i in _PRESS:
        mood[i] *= max(0.0, 1 - 6 * lips[_JAW_OPEN])  # lips apart cannot be pressed
    for i in _ROUND:
        mouth[i] *= 1 - 0.35 * spread
    for side in range(2):
        lifted = _CHEEK_PER_SMILE * mouth[_SMILE[side]] + _CHEEK_PER_STRETCH * mouth[_STRETCH[side]]
        mood[_CHEEK[side]] += lifted
        mood[_SQUINT[side]] += _SQUINT_PER_CHEEK * lifted
    face = np.maximum(mouth + mood, 0.0)
    looks = eye_look(gaze)
    for k in range(len(looks)):
        face[_LOOK[k]] = looks[k]
    for side in range(2):
        pitch = gaze[side, 1] / MAX_GAZE_PITCH_RADIANS
        resting = face[_BLINK[side]] + _LID_DOWN * max(0.0, pitch)
        # A blink closes what is still open; a wide eye narrows with it.
        face[_BLINK[side]] = resting + (1 - min(1.0, resting)) * lids[side]
        wide = face[_WIDE[side]] + _LID_UP * max(0.0, -pitch)
        face[_WIDE[side]] = wide * (1 - lids[side])
    out = np.empty(len(face), np.float32)
    for i in range(len(face)):
        out[i] = min(max(face[i], 0.0), EXPRESSION_MAX)
    return out


@quick_kernel
def eye_look(gaze: Float32Array) -> FloatArray:
    """Derive eyeLook* from gaze: 1 at the schema's limit of the angle.

    Args:
        gaze: (2, 2) rows left and right eye, columns yaw and pitch, radians, head frame.

    Returns:
        (8,) Down, In, Out, Up of the left eye, then of the right one.
    """
    yaw_left, yaw_right = gaze[0, 0] / MAX_GAZE_YAW_RADIANS, gaze[1, 0] / MAX_GAZE_YAW_RADIANS
    pitch_left, pitch_right = (
        gaze[0, 1] / MAX_GAZE_PITCH_RADIANS,
        gaze[1, 1] / MAX_GAZE_PITCH_RADIANS,
    )
    # +yaw turns to the subject's left: outwards for the left eye, inwards for the right one.
    out = np.array(
        [
            pitch_left,
            -yaw_left,
            yaw_left,
            -pitch_left,
            pitch_right,
            yaw_right,
            -yaw_right,
            -pitch_right,
        ]
    )
    looks: FloatArray = np.maximum(out, 0.0)
    return looks
