"""The nouns of the service: everything that flows between stages is one of these.

All times are `pts_nanos`, int64 nanoseconds on the session's own clock (0 at its start, always
advancing). `epoch` rises by one at each barge-in; items of an older epoch are dropped.
Arrays are owned by the item and must not be written to after it was handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.schema import NUM_EMOTIONS, NUM_EXPRESSIONS

Float32Array = NDArray[np.float32]
UInt8Array = NDArray[np.uint8]
Int8Array = NDArray[np.int8]

MARK_TILE_PX: Final = 128
MARK_UNIT: Final = 32
"""A watermark goes from provenance to the renderers as its pattern: (MARK_TILE_PX, MARK_TILE_PX)
int8, zero mean, root mean square MARK_UNIT, repeated over the frame from its upper left corner."""


class AudioRole(Enum):
    """Whose voice the audio is."""

    SPEAK = "speak"
    """The avatar's own: it moves the lips."""
    LISTEN = "listen"
    """The partner's: the avatar attends to it, lips at rest."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Samples of the session's audio line, without gaps (silence is sent as zeros).

    Attributes:
        samples: (num_samples,) float32 in [-1, 1], mono, 16 kHz.
        pts_nanos: time of the first sample.
        is_speech: True inside a speech segment, False for virtual silence between segments.
    """

    samples: Float32Array
    pts_nanos: int
    epoch: int = 0
    role: AudioRole = AudioRole.SPEAK
    is_speech: bool = True


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """The end of one speech segment; travels in the stream and is never dropped."""

    pts_nanos: int
    epoch: int = 0
    segment_id: str = ""
    role: AudioRole = AudioRole.SPEAK


def _zeros(*shape: int) -> Float32Array:
    return np.zeros(shape, np.float32)


@dataclass(frozen=True, slots=True)
class MotionFrame:
    """One step of the motion latent; see schema.py for axes, signs and units.

    Attributes:
        expression: (52,) float32, order of schema.EXPRESSION_NAMES, nominally 0..1.
        head_rotation: (3,) float32 yaw, pitch, roll in radians from the photo's pose.
        head_translation: (3,) float32 x, y, z in outer-eye distances from rest.
        gaze: (2, 2) float32, rows left and right eye, columns yaw and pitch, radians, head frame.
        emotion: (8,) float32 weights, order of schema.EMOTION_NAMES.
        speech: activity of the voice, 0..1.
    """

    pts_nanos: int
    seq: int = 0
    epoch: int = 0
    expression: Float32Array = field(default_factory=lambda: _zeros(NUM_EXPRESSIONS))
    head_rotation: Float32Array = field(default_factory=lambda: _zeros(3))
    head_translation: Float32Array = field(default_factory=lambda: _zeros(3))
    gaze: Float32Array = field(default_factory=lambda: _zeros(2, 2))
    emotion: Float32Array = field(default_factory=lambda: _zeros(NUM_EMOTIONS))
    speech: float = 0.0


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One picture and the latent that made it.

    Attributes:
        pixels: (height, width, 4) uint8 RGBA, sRGB, straight alpha, row 0 on top.
    """

    pixels: UInt8Array
    motion: MotionFrame


class Background(Enum):
    """What stands behind the person."""

    KEEP = "keep"
    TRANSPARENT = "transparent"
    COLOR = "color"


@dataclass(frozen=True, slots=True)
class Controls:
    """What a client may change at any time during a session; None or absent means default.

    Attributes:
        gaze: (yaw, pitch) radians in the CAMERA frame, or None for free gaze.
        look_at: point (x, y, z) in outer-eye distances, camera frame centred between the eyes at
            rest, +z towards the camera; excludes gaze.
        distance: 1 as photographed, 0.5 half as far; 0.3..3.
        emotion: weights by name of schema.EMOTION_NAMES, 0..1, added to what the audio suggests.
        head_motion: strength of head motion, 0..2.
        expression: strength of facial expression, 0..2.
        speaking_style: name of a style of motion/style.
        blink_rate: factor on the natural rate, 0..4.
        idle: strength of idle life, 0..2.
        motion_model: who moves head, face, gaze and lids: a name of motion/generators.
        background_color: (r, g, b) 0..255, used with Background.COLOR.
        badge: whether pictures say visibly that they are made.
        seed: seed of everything drawn at random.
    """

    gaze: tuple[float, float] | None = None
    look_at: tuple[float, float, float] | None = None
    distance: float = 1.0
    emotion: Mapping[str, float] = field(default_factory=dict)
    head_motion: float = 1.0
    expression: float = 1.0
    speaking_style: str = "neutral"
    blink_rate: float = 1.0
    idle: float = 1.0
    motion_model: str = "mixed"
    background: Background = Background.KEEP
    background_color: tuple[int, int, int] = (0, 177, 64)
    badge: bool = False
    seed: int = 0
