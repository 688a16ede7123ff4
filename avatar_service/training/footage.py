"""Life tracked in real talking video: what calibrates, and gives the style `real`."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from avatar_service.motion.controls import ControlSchedule
from avatar_service.motion.easing import TICK_SECS
from avatar_service.motion.life_channels import CHANNELS, FACE, channels_of, condition_row
from avatar_service.motion.rhythm import Rhythm
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Controls, Float32Array
from avatar_service.training.sequences import LifeSequence
from avatar_service.training.teacher import hops_by_tick

_ARTICULATION: Final = (
    "jawOpen",
    "mouthFunnel",
    "mouthPucker",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
)
_SLOW_TICKS: Final = 5.0
"""Width of the smoothing of cheeks, nose and mouth corners, 0.2 s: slower than syllables."""
_JITTER_TICKS: Final = 1.5
"""Width of the smoothing of the brows, 60 ms: the tracker's jitter."""
_APART_SHARE: Final = 0.35
"""Share kept of the difference of left and right, which is mostly the tracker's error."""
_BLINK_LEVEL: Final = 0.25
_BLINK_TICKS: Final = 7


def life_of_track(track: MotionTrack, samples: Float32Array) -> LifeSequence:
    """Read life off a tracked video and its own sound.

    The person's rest is the median pose and face. What the mouth does for speech is taken out of
    the cheeks, the nose and the corners by regression on the articulating shapes; the gaze of
    tracked video is too noisy for shifts of a few degrees and is left out.

    Args:
        track: of `avatar track`.
        samples: (n,) float32, 16 kHz mono, from the track's time 0 on.
    """
    secs = track.pts_nanos * 1e-9
    count = int(secs[-1] / TICK_SECS)
    grid = (np.arange(count) + 1) * TICK_SECS

    def at(values: NDArray[np.float32]) -> NDArray[np.float64]:
        columns = values.reshape(len(values), -1).T
        return np.stack([np.interp(grid, secs, column) for column in columns], axis=1)

    head = at(np.concatenate([track.head_rotation, track.head_translation], axis=1))
    expression = at(track.expression)
    channels = channels_of(head, expression)
    channels -= np.median(channels, axis=0)
    articulation = expression[:, [EXPRESSION_INDEX[name] for name in _ARTICULATION]]
    articulation = articulation - articulation.mean(axis=0)
    for column, name in enumerate(CHANNELS[FACE], start=6):
        if name.startswith(("cheek", "nose", "mouth")):
            values = channels[:, column] - channels[:, column].mean()
            spoken = np.linalg.lstsq(articulation, values, rcond=None)[0]
            channels[:, column] = gaussian_filter1d(values - articulation @ spoken, _SLOW_TICKS)
        else:
            channels[:, column] = gaussian_filter1d(channels[:, column], _JITTER_TICKS)
        if name.endswith("Apart"):
            channels[:, column] *= _APART_SHARE
    lids = expression[:, [EXPRESSION_INDEX["eyeBlink" + side] for side in ("Left", "Right")]]
    padded = np.pad(samples, (0, max(0, (count + 1) * 640 - len(samples))))
    voice = hops_by_tick([padded.astype(np.float32)], (count + 1) * 640)[:count]
    controls = ControlSchedule(Controls()).step(0)
    rhythm, nobody = Rhythm(), Rhythm()
    rows = [
        condition_row(rhythm.step(hops), hops, nobody.step([]), controls, 1.0) for hops in voice
    ]
    return LifeSequence(
        conditions=np.array(rows, np.float32),
        channels=channels.astype(np.float32),
        blink=_blink_starts(lids.mean(axis=1)),
        shift=np.zeros(count, np.float32),
        offset=np.zeros((count, 2), np.float32),
        has_gaze=False,
    )


def _blink_starts(closure: NDArray[np.float64]) -> NDArray[np.float32]:
    """1 in the tick before the lids' closure rises through the level above its own baseline."""
    size = 25
    padded = np.pad(closure, size, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * size + 1)
    above = closure - np.percentile(windows, 30, axis=1) > _BLINK_LEVEL
    starts = np.zeros(len(closure), np.float32)
    last = -_BLINK_TICKS
    for i in np.flatnonzero(above[1:] & ~above[:-1]).tolist():
        if i - last >= _BLINK_TICKS:
            starts[max(0, i - 1)] = 1.0
            last = i
    return starts
