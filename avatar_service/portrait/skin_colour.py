"""The face's skin colour, and what differs from it: hair, clothes."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import blur, sample, smoothstep
from avatar_service.signals import Float32Array

_SPOTS: Final = (50, 280, 101, 330, 151, 4, 152)
_UNLIKE: Final = (28.0, 60.0)
"""Grey levels of difference from the face's skin at which other things begin."""
_SIGMA: Final = 0.03
"""Colours are compared when smoothed by this, units."""


def smoothed(picture: Float32Array, fit: FaceFit) -> Float32Array:
    """Return the canvas (c, c, 3), at any size, smoothed for comparing colours."""
    return blur(picture, _SIGMA * fit.head.unit_px * _scale(picture, fit))


def skin_of(smooth: Float32Array, fit: FaceFit) -> Float32Array:
    """Return (3,) the face's skin on a smoothed canvas."""
    spots = (fit.landmarks[list(_SPOTS), :2] + fit.margin_px) * _scale(smooth, fit)
    return np.asarray(np.median(sample(smooth, spots), 0), np.float32)


def unlike_skin(smooth: Float32Array, fit: FaceFit) -> Float32Array:
    """Return (c, c) 0 where a smoothed canvas shows the face's skin colour, 1 where another one."""
    # Brightness differs over a head as well; a colour of its own tells more.
    return smoothstep(np.abs(smooth - skin_of(smooth, fit)).max(-1), *_UNLIKE)


def _scale(picture: Float32Array, fit: FaceFit) -> float:
    return float(picture.shape[0] / fit.canvas_alpha.shape[0])
