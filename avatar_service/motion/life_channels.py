"""What the life transformer generates and what it is told, one row per tick of 25 Hz.

Channels (22): the head's sway (yaw, pitch, roll in radians, x, y, z in units), and offsets of the
face beside lips and emotion. Paired shapes are kept as mean and half difference of left and right,
because a face moves mostly as one. The mouth's channels are corners and sideways shifts only:
nothing among them can open lips that are sealed.

Conditions: groups that can each be left out (all zero, its flag 0), so that training may drop them
and guidance may compare with and without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from avatar_service.audio.prosody import ProsodyHop
from avatar_service.motion.controls import EasedControls
from avatar_service.motion.easing import FloatArray
from avatar_service.motion.rhythm import Beat
from avatar_service.schema import EXPRESSION_INDEX, NUM_EMOTIONS, NUM_EXPRESSIONS

_HEAD: Final = ("yaw", "pitch", "roll", "x", "y", "z")
_PAIRED: Final = (
    "browDown",
    "browOuterUp",
    "cheekSquint",
    "noseSneer",
    "mouthSmile",
    "mouthFrown",
    "mouthDimple",
)
CHANNELS: Final = (
    *_HEAD,
    "browInnerUp",
    *(name + end for name in _PAIRED for end in ("Mean", "Apart")),
    "mouthSide",
)
"""mouthSide is mouthLeft less mouthRight."""
NUM_CHANNELS: Final = len(CHANNELS)
HEAD: Final = slice(0, 6)
FACE: Final = slice(6, NUM_CHANNELS)
MIRRORED: Final = np.array(
    [
        -1.0 if name in ("yaw", "roll", "x", "mouthSide") or name.endswith("Apart") else 1.0
        for name in CHANNELS
    ]
)
"""Signs of the channels of the mirrored person."""

_SQUINT_PER_CHEEK: Final = 0.8
_WIDE_PER_BROW: Final = 0.25


def _basis() -> FloatArray:
    """(face channels, 52): what one unit of each channel adds to the coefficients."""
    basis = np.zeros((NUM_CHANNELS - 6, NUM_EXPRESSIONS))
    for row, name in enumerate(CHANNELS[FACE]):
        if name == "browInnerUp":
            basis[row, EXPRESSION_INDEX[name]] = 1.0
        elif name == "mouthSide":
            basis[row, EXPRESSION_INDEX["mouthLeft"]] = 1.0
            basis[row, EXPRESSION_INDEX["mouthRight"]] = -1.0
        else:
            pair = name.removesuffix("Mean").removesuffix("Apart")
            right = 1.0 if name.endswith("Mean") else -1.0
            basis[row, EXPRESSION_INDEX[pair + "Left"]] = 1.0
            basis[row, EXPRESSION_INDEX[pair + "Right"]] = right
            # Cheeks narrow the lids, raised brows pull them up.
            if pair == "cheekSquint":
                basis[row, EXPRESSION_INDEX["eyeSquintLeft"]] = _SQUINT_PER_CHEEK
                basis[row, EXPRESSION_INDEX["eyeSquintRight"]] = _SQUINT_PER_CHEEK * right
            elif pair == "browOuterUp":
                basis[row, EXPRESSION_INDEX["eyeWideLeft"]] = _WIDE_PER_BROW
                basis[row, EXPRESSION_INDEX["eyeWideRight"]] = _WIDE_PER_BROW * right
    return basis


FACE_BASIS: Final = _basis()


def face_of(channels: FloatArray) -> FloatArray:
    """Turn (..., 22) channels into (..., 52) offsets, not clamped."""
    return np.asarray(channels[..., FACE] @ FACE_BASIS)


def channels_of(head: FloatArray, expression: FloatArray) -> FloatArray:
    """Read (..., 22) channels off (..., 6) sway and (..., 52) offsets."""
    columns = []
    for name in CHANNELS[FACE]:
        if name == "browInnerUp":
            columns.append(expression[..., EXPRESSION_INDEX[name]])
            continue
        if name == "mouthSide":
            sides = [EXPRESSION_INDEX["mouthLeft"], EXPRESSION_INDEX["mouthRight"]]
            columns.append(expression[..., sides[0]] - expression[..., sides[1]])
            continue
        pair = name.removesuffix("Mean").removesuffix("Apart")
        left = expression[..., EXPRESSION_INDEX[pair + "Left"]]
        right = expression[..., EXPRESSION_INDEX[pair + "Right"]]
        columns.append((left + right) / 2 if name.endswith("Mean") else (left - right) / 2)
    return np.concatenate([head, np.stack(columns, axis=-1)], axis=-1)


GROUPS: Final[Mapping[str, int]] = {
    "voice": 14,
    "heard": 6,
    "manner": 4,
    "gaze": 3,
    "emotion": NUM_EMOTIONS,
    "source": 1,
}
"""Conditions and how many numbers each holds; a flag "it is known" follows each of them."""
NUM_CONDITIONS: Final = sum(GROUPS.values()) + len(GROUPS)


def group_slices() -> dict[str, slice]:
    """Columns of each group in a row of conditions, its flag last."""
    slices, start = {}, 0
    for name, width in GROUPS.items():
        slices[name] = slice(start, start + width + 1)
        start += width + 1
    return slices


GROUP_SLICES: Final = group_slices()
_LONG_PAUSE_SECS: Final = 2.0


def condition_row(
    beat: Beat,
    hops: Sequence[ProsodyHop],
    partner: Beat,
    controls: EasedControls,
    realness: float,
) -> FloatArray:
    """Describe one tick to the network.

    Args:
        beat: the avatar's own voice in this tick.
        hops: the same in detail.
        partner: the voice that is heard.
        controls: as they act in this tick.
        realness: 0 moves as the simple generator taught, 1 as the tracked people did.

    Returns:
        (NUM_CONDITIONS,) numbers of the order of 1.
    """
    newest = hops[-1] if hops else None
    asked = controls.source.gaze
    if asked is None and controls.source.look_at is not None:
        asked = (0.0, 0.0)  # that it is fixed matters, not where
    return np.array(
        [
            beat.speaking,
            beat.loudness,
            beat.melody / 4,
            beat.accent,
            float(beat.is_phrase_start),
            float(beat.is_phrase_end),
            min(beat.pause_secs, _LONG_PAUSE_SECS) / _LONG_PAUSE_SECS,
            float(np.exp(-beat.pause_secs / 0.3)),
            beat.arousal,
            newest.activity if newest else 0.0,
            newest.envelope if newest else 0.0,
            (max(newest.energy_db, -70.0) + 45) / 25 if newest else -1.0,
            newest.voicing if newest else 0.0,
            hops[0].envelope if hops else 0.0,
            1.0,
            partner.speaking,
            partner.loudness,
            partner.accent,
            float(partner.is_phrase_start),
            float(partner.is_phrase_end),
            min(partner.pause_secs, _LONG_PAUSE_SECS) / _LONG_PAUSE_SECS,
            1.0,
            controls.idle,
            controls.head,
            controls.brows,
            5 * controls.smile,
            1.0,
            *((1.0, asked[0], asked[1]) if asked is not None else (0.0, 0.0, 0.0)),
            1.0,
            *controls.emotion,
            1.0,
            realness,
            1.0,
        ]
    )
