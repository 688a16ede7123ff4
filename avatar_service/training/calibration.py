"""The last step of training: how large each channel comes out, set to that of real people.

Drawing block after block from its own past, a network's spread grows or shrinks a little against
what it was taught. The gains are fixed afterwards, on the voices of the tracked videos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from avatar_service.motion.easing import FloatArray
from avatar_service.motion.life_channels import CHANNELS, HEAD, NUM_CHANNELS
from avatar_service.motion.life_stream import LifeModel, LifeStream, draw_together
from avatar_service.training.sequences import LifeSequence

_NUM_SEEDS: Final = 4
_GAINS: Final = (0.25, 1.5)
_SHOWN: Final = math.sqrt(0.5 - 0.5 / math.pi)
"""Standard deviation of max(0, x) over that of a normal x: a face has no coefficients below 0."""


def calibrate(model: LifeModel, tracked: Sequence[LifeSequence]) -> LifeModel:
    """Set the gains so that each channel's standard deviation is that of the tracked people.

    Args:
        model: trained; its own gains are not looked at.
        tracked: at least one; their conditions (of source `real`) are driven through the model.
    """
    plain = replace(model, settings=replace(model.settings, gains=(1.0,) * NUM_CHANNELS))
    wanted, got = np.zeros(NUM_CHANNELS), np.zeros(NUM_CHANNELS)
    for one in tracked:
        wanted += one.channels.astype(float).var(axis=0) * len(one)
        got += _drawn(plain, one.conditions.astype(float)).var(axis=1).mean(axis=0) * len(one)
    # A tracked face's coefficients move above 0 around its median; these move about 0 and are cut.
    is_cut = np.array([name not in (*CHANNELS[HEAD], "mouthSide") for name in CHANNELS])
    wanted[is_cut] /= _SHOWN**2
    gains = np.clip(np.sqrt(wanted / np.maximum(got, 1e-12)), *_GAINS)
    settings = replace(model.settings, gains=tuple(round(float(gain), 3) for gain in gains))
    return replace(model, settings=settings)


def _drawn(model: LifeModel, conditions: FloatArray) -> FloatArray:
    """(seeds, T, channels) of a model that hears (T, conditions)."""
    streams = [LifeStream(model, seed) for seed in range(_NUM_SEEDS)]
    rows = []
    for row in conditions:
        for stream in streams:
            stream.sense(row)
        draw_together(streams)
        rows.append([s.act(blink_rate=1.0, is_gaze_asked=False).value for s in streams])
    return np.array(rows).transpose(1, 0, 2)
